/// Reads the wire format of protocol buffers, field by field; malformed input ends in an error, never a trap.
struct ProtobufReader {
    enum Value {
        case varint(UInt64)
        case fixed32(UInt32)
        case fixed64
        case bytes(Range<Int>)
    }

    struct Malformed: Error { let offset: Int }

    private let bytes: [UInt8]
    private var position: Int
    private let end: Int

    init(_ bytes: [UInt8], _ range: Range<Int>) {
        self.bytes = bytes
        position = range.lowerBound
        end = range.upperBound
    }

    private mutating func varint() throws(Malformed) -> UInt64 {
        var value: UInt64 = 0
        for shift in stride(from: UInt64(0), to: 70, by: 7) {
            guard position < end else { throw Malformed(offset: position) }
            let byte = bytes[position]
            position += 1
            value |= UInt64(byte & 0x7F) << shift
            if byte < 0x80 { return value }
        }
        throw Malformed(offset: position)
    }

    private mutating func take(_ count: UInt64) throws(Malformed) -> Range<Int> {
        guard count <= UInt64(end - position) else { throw Malformed(offset: position) }
        defer { position += Int(count) }
        return position..<position + Int(count)
    }

    /// The next field, or nil at the end.
    mutating func next() throws(Malformed) -> (field: Int, value: Value)? {
        guard position < end else { return nil }
        let tag = try varint()
        let field = Int(truncatingIfNeeded: tag >> 3) & 0x1FFF_FFFF
        switch tag & 7 {
        case 0: return (field, .varint(try varint()))
        case 1:
            _ = try take(8)
            return (field, .fixed64)
        case 2: return (field, .bytes(try take(try varint())))
        case 5:
            let range = try take(4)
            return (field, .fixed32(range.reversed().reduce(UInt32(0)) { $0 << 8 | UInt32(bytes[$1]) }))
        default: throw Malformed(offset: position)
        }
    }
}
