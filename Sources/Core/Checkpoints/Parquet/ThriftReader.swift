/// The compact encoding of Apache Thrift, as far as Parquet's structures need it. Every read is bounded.
/// https://github.com/apache/thrift/blob/master/doc/specs/thrift-compact-protocol.md
struct ThriftReader {
    enum Kind: UInt8 {
        case yes = 1, no, byte, int16, int32, int64, double, binary, list, set, map, structure
    }

    private static let deepest = 32

    private(set) var reader: ByteReader

    init(_ bytes: UnsafeRawBufferPointer, range: Range<Int>, file: String, field: String) {
        reader = ByteReader(bytes, from: range.lowerBound, end: range.upperBound, file: file, field: field)
    }

    private mutating func byte() throws(CheckpointError) -> UInt8 { try reader.integer() }

    private func kind(_ nibble: UInt8) throws(CheckpointError) -> Kind {
        guard let kind = Kind(rawValue: nibble) else { throw reader.fail("type \(nibble) isn't possible") }
        return kind
    }

    /// Calls `body` for each field of a structure; what it doesn't read (false) is passed over.
    mutating func structure(
        _ body: (inout ThriftReader, Int, Kind) throws(CheckpointError) -> Bool
    ) throws(CheckpointError) {
        var number = 0
        while true {
            let lead = try byte()
            if lead == 0 { return }
            let kind = try kind(lead & 15)
            number = try lead >> 4 > 0 ? number + Int(lead >> 4) : integer()
            guard (0...Int(Int16.max)).contains(number) else { throw reader.fail("field \(number) isn't possible") }
            if !(try body(&self, number, kind)) { try skip(kind, depth: 0) }
        }
    }

    /// Calls `body` once for each element.
    mutating func list(_ body: (inout ThriftReader, Kind) throws(CheckpointError) -> Void) throws(CheckpointError) {
        let (kind, count) = try listHead()
        for _ in 0..<count { try body(&self, kind) }
    }

    private mutating func listHead() throws(CheckpointError) -> (Kind, Int) {
        let lead = try byte()
        let count = try lead >> 4 < 15 ? UInt64(lead >> 4) : reader.varint()
        // An element takes a byte at least.
        guard count <= UInt64(reader.remaining) else { throw reader.fail("a list of \(count) in \(reader.remaining) bytes") }
        return (try kind(lead & 15), Int(count))
    }

    /// A zigzag integer of any width.
    mutating func integer() throws(CheckpointError) -> Int {
        let word = try reader.varint()
        return Int(bitPattern: UInt(word >> 1) ^ (0 &- UInt(word & 1)))
    }

    mutating func text() throws(CheckpointError) -> String { String(decoding: reader.bytes[try binary()], as: UTF8.self) }

    mutating func binary() throws(CheckpointError) -> Range<Int> {
        let count = try reader.varint()
        guard let length = Int(exactly: count) else { throw reader.fail("\(count) bytes are expected") }
        return try reader.take(length)
    }

    private mutating func skip(_ kind: Kind, depth: Int) throws(CheckpointError) {
        guard depth < Self.deepest else { throw reader.fail("nested deeper than \(Self.deepest) levels") }
        switch kind {
        case .yes, .no: break
        case .byte: _ = try byte()
        case .int16, .int32, .int64: _ = try reader.varint()
        case .double: _ = try reader.take(8)
        case .binary: _ = try binary()
        case .list, .set:
            let (element, count) = try listHead()
            for _ in 0..<count { try skip(element: element, depth: depth + 1) }
        case .map:
            let count = try reader.varint()
            guard count > 0 else { return }
            guard count <= UInt64(reader.remaining) else { throw reader.fail("a map of \(count) in \(reader.remaining) bytes") }
            let kinds = try byte()
            let (key, value) = (try self.kind(kinds >> 4), try self.kind(kinds & 15))
            for _ in 0..<count {
                try skip(element: key, depth: depth + 1)
                try skip(element: value, depth: depth + 1)
            }
        case .structure:
            while true {
                let lead = try byte()
                if lead == 0 { return }
                if lead >> 4 == 0 { _ = try integer() }
                try skip(try self.kind(lead & 15), depth: depth + 1)
            }
        }
    }

    /// Truth takes a byte in lists and maps, where a field has it in its type.
    private mutating func skip(element kind: Kind, depth: Int) throws(CheckpointError) {
        if kind == .yes || kind == .no { _ = try byte() } else { try skip(kind, depth: depth) }
    }
}

/// Writes the same encoding.
struct ThriftWriter {
    private(set) var bytes: [UInt8] = []
    private var numbers = [0]

    private mutating func varint(_ value: UInt64) {
        var rest = value
        while rest >= 0x80 {
            bytes.append(UInt8(rest & 0x7F) | 0x80)
            rest >>= 7
        }
        bytes.append(UInt8(rest))
    }

    private mutating func zigzag(_ value: Int) { varint(UInt64(bitPattern: Int64(value << 1) ^ Int64(value >> 63))) }

    private mutating func field(_ number: Int, _ kind: ThriftReader.Kind) {
        let step = number - numbers[numbers.count - 1]
        precondition((1...15).contains(step), "Fields are written in order.")
        bytes.append(UInt8(step) << 4 | kind.rawValue)
        numbers[numbers.count - 1] = number
    }

    mutating func add(_ number: Int, _ value: Int, _ kind: ThriftReader.Kind = .int32) {
        field(number, kind)
        zigzag(value)
    }

    mutating func add(_ number: Int, _ text: String) {
        field(number, .binary)
        element(text)
    }

    mutating func add(_ number: Int, _ body: (inout ThriftWriter) -> Void) {
        field(number, .structure)
        element(body)
    }

    /// A list: `body` writes each element.
    mutating func add<Element>(
        _ number: Int, _ elements: [Element], _ kind: ThriftReader.Kind, _ body: (inout ThriftWriter, Element) -> Void
    ) {
        field(number, .list)
        if elements.count < 15 {
            bytes.append(UInt8(elements.count) << 4 | kind.rawValue)
        } else {
            bytes.append(0xF0 | kind.rawValue)
            varint(UInt64(elements.count))
        }
        for element in elements { body(&self, element) }
    }

    mutating func element(_ value: Int) { zigzag(value) }

    mutating func element(_ text: String) {
        varint(UInt64(text.utf8.count))
        bytes += Array(text.utf8)
    }

    /// A structure, with the byte that ends it.
    mutating func element(_ body: (inout ThriftWriter) -> Void) {
        numbers.append(0)
        body(&self)
        bytes.append(0)
        numbers.removeLast()
    }
}
