import Tensors

/// Reads the parts of a GGUF file in their order; every read is bounded by the file.
struct GGUFParser {
    private let storage: Storage
    private let file: String
    private(set) var reader: ByteReader

    /// Lists within lists beyond this are refused.
    private static let maximumDepth = 4
    private static let maximumKey = 65535

    init(_ storage: Storage, file: String, field: String, place: Range<Int>? = nil) {
        (self.storage, self.file) = (storage, file)
        reader = ByteReader(storage.bytes, from: place?.lowerBound ?? 0, end: place?.upperBound, file: file, field: field)
    }

    /// The number of tensors and of metadata values. Versions 2 and 3 are known, little-endian.
    mutating func header() throws(CheckpointError) -> (tensors: Int, values: Int) {
        guard try reader.text(4) == "GGUF" else { throw reader.fail("a GGUF file begins with the letters GGUF") }
        let version: UInt32 = try reader.integer()
        guard version == 2 || version == 3 else {
            let isSwapped = (1...3).contains(version.byteSwapped)
            throw .unsupported(
                file: file, key: "version", found: isSwapped ? "a big-endian GGUF file" : "version \(version) of GGUF",
                advice: "known are versions 2 and 3, little-endian: convert it with a current llama.cpp")
        }
        let tensors = try reader.length(), values = try reader.length()
        // The least that each takes: a length of a name, counts, a type, an offset.
        guard tensors <= reader.remaining / 24, values <= reader.remaining / 13 else {
            throw reader.fail("\(tensors) tensors and \(values) values can't lie in the \(reader.remaining) bytes that follow")
        }
        return (tensors, values)
    }

    mutating func text() throws(CheckpointError) -> [UInt8] {
        let length = try reader.length()
        return Array(storage.bytes[try reader.take(length)])
    }

    private mutating func name(limit: Int) throws(CheckpointError) -> String {
        let length = try reader.length()
        guard length <= limit else { throw reader.fail("a name of \(length) bytes; at most \(limit) are possible") }
        return try reader.text(length)
    }

    mutating func kind() throws(CheckpointError) -> GGUFKind {
        let code: UInt32 = try reader.integer()
        guard let kind = GGUFKind(rawValue: code) else { throw reader.fail("\(code) is no type of a value") }
        return kind
    }

    mutating func keyAndValue() throws(CheckpointError) -> (key: String, value: GGUFValue) {
        let key = try name(limit: Self.maximumKey)
        return (key, try value(kind(), field: key))
    }

    mutating func value(_ kind: GGUFKind, field: String = "") throws(CheckpointError) -> GGUFValue {
        switch kind {
        case .u8: .unsigned(UInt64(try reader.integer(UInt8.self)))
        case .u16: .unsigned(UInt64(try reader.integer(UInt16.self)))
        case .u32: .unsigned(UInt64(try reader.integer(UInt32.self)))
        case .u64: .unsigned(try reader.integer(UInt64.self))
        case .i8: .signed(Int64(try reader.integer(Int8.self)))
        case .i16: .signed(Int64(try reader.integer(Int16.self)))
        case .i32: .signed(Int64(try reader.integer(Int32.self)))
        case .i64: .signed(try reader.integer(Int64.self))
        case .f32: .number(Double(Float(bitPattern: try reader.integer())))
        case .f64: .number(Double(bitPattern: try reader.integer()))
        case .bool: .bool(try reader.integer(UInt8.self) != 0)
        case .text: .text(try text())
        case .list: .list(try list(field))
        }
    }

    private mutating func list(_ field: String) throws(CheckpointError) -> GGUFList {
        let kind = try kind(), count = try reader.length(), start = reader.at
        guard count <= reader.remaining / kind.least else {
            throw reader.fail("\(field): \(count) elements can't lie in the \(reader.remaining) bytes that follow")
        }
        try skip(kind, count, depth: 1)
        return GGUFList(kind: kind, count: count, storage: storage, place: start..<reader.at, file: file, field: field)
    }

    private mutating func skip(_ kind: GGUFKind, _ count: Int, depth: Int) throws(CheckpointError) {
        if let size = kind.size {
            _ = try reader.take(count * size)
            return
        }
        guard depth <= Self.maximumDepth else { throw reader.fail("lists nested deeper than \(Self.maximumDepth)") }
        for _ in 0..<count {
            if kind == .text {
                _ = try reader.take(reader.length())
            } else {
                let inner = try self.kind(), length = try reader.length()
                guard length <= reader.remaining / inner.least else {
                    throw reader.fail("\(length) elements can't lie in the \(reader.remaining) bytes that follow")
                }
                try skip(inner, length, depth: depth + 1)
            }
        }
    }

    /// A line of the table of tensors. The shape is row-major: the file lists the fastest axis first.
    mutating func tensor() throws(CheckpointError) -> (name: String, type: GGUFType, shape: [Int], offset: Int) {
        let name = try name(limit: 4096)
        let axes: UInt32 = try reader.integer()
        guard axes <= 8 else { throw reader.fail("tensor \(name) has \(axes) axes; at most 8 are possible") }
        var shape: [Int] = []
        for _ in 0..<axes { shape.insert(try reader.length(), at: 0) }
        return (name, GGUFType(code: try reader.integer()), shape, try reader.length())
    }
}
