/// Reads little-endian values from a range of bytes; every read is bounded.
struct ByteReader {
    let bytes: UnsafeRawBufferPointer
    let file: String
    let field: String
    private(set) var at: Int
    let end: Int

    init(_ bytes: UnsafeRawBufferPointer, from start: Int = 0, end: Int? = nil, file: String, field: String) {
        self.bytes = bytes
        self.file = file
        self.field = field
        self.end = min(max(end ?? bytes.count, 0), bytes.count)
        at = min(max(start, 0), self.end)
    }

    var isAtEnd: Bool { at >= end }
    var remaining: Int { end - at }

    func fail(_ problem: String) -> CheckpointError { .malformed(file: file, field: field, offset: at, problem: problem) }

    /// The place of the next `count` bytes, which are passed over.
    mutating func take(_ count: Int) throws(CheckpointError) -> Range<Int> {
        guard count >= 0, count <= end - at else { throw fail("\(count) bytes are expected, \(end - at) are left") }
        defer { at += count }
        return at..<at + count
    }

    mutating func integer<Word: FixedWidthInteger>(_: Word.Type = Word.self) throws(CheckpointError) -> Word {
        let place = try take(MemoryLayout<Word>.size)
        return Word(littleEndian: bytes.loadUnaligned(fromByteOffset: place.lowerBound, as: Word.self))
    }

    /// An unsigned 64-bit value that fits an `Int`.
    mutating func length() throws(CheckpointError) -> Int {
        let value: UInt64 = try integer()
        guard let length = Int(exactly: value) else { throw fail("\(value) is too large for a length") }
        return length
    }

    mutating func text(_ count: Int) throws(CheckpointError) -> String {
        String(decoding: bytes[try take(count)], as: UTF8.self)
    }

    /// Text up to a line feed, at most `limit` bytes.
    mutating func line(limit: Int = 1024) throws(CheckpointError) -> String {
        guard let feed = bytes[at..<min(end, at + limit)].firstIndex(of: UInt8(ascii: "\n")) else { throw fail("a line without an end") }
        defer { at = feed + 1 }
        return String(decoding: bytes[at..<feed], as: UTF8.self)
    }

    /// A protobuf variable-length integer.
    mutating func varint() throws(CheckpointError) -> UInt64 {
        var value: UInt64 = 0, shift: UInt64 = 0
        while shift < 64 {
            guard at < end else { throw fail("ends within a variable-length integer") }
            let byte = bytes[at]
            at += 1
            value |= UInt64(byte & 0x7F) << shift
            if byte < 0x80 { return value }
            shift += 7
        }
        throw fail("a variable-length integer of more than ten bytes")
    }
}
