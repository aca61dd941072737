import Tensors

/// A value of a GGUF file's metadata.
public enum GGUFValue: Sendable {
    case unsigned(UInt64)
    case signed(Int64)
    case number(Double)
    case bool(Bool)
    /// Bytes that should be UTF-8.
    case text([UInt8])
    case list(GGUFList)

    public var string: String? { if case let .text(bytes) = self { String(decoding: bytes, as: UTF8.self) } else { nil } }
    public var list: GGUFList? { if case let .list(list) = self { list } else { nil } }

    /// Scalars, texts and short lists of them as JSON has them; nil for long lists.
    var json: JSONValue? {
        switch self {
        case let .unsigned(value): Int(exactly: value).map { .int($0) } ?? .number(Double(value))
        case let .signed(value): .int(Int(value))
        case let .number(value): .number(value)
        case let .bool(value): .bool(value)
        case .text: .string(string ?? "")
        case let .list(list): list.json
        }
    }

    /// For listings.
    var summary: String {
        switch self {
        case let .list(list): "a list of \(list.count)"
        case .text: string ?? ""
        default: json?.summary ?? ""
        }
    }
}

/// A list in a GGUF file's metadata, read from the mapped file when asked for: vocabularies are long.
public struct GGUFList: Sendable {
    public let count: Int
    let kind: GGUFKind
    private let reader: ByteReaderPlace

    /// `place` is where the first element stands; that all elements lie in the file has been checked.
    init(kind: GGUFKind, count: Int, storage: Storage, place: Range<Int>, file: String, field: String) {
        (self.kind, self.count) = (kind, count)
        reader = ByteReaderPlace(storage: storage, place: place, file: file, field: field)
    }

    private struct ByteReaderPlace: Sendable {
        let storage: Storage
        let place: Range<Int>
        let file: String
        let field: String
    }

    private func each<Element>(
        _ body: (inout GGUFParser) throws(CheckpointError) -> Element
    ) throws(CheckpointError) -> [Element] {
        var parser = GGUFParser(reader.storage, file: reader.file, field: reader.field, place: reader.place)
        var elements: [Element] = []
        elements.reserveCapacity(count)
        for _ in 0..<count { elements.append(try body(&parser)) }
        return elements
    }

    /// Texts as bytes. Throws for a list of something else.
    public func texts() throws(CheckpointError) -> [[UInt8]] {
        guard kind == .text else { throw wrong("texts") }
        return try each { (parser) throws(CheckpointError) in try parser.text() }
    }

    /// Whole numbers. Throws for a list of something else or a number beyond 64 bits.
    public func ints() throws(CheckpointError) -> [Int] {
        guard kind.isWhole else { throw wrong("whole numbers") }
        return try each { (parser) throws(CheckpointError) in
            guard case let .int(value)? = try parser.value(kind).json else { throw wrong("whole numbers of at most 63 bits") }
            return value
        }
    }

    public func floats() throws(CheckpointError) -> [Float] {
        guard kind == .f32 || kind == .f64 else { throw wrong("numbers") }
        return try each { (parser) throws(CheckpointError) in
            if case let .number(value) = try parser.value(kind) { Float(value) } else { 0 }
        }
    }

    private func wrong(_ expected: String) -> CheckpointError {
        .config(file: reader.file, field: reader.field, found: "a list of \(count) \(kind)", expected: "a list of \(expected)")
    }

    fileprivate var json: JSONValue? {
        guard count <= 1024, kind != .list else { return nil }
        let values = try? each { (parser) throws(CheckpointError) in try parser.value(kind).json ?? .null }
        return values.map { .array($0) }
    }
}

/// The kinds of metadata values by their numbers in the file.
enum GGUFKind: UInt32, Sendable {
    case u8, i8, u16, i16, u32, i32, f32, bool, text, list, u64, i64, f64

    /// Bytes of a value of fixed size; nil for texts and lists.
    var size: Int? {
        switch self {
        case .u8, .i8, .bool: 1
        case .u16, .i16: 2
        case .u32, .i32, .f32: 4
        case .u64, .i64, .f64: 8
        case .text, .list: nil
        }
    }

    /// The fewest bytes that a value takes.
    var least: Int { size ?? (self == .text ? 8 : 12) }

    var isWhole: Bool {
        switch self {
        case .u8, .i8, .u16, .i16, .u32, .i32, .u64, .i64: true
        case .f32, .f64, .bool, .text, .list: false
        }
    }
}
