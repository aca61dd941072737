/// Token texts and their ids, keyed on bytes. All texts lie in one array; nothing is allocated per token.
struct ByteVocabulary: Sendable {
    private var text: [UInt8] = []
    private var starts: [UInt32] = [0]
    private var ids: [Int32] = []
    private var slots: [UInt32]
    /// Entry for each id, or -1.
    private var entries: [Int32] = []
    private static let seed = UInt64.random(in: 0...UInt64.max)

    init(capacity: Int) {
        var size = 16
        while size < capacity * 2 { size *= 2 }
        slots = Array(repeating: 0, count: size)
        ids.reserveCapacity(capacity)
        starts.reserveCapacity(capacity + 1)
        text.reserveCapacity(capacity * 8)
    }

    /// Number of different texts.
    var count: Int { ids.count }
    /// One more than the largest id.
    var idLimit: Int { entries.count }

    @inline(__always)
    private static func hash(_ bytes: UnsafeBufferPointer<UInt8>) -> Int {
        var state = seed ^ UInt64(truncatingIfNeeded: bytes.count)
        var index = 0
        let raw = UnsafeRawPointer(bytes.baseAddress)
        while index + 8 <= bytes.count, let raw {
            state = mix(state ^ raw.loadUnaligned(fromByteOffset: index, as: UInt64.self))
            index += 8
        }
        var tail: UInt64 = 0
        while index < bytes.count {
            tail = tail << 8 | UInt64(bytes[index])
            index += 1
        }
        return Int(truncatingIfNeeded: mix(state ^ tail))
    }

    @inline(__always)
    private static func mix(_ value: UInt64) -> UInt64 {
        let product = value.multipliedFullWidth(by: 0x9E37_79B9_7F4A_7C15)
        return product.high ^ product.low
    }

    @inline(__always)
    private func slot(of bytes: UnsafeBufferPointer<UInt8>) -> Int {
        var slot = Self.hash(bytes) & (slots.count - 1)
        return slots.withUnsafeBufferPointer { slots in
            starts.withUnsafeBufferPointer { starts in
                text.withUnsafeBufferPointer { text in
                    while slots[slot] != 0 {
                        let entry = Int(slots[slot]) - 1
                        let start = Int(starts[entry])
                        let length = Int(starts[entry + 1]) - start
                        if length == bytes.count {
                            var index = 0
                            while index < length, text[start + index] == bytes[index] { index += 1 }
                            if index == length { return slot }
                        }
                        slot = (slot + 1) & (slots.count - 1)
                    }
                    return slot
                }
            }
        }
    }

    /// The id of a token, or -1.
    @inline(__always)
    func id(of bytes: UnsafeBufferPointer<UInt8>) -> Int32 {
        let entry = slots[slot(of: bytes)]
        return entry == 0 ? -1 : ids[Int(entry) - 1]
    }

    func id(of bytes: [UInt8]) -> Int32 { bytes.withUnsafeBufferPointer { id(of: $0) } }

    func id(of bytes: ArraySlice<UInt8>) -> Int32 { bytes.withUnsafeBufferPointer { id(of: $0) } }

    /// Adds a token. A text already there takes the new id, as in a dictionary. Ids must lie in `0...Limits.largestID`.
    mutating func insert(_ bytes: UnsafeBufferPointer<UInt8>, id: Int32) {
        if (ids.count + 1) * 2 > slots.count { grow() }
        let place = slot(of: bytes)
        if slots[place] != 0 {
            ids[Int(slots[place]) - 1] = id
        } else {
            text.append(contentsOf: bytes)
            starts.append(UInt32(text.count))
            ids.append(id)
            slots[place] = UInt32(ids.count)
        }
    }

    mutating func insert(_ bytes: [UInt8], id: Int32) { bytes.withUnsafeBufferPointer { insert($0, id: id) } }

    /// Fills the table from id to token; call it once after the last insertion.
    /// - Returns: two tokens that claim the same id, if there are any.
    mutating func indexIDs() -> (first: [UInt8], second: [UInt8], id: Int32)? {
        entries = Array(repeating: -1, count: Int((ids.max() ?? -1) + 1))
        for (entry, id) in ids.enumerated() {
            if entries[Int(id)] >= 0 { return (Array(bytes(entry: Int(entries[Int(id)]))), Array(bytes(entry: entry)), id) }
            entries[Int(id)] = Int32(entry)
        }
        return nil
    }

    private func bytes(entry: Int) -> ArraySlice<UInt8> { text[Int(starts[entry])..<Int(starts[entry + 1])] }

    /// The text of a token, or nil for an id that has none.
    func bytes(of id: Int32) -> ArraySlice<UInt8>? {
        guard id >= 0, Int(id) < entries.count, entries[Int(id)] >= 0 else { return nil }
        return bytes(entry: Int(entries[Int(id)]))
    }

    func contains(id: Int32) -> Bool { id >= 0 && Int(id) < entries.count && entries[Int(id)] >= 0 }

    /// Calls `body` with each text and id in order of insertion.
    func forEach(_ body: (ArraySlice<UInt8>, Int32) -> Void) {
        for entry in 0..<ids.count { body(bytes(entry: entry), ids[entry]) }
    }

    private mutating func grow() {
        slots = Array(repeating: 0, count: slots.count * 2)
        for entry in 0..<ids.count {
            let range = Int(starts[entry])..<Int(starts[entry + 1])
            let home = text.withUnsafeBufferPointer { Self.hash(UnsafeBufferPointer(rebasing: $0[range])) }
            var slot = home & (slots.count - 1)
            while slots[slot] != 0 { slot = (slot + 1) & (slots.count - 1) }
            slots[slot] = UInt32(entry + 1)
        }
    }
}
