import Synchronization
import Tensors

/// The rows that may be found: live, and passed by the filter.
final class RowMask: Sendable {
    /// Bit i of word i / 64: row i may be found. Chunks are whole numbers of words.
    let words: SharedArray<UInt64>
    let count: Int
    private let grouped = Mutex<(inode: UInt64, groups: Groups)?>(nil)

    init(_ snapshot: Snapshot, filter: IDSet?) {
        let chunks = snapshot.chunks
        guard let filter else {
            words = SharedArray(chunks.flatMap(\.live))
            count = snapshot.liveCount
            return
        }
        let masks = Mutex([[UInt64]](repeating: [], count: chunks.count))
        ThreadPool.parallelFor(chunks.count) { range in
            for index in range {
                let mask = RowMask.mask(chunks[index], filter)
                masks.withLock { $0[index] = mask }
            }
        }
        let all = masks.withLock { $0.flatMap { $0 } }
        words = SharedArray(all)
        count = all.reduce(0) { $0 + $1.nonzeroBitCount }
    }

    private static func mask(_ chunk: Chunk, _ filter: IDSet) -> [UInt64] {
        if chunk.isConsecutive, let first = chunk.ids.first, let last = chunk.ids.last {
            // Row numbers are differences of ids: only the filter's ids need be gone through.
            var words = [UInt64](repeating: 0, count: chunk.live.count)
            for id in filter.sorted[filter.place(first)...] {
                if id > last { break }
                let row = Int(id - first)
                words[row / 64] |= 1 << UInt64(row % 64)
            }
            for word in words.indices { words[word] &= chunk.live[word] }
            return words
        }
        var words = chunk.live
        for word in words.indices where words[word] != 0 {
            var bits = words[word]
            while bits != 0 {
                let bit = bits.trailingZeroBitCount
                bits &= bits - 1
                if !filter.contains(chunk.ids[word * 64 + bit]) { words[word] &= ~(1 << UInt64(bit)) }
            }
        }
        return words
    }

    @inline(__always)
    func contains(_ row: Int) -> Bool { words[row / 64] >> UInt64(row % 64) & 1 == 1 }

    /// Calls `body` with each row that may be found of a range that begins with a word.
    @inline(__always)
    func forEach<E: Error>(_ rows: Range<Int>, _ body: (Int) throws(E) -> Void) throws(E) {
        for word in rows.lowerBound / 64..<(rows.upperBound + 63) / 64 {
            var bits = words[word]
            while bits != 0 {
                let row = word * 64 + bits.trailingZeroBitCount
                bits &= bits - 1
                if row < rows.upperBound { try body(row) }
            }
        }
    }

    /// The rows that may be found, by their lists.
    func groups(_ lists: Lists) -> Groups {
        grouped.withLock { known in
            if let known, known.inode == lists.inode { return known.groups }
            var owners: [UInt32] = [], rows: [UInt32] = []
            owners.reserveCapacity(count)
            rows.reserveCapacity(count)
            let all = lists.listOfRows
            forEach(0..<lists.header.rows) { row in
                owners.append(all[row])
                rows.append(UInt32(row))
            }
            let groups = Groups(owners, lists.header.listCount, items: rows)
            known = (lists.inode, groups)
            return groups
        }
    }
}

/// The masks of the filters that were used last: programs ask many questions with one filter.
struct MaskCache: Sendable {
    private static let capacity = 4
    private var entries: [(filter: IDSet?, generation: UInt64, sequence: UInt64, mask: RowMask)] = []

    func mask(_ snapshot: Snapshot, _ filter: IDSet?) -> RowMask? {
        entries.first {
            $0.generation == snapshot.generation && $0.sequence == snapshot.commit.sequence
                && ($0.filter == nil ? filter == nil : filter.map($0.filter!.isSame) ?? false)
        }?.mask
    }

    mutating func keep(_ mask: RowMask, _ snapshot: Snapshot, _ filter: IDSet?) {
        entries.removeAll { $0.generation != snapshot.generation || $0.sequence != snapshot.commit.sequence }
        if entries.count == MaskCache.capacity { entries.removeFirst() }
        entries.append((filter, snapshot.generation, snapshot.commit.sequence, mask))
    }
}
