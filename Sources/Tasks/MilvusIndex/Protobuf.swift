/// Writes the fields of one protobuf message. https://protobuf.dev/programming-guides/encoding
struct ProtobufWriter {
    private(set) var bytes: [UInt8] = []

    private mutating func varint(_ value: UInt64) {
        var rest = value
        while rest >= 0x80 {
            bytes.append(UInt8(rest & 0x7F) | 0x80)
            rest >>= 7
        }
        bytes.append(UInt8(rest))
    }

    /// 0 is what absent fields are, and isn't written.
    mutating func add(_ field: Int, _ value: Int) {
        guard value != 0 else { return }
        varint(UInt64(field) << 3)
        varint(UInt64(bitPattern: Int64(value)))
    }

    mutating func add(_ field: Int, _ value: Bool) { add(field, value ? 1 : 0) }
    mutating func add(_ field: Int, unsigned value: UInt64) { add(field, Int(bitPattern: UInt(value))) }

    mutating func add(_ field: Int, bytes value: [UInt8]) {
        varint(UInt64(field) << 3 | 2)
        varint(UInt64(value.count))
        bytes += value
    }

    mutating func add(_ field: Int, _ text: String) { if !text.isEmpty { add(field, bytes: Array(text.utf8)) } }

    mutating func add(_ field: Int, _ body: (inout ProtobufWriter) -> Void) {
        var inner = ProtobufWriter()
        body(&inner)
        add(field, bytes: inner.bytes)
    }

    /// A packed list.
    mutating func add(_ field: Int, packed values: [Int64]) {
        var inner = ProtobufWriter()
        for value in values { inner.varint(UInt64(bitPattern: value)) }
        add(field, bytes: inner.bytes)
    }

    /// A packed list of little-endian f32.
    mutating func add(_ field: Int, packed values: UnsafeBufferPointer<Float>) {
        varint(UInt64(field) << 3 | 2)
        varint(UInt64(values.count * 4))
        bytes.append(contentsOf: UnsafeRawBufferPointer(values))
    }
}

/// Reads them. What a server sends is bounded by its message.
struct ProtobufReader {
    struct Malformed: Error {}

    enum Value {
        case varint(UInt64)
        case fixed32(UInt32)
        case fixed64(UInt64)
        /// Text, bytes, a message or a packed list.
        case bytes(ArraySlice<UInt8>)
    }

    private let bytes: ArraySlice<UInt8>
    private var at: Int

    init(_ bytes: ArraySlice<UInt8>) {
        self.bytes = bytes
        at = bytes.startIndex
    }

    /// Calls `body` with each field of a message.
    static func read(_ bytes: ArraySlice<UInt8>, _ body: (Int, Value) throws(Malformed) -> Void) throws(Malformed) {
        var reader = ProtobufReader(bytes)
        while reader.at < bytes.endIndex {
            let tag = try reader.varint()
            guard tag >> 3 > 0, tag >> 3 < 1 << 29 else { throw Malformed() }
            try body(Int(tag >> 3), try reader.value(tag & 7))
        }
    }

    private mutating func value(_ type: UInt64) throws(Malformed) -> Value {
        switch type {
        case 0: return .varint(try varint())
        case 1: return .fixed64(try fixed(8))
        case 2:
            let count = try varint()
            guard count <= UInt64(bytes.endIndex - at) else { throw Malformed() }
            defer { at += Int(count) }
            return .bytes(bytes[at..<at + Int(count)])
        case 5: return .fixed32(UInt32(try fixed(4)))
        default: throw Malformed()
        }
    }

    private mutating func fixed(_ count: Int) throws(Malformed) -> UInt64 {
        guard count <= bytes.endIndex - at else { throw Malformed() }
        defer { at += count }
        return (0..<count).reduce(0) { $0 | UInt64(bytes[at + $1]) << UInt64(8 * $1) }
    }

    private mutating func varint() throws(Malformed) -> UInt64 {
        var value: UInt64 = 0
        for shift in stride(from: UInt64(0), to: 64, by: 7) {
            guard at < bytes.endIndex else { throw Malformed() }
            let byte = bytes[at]
            at += 1
            value |= UInt64(byte & 0x7F) << shift
            if byte < 0x80 { return value }
        }
        throw Malformed()
    }
}

extension ProtobufReader.Value {
    var int: Int? { if case let .varint(value) = self { Int(truncatingIfNeeded: value) } else { nil } }
    var bytes: ArraySlice<UInt8>? { if case let .bytes(value) = self { value } else { nil } }
    var text: String? { bytes.map { String(decoding: $0, as: UTF8.self) } }

    /// Integers of a repeated field, one or a packed list, are added to `list`.
    func append(to list: inout [Int64]) throws(ProtobufReader.Malformed) {
        switch self {
        case .varint(let value): list.append(Int64(bitPattern: value))
        case .bytes(let packed):
            var reader = ProtobufReader(packed)
            list.reserveCapacity(list.count + packed.count / 2)
            while let value = try reader.next() { list.append(value) }
        default: throw ProtobufReader.Malformed()
        }
    }

    func append(to list: inout [Float]) throws(ProtobufReader.Malformed) {
        switch self {
        case .fixed32(let word): list.append(Float(bitPattern: word))
        case .bytes(let packed):
            guard packed.count % 4 == 0 else { throw ProtobufReader.Malformed() }
            packed.withUnsafeBytes { raw in
                for place in stride(from: 0, to: raw.count, by: 4) {
                    list.append(Float(bitPattern: UInt32(littleEndian: raw.loadUnaligned(fromByteOffset: place, as: UInt32.self))))
                }
            }
        default: throw ProtobufReader.Malformed()
        }
    }
}

extension ProtobufReader {
    /// The next integer of a packed list.
    fileprivate mutating func next() throws(Malformed) -> Int64? {
        at < bytes.endIndex ? Int64(bitPattern: try varint()) : nil
    }
}
