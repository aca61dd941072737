import CKernels
import Foundation
import Synchronization
import Tensors

/// The lists of a generation, mapped: vectors by their nearest centre, as 1-bit codes.
final class Lists: Sendable {
    let header: ListsHeader
    let entries: [ListEntry]
    /// Vectors of the longest list.
    let longest: Int
    let rotation: Rotation
    let centres: CentreCodes
    /// Tells this file from one that replaced it.
    let inode: UInt64
    private let bytes: Storage
    /// 0 not looked at, 1 good, 2 damaged.
    private let states: Storage
    private let owners = Mutex<[UInt32]?>(nil)

    /// Nil where there is no file, or none that belongs to the snapshot.
    init?(_ path: String, _ snapshot: Snapshot) {
        guard let file = try? File.open(path), let status = try? file.status(),
            let page = try? file.read(ListsHeader.byteCount, at: 0, field: "header"),
            let header = ListsHeader(page, settings: snapshot.settings, generation: snapshot.generation)
        else { return nil }
        let size = Int(status.st_size)
        guard header.rows <= snapshot.commit.rows, header.listsStart <= size,
            let body = try? file.read(header.listsStart - ListsHeader.byteCount, at: ListsHeader.byteCount, field: "centres"),
            body.checksum(0..<body.count) == header.checksum, snapshot.source(rows: header.rows) == header.source
        else { return nil }
        let table = header.tableStart - ListsHeader.byteCount
        let entries = (0..<header.listCount).map { ListEntry(body, at: table + $0 * ListEntry.byteCount) }
        for entry in entries {
            let blocks = (entry.count + 31) / 32
            guard entry.offset >= header.listsStart, entry.offset <= size, entry.offset % 64 == 0,
                blocks <= (size - entry.offset) / header.blockBytes, entry.radius.isFinite, entry.square.isFinite
            else { return nil }
        }
        guard let bytes = try? file.map(size, at: 0) else { return nil }
        self.header = header
        self.entries = entries
        longest = entries.map(\.count).max() ?? 0
        self.bytes = bytes
        inode = UInt64(status.st_ino)
        rotation = Rotation(dimension: header.settings.dimension, seed: header.seed)
        states = Storage(byteCount: 4 * header.listCount)
        states.pointer.initializeMemory(as: UInt32.self, repeating: 0, count: header.listCount)
        centres = body.withUnsafeBytes {
            CentreCodes($0.baseAddress!.assumingMemoryBound(to: Float.self), header.listCount, header.settings.dimension, entries)
        }
    }

    /// The centre of a list.
    func centre(_ list: Int) -> UnsafePointer<Float> {
        UnsafePointer((bytes.pointer + ListsHeader.byteCount).assumingMemoryBound(to: Float.self)) + list * header.settings.dimension
    }

    /// Where a list's blocks lie, whatever they are.
    func start(_ list: Int) -> UnsafeRawPointer { UnsafeRawPointer(bytes.pointer) + entries[list].offset }

    /// A list's blocks, if they are right.
    func blocks(_ list: Int) -> UnsafeRawPointer? {
        let entry = entries[list], start = start(list)
        let state = states.pointer.assumingMemoryBound(to: UInt32.self) + list
        if sn_counter_load(state) == 0 {
            var good = sn_crc32c(0, start, (entry.count + 31) / 32 * header.blockBytes) == entry.checksum
            // Row numbers are used as places: a file with a right checksum may still come from somewhere else.
            for place in 0..<entry.count where good { good = row(start, place) < header.rows }
            sn_counter_store(state, good ? 1 : 2)
        }
        return sn_counter_load(state) == 1 ? start : nil
    }

    /// The row of a place in a list's blocks.
    @inline(__always)
    func row(_ blocks: UnsafeRawPointer, _ place: Int) -> Int {
        let numbers = blocks + place / 32 * header.blockBytes + 64 * header.groups + 384
        return Int(numbers.load(fromByteOffset: place % 32 * 4, as: UInt32.self))
    }

    /// That every list is whole: a damaged one hides its rows, so that the file is then left alone.
    func isWhole() -> Bool { (0..<header.listCount).allSatisfy { blocks($0) != nil } }

    /// The list of each row below `header.rows`; `UInt32.max` where a row is in none. Worked out at first need.
    var listOfRows: [UInt32] {
        owners.withLock { known in
            if let known { return known }
            let owners = ownersOfRows()
            known = owners
            return owners
        }
    }

    private func ownersOfRows() -> [UInt32] {
        var owners = [UInt32](repeating: .max, count: header.rows)
        for list in 0..<header.listCount {
            guard let blocks = blocks(list) else { continue }
            for place in 0..<entries[list].count { owners[row(blocks, place)] = UInt32(list) }
        }
        return owners
    }
}

/// The centres as 8-bit codes: which lists to look at needs no more.
struct CentreCodes: Sendable {
    let count: Int
    let width: Int
    let codes: [UInt8]
    let scales: [Float]
    let zeros: [Float]
    let squares: [Float]
    let radii: [Float]

    init(_ centres: UnsafePointer<Float>, _ count: Int, _ dimension: Int, _ entries: [ListEntry]) {
        self.count = count
        width = CodeBlock.width(dimension)
        var codes = [UInt8](repeating: 128, count: count * width), scales = [Float](repeating: 0, count: count)
        for list in 0..<count {
            let line = Array(UnsafeBufferPointer(start: centres + list * dimension, count: dimension))
            let start = list * width
            scales[list] = CodeBlock.quantise(line) { codes[start + $0] = UInt8(truncatingIfNeeded: $1 + 128) }
        }
        self.codes = codes
        self.scales = scales
        zeros = [Float](repeating: 0, count: count)
        squares = entries.map(\.square)
        radii = entries.map(\.radius)
    }
}

extension Snapshot {
    /// Says of which vectors rows `0..<rows` are.
    func source(rows: Int) -> UInt32 {
        var checksum: UInt32 = 0
        for chunk in chunks where chunk.start < rows {
            let count = min(chunk.count, rows - chunk.start)
            checksum = chunk.checksums.withUnsafeBytes { sn_crc32c(checksum, $0.baseAddress!, 4 * count) }
        }
        return checksum
    }
}
