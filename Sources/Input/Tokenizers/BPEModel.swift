/// Byte-pair encoding over characters, with the reference's options (Sennrich et al. 2016; GPT-2, CLIP, LLaMA).
struct BPEModel: Sendable {
    struct Options: Sendable {
        var unknown: [UInt8]?
        var continuingPrefix: [UInt8] = []
        var endSuffix: [UInt8] = []
        var fusesUnknown = false
        var byteFallback = false
        var ignoresMerges = false
    }

    let vocabulary: ByteVocabulary
    let options: Options
    /// Pair of ids to rank and merged id, both in 32 bits.
    private let merges: IntegerTable
    private let unknownID: Int32
    /// Ids of `<0x00>`...`<0xFF>`, or -1.
    private let fallbackIDs: [Int32]
    /// Ids of the byte-level characters: alone, first, last and inside, 256 each; -1 where the vocabulary lacks one.
    private let byteLevelIDs: [Int32]

    init(vocabulary: ByteVocabulary, merges: IntegerTable, options: Options) {
        self.vocabulary = vocabulary
        self.merges = merges
        self.options = options
        unknownID = options.unknown.map { vocabulary.id(of: $0) } ?? -1
        fallbackIDs = ByteFallback.ids(in: vocabulary)
        byteLevelIDs = (0..<1024).map { index in
            let prefix = index & 512 == 0 ? [] : options.continuingPrefix
            let suffix = index & 256 == 0 ? [] : options.endSuffix
            return vocabulary.id(of: prefix + ByteLevelAlphabet.spell(CollectionOfOne(UInt8(index & 255))) + suffix)
        }
    }

    /// Arrays that one encoding uses for all its pieces.
    struct Workspace {
        fileprivate var ids: [Int32] = []
        fileprivate var lengths: [Int32] = []
        fileprivate var pairs: [UInt64] = []
        fileprivate var previous: [Int32] = []
        fileprivate var next: [Int32] = []
        fileprivate var heap: [Merge] = []
        fileprivate var text: [UInt8] = []
    }

    func tokenize(_ piece: inout AlignedText, _ work: inout Workspace, into tokens: inout [ModelToken]) {
        if options.ignoresMerges {
            let whole = piece.isByteLevel ? vocabulary.id(of: ByteLevelAlphabet.spell(piece.slice)) : vocabulary.id(of: piece.slice)
            if whole >= 0 {
                tokens.append(ModelToken(id: whole, lower: 0, upper: piece.count))
                return
            }
        }
        work.ids.removeAll(keepingCapacity: true)
        work.lengths.removeAll(keepingCapacity: true)
        if !piece.isByteLevel || !fillByteLevel(piece, &work) {
            piece.spellByteLevel()
            fill(piece, &work)
        }
        merge(&work)
        var position = 0
        for (id, length) in zip(work.ids, work.lengths) {
            let end = position + Int(length)
            tokens.append(ModelToken(id: id, lower: position, upper: end))
            position = end
        }
    }

    /// One symbol per byte; false when some byte has none.
    private func fillByteLevel(_ piece: AlignedText, _ work: inout Workspace) -> Bool {
        let last = piece.count - 1
        return piece.withBytes { bytes in
            byteLevelIDs.withUnsafeBufferPointer { table in
                for (offset, byte) in bytes.enumerated() {
                    let id = table[Int(byte) | (offset > 0 ? 512 : 0) | (offset == last ? 256 : 0)]
                    if id < 0 {
                        work.ids.removeAll(keepingCapacity: true)
                        work.lengths.removeAll(keepingCapacity: true)
                        return false
                    }
                    work.ids.append(id)
                    work.lengths.append(1)
                }
                return true
            }
        }
    }

    /// One symbol per character, with unknown characters and byte fallback in the reference's order of events.
    private func fill(_ piece: AlignedText, _ work: inout Workspace) {
        var unknownLength = 0
        func add(_ id: Int32, _ length: Int) {
            work.ids.append(id)
            work.lengths.append(Int32(truncatingIfNeeded: length))
        }
        piece.withBytes { bytes in
            var start = 0
            while start < bytes.count {
                let length = min(UTF8Text.length(leading: bytes[start]), bytes.count - start)
                let symbol = UnsafeBufferPointer(rebasing: bytes[start..<start + length])
                let id = self.id(of: symbol, first: start == 0, last: start + length == bytes.count, &work.text)
                start += length
                if id >= 0 {
                    if unknownLength > 0 { add(unknownID, unknownLength) }
                    unknownLength = 0
                    add(id, length)
                } else if options.byteFallback, work.text.allSatisfy({ fallbackIDs[Int($0)] >= 0 }) {
                    for byte in work.text { add(fallbackIDs[Int(byte)], 1) }
                } else if unknownID >= 0 {
                    if unknownLength > 0, !options.fusesUnknown {
                        add(unknownID, unknownLength)
                        unknownLength = length
                    } else {
                        unknownLength += length
                    }
                }
            }
        }
        if unknownLength > 0 { add(unknownID, unknownLength) }
    }

    /// The id of a character with the affixes of its place; `text` is left with what was looked up.
    @inline(__always)
    private func id(of symbol: UnsafeBufferPointer<UInt8>, first: Bool, last: Bool, _ text: inout [UInt8]) -> Int32 {
        text.removeAll(keepingCapacity: true)
        if !first { text.append(contentsOf: options.continuingPrefix) }
        text.append(contentsOf: symbol)
        if last { text.append(contentsOf: options.endSuffix) }
        return vocabulary.id(of: text)
    }

    @inline(__always)
    private func pair(_ left: Int32, _ right: Int32) -> UInt64 {
        merges[UInt64(UInt32(bitPattern: left)) << 32 | UInt64(UInt32(bitPattern: right))] ?? UInt64.max
    }

    private func merge(_ work: inout Workspace) {
        guard work.ids.count > 1 else { return }
        if work.ids.count <= 40 { mergeShort(&work) } else { mergeLong(&work) }
    }

    /// Repeatedly merges the leftmost pair of lowest rank, looking at all pairs each time.
    private func mergeShort(_ work: inout Workspace) {
        work.pairs.removeAll(keepingCapacity: true)
        for index in 1..<work.ids.count { work.pairs.append(pair(work.ids[index - 1], work.ids[index])) }
        while true {
            var best = UInt64.max
            var place = 0
            for (index, pair) in work.pairs.enumerated() where pair < best {
                best = pair
                place = index
            }
            if best == UInt64.max { return }
            work.ids[place] = Int32(truncatingIfNeeded: best)
            work.lengths[place] += work.lengths[place + 1]
            work.ids.remove(at: place + 1)
            work.lengths.remove(at: place + 1)
            work.pairs.remove(at: place)
            if place > 0 { work.pairs[place - 1] = pair(work.ids[place - 1], work.ids[place]) }
            if place < work.pairs.count { work.pairs[place] = pair(work.ids[place], work.ids[place + 1]) }
        }
    }

    fileprivate struct Merge {
        var pair: UInt64
        var position: Int32

        static func < (left: Merge, right: Merge) -> Bool {
            left.pair >> 32 != right.pair >> 32 ? left.pair < right.pair : left.position < right.position
        }
    }

    /// The same with a heap and linked symbols, for words of any length in n log n.
    private func mergeLong(_ work: inout Workspace) {
        let count = work.ids.count
        work.previous = (0..<Int32(count)).map { $0 - 1 }
        work.next = (1...Int32(count)).map { $0 == count ? -1 : $0 }
        work.heap.removeAll(keepingCapacity: true)
        for index in 1..<count {
            let found = pair(work.ids[index - 1], work.ids[index])
            if found != UInt64.max { push(Merge(pair: found, position: Int32(index - 1)), &work.heap) }
        }
        while let top = pop(&work.heap) {
            let left = Int(top.position)
            guard work.lengths[left] != 0, work.next[left] >= 0 else { continue }
            let right = Int(work.next[left])
            let current = pair(work.ids[left], work.ids[right])
            guard current != UInt64.max, UInt32(truncatingIfNeeded: current) == UInt32(truncatingIfNeeded: top.pair) else { continue }
            work.ids[left] = Int32(truncatingIfNeeded: top.pair)
            work.lengths[left] += work.lengths[right]
            work.lengths[right] = 0
            work.next[left] = work.next[right]
            if work.next[right] >= 0 { work.previous[Int(work.next[right])] = Int32(left) }
            if work.previous[left] >= 0 {
                let before = Int(work.previous[left])
                let found = pair(work.ids[before], work.ids[left])
                if found != UInt64.max { push(Merge(pair: found, position: Int32(before)), &work.heap) }
            }
            if work.next[left] >= 0 {
                let found = pair(work.ids[left], work.ids[Int(work.next[left])])
                if found != UInt64.max { push(Merge(pair: found, position: Int32(left)), &work.heap) }
            }
        }
        var kept = 0
        for index in 0..<count where work.lengths[index] != 0 {
            work.ids[kept] = work.ids[index]
            work.lengths[kept] = work.lengths[index]
            kept += 1
        }
        work.ids.removeLast(count - kept)
        work.lengths.removeLast(count - kept)
    }

    private func push(_ merge: Merge, _ heap: inout [Merge]) {
        heap.append(merge)
        var child = heap.count - 1
        while child > 0, heap[child] < heap[(child - 1) / 2] {
            heap.swapAt(child, (child - 1) / 2)
            child = (child - 1) / 2
        }
    }

    private func pop(_ heap: inout [Merge]) -> Merge? {
        guard let top = heap.first, let last = heap.popLast() else { return nil }
        guard !heap.isEmpty else { return top }
        heap[0] = last
        var parent = 0
        while true {
            var least = parent
            for child in [parent * 2 + 1, parent * 2 + 2] where child < heap.count && heap[child] < heap[least] { least = child }
            if least == parent { return top }
            heap.swapAt(parent, least)
            parent = least
        }
    }
}
