/// The fields of one protobuf message, in order. https://protobuf.dev/programming-guides/encoding
struct ProtobufReader {
    enum Value {
        case varint(UInt64)
        case fixed32(UInt32)
        case fixed64(UInt64)
        /// Text, bytes, a message or a packed list.
        case bytes(Range<Int>)
    }

    private(set) var reader: ByteReader

    init(_ bytes: UnsafeRawBufferPointer, range: Range<Int>? = nil, file: String, field: String) {
        reader = ByteReader(bytes, from: range?.lowerBound ?? 0, end: range?.upperBound, file: file, field: field)
    }

    /// The next field, nil at the end of the message.
    mutating func next() throws(CheckpointError) -> (number: Int, value: Value)? {
        if reader.isAtEnd { return nil }
        let tag = try reader.varint()
        guard tag >> 3 > 0, tag >> 3 < 1 << 29 else { throw reader.fail("field number \(tag >> 3) isn't possible") }
        let number = Int(tag >> 3)
        switch tag & 7 {
        case 0: return (number, .varint(try reader.varint()))
        case 1: return (number, .fixed64(try reader.integer()))
        case 2:
            let count = try reader.varint()
            guard let length = Int(exactly: count) else { throw reader.fail("\(count) bytes are expected") }
            return (number, .bytes(try reader.take(length)))
        case 5: return (number, .fixed32(try reader.integer()))
        default: throw reader.fail("wire type \(tag & 7) isn't possible")
        }
    }

    func text(_ range: Range<Int>) -> String { String(decoding: reader.bytes[range], as: UTF8.self) }

    func inner(_ range: Range<Int>, _ field: String) -> ProtobufReader {
        ProtobufReader(reader.bytes, range: range, file: reader.file, field: field)
    }

    /// Integers of a repeated field: one, or a packed list.
    func integers(_ value: Value, into list: inout [Int]) throws(CheckpointError) {
        switch value {
        case let .varint(word): list.append(Int(truncatingIfNeeded: word))
        case let .bytes(range):
            var packed = ByteReader(reader.bytes, from: range.lowerBound, end: range.upperBound, file: reader.file, field: reader.field)
            while !packed.isAtEnd { list.append(Int(truncatingIfNeeded: try packed.varint())) }
        default: throw reader.fail("a list of integers is expected")
        }
    }

    func floats(_ value: Value, into list: inout [Float]) throws(CheckpointError) {
        switch value {
        case let .fixed32(word): list.append(Float(bitPattern: word))
        case let .bytes(range):
            guard range.count % 4 == 0 else { throw reader.fail("a list of floats of \(range.count) bytes") }
            for at in stride(from: range.lowerBound, to: range.upperBound, by: 4) {
                list.append(Float(bitPattern: UInt32(littleEndian: reader.bytes.loadUnaligned(fromByteOffset: at, as: UInt32.self))))
            }
        default: throw reader.fail("a list of floats is expected")
        }
    }
}
