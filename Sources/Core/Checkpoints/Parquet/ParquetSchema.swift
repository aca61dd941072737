/// One value of a column.
public enum ParquetValue: Sendable, Equatable {
    case null
    case bool(Bool)
    case int(Int64)
    case real(Double)
    case text(String)
    case bytes([UInt8])

    public var text: String? { if case let .text(value) = self { value } else { nil } }
    public var int: Int64? { if case let .int(value) = self { value } else { nil } }
    /// A real number, or a whole one.
    public var real: Double? {
        switch self {
        case let .real(value): value
        case let .int(value): Double(value)
        default: nil
        }
    }
}

/// Physical types, by their numbers in the file.
enum ParquetType: Int {
    case bool, int32, int64, int96, float, double, bytes, fixed
}

/// What stands in a file's footer (parquet-format 2.10, parquet.thrift).
struct ParquetFooter {
    /// A column of values, whose dotted name is its path through the schema's groups.
    struct Leaf {
        var name: String
        var type: ParquetType
        var isText: Bool
        /// Of the column and the groups around it, how many may be absent.
        var maximumDefinition = 0
        var isRepeated = false
    }

    struct Chunk {
        var type = -1
        var codec = 0
        var values = 0
        var dataOffset = 0
        var dictionaryOffset: Int?
        var compressed = 0
        var isElsewhere = false
    }

    struct Group {
        var chunks: [Chunk] = []
        var rows = 0
    }

    private struct Element {
        var type: Int?
        var repetition = 0
        var name = ""
        var children = 0
        var converted: Int?
        var isString = false
    }

    static let longest = 256 << 20
    static let mostColumns = 10_000
    static let mostRowsInGroup = 1 << 24

    var leaves: [Leaf] = []
    var groups: [Group] = []
    var rows = 0

    init(_ bytes: UnsafeRawBufferPointer, range: Range<Int>, file: String) throws(CheckpointError) {
        var reader = ThriftReader(bytes, range: range, file: file, field: "footer")
        var elements: [Element] = [], groups: [Group] = [], rows = 0
        try reader.structure { (reader, number, kind) throws(CheckpointError) in
            switch (number, kind) {
            case (2, .list): try reader.list { (reader, _) throws(CheckpointError) in elements.append(try Self.element(&reader)) }
            case (3, .int64): rows = try reader.integer()
            case (4, .list): try reader.list { (reader, _) throws(CheckpointError) in groups.append(try Self.group(&reader)) }
            default: return false
            }
            return true
        }
        (self.groups, self.rows) = (groups, rows)
        var place = 1
        guard let root = elements.first else { throw reader.reader.fail("there is no schema") }
        for _ in 0..<root.children { try add(elements, &place, prefix: "", definition: 0, repeated: false, depth: 0, reader.reader) }
        try check(reader.reader)
    }

    private mutating func add(
        _ elements: [Element], _ place: inout Int, prefix: String, definition: Int, repeated: Bool, depth: Int, _ reader: ByteReader
    ) throws(CheckpointError) {
        guard place < elements.count, depth < 32 else { throw reader.fail("the schema names more columns than it has") }
        let element = elements[place]
        place += 1
        let definition = definition + (element.repetition == 0 ? 0 : 1), repeated = repeated || element.repetition == 2
        let name = prefix + element.name
        guard let number = element.type else {
            for _ in 0..<element.children {
                try add(
                    elements, &place, prefix: name + ".", definition: definition, repeated: repeated, depth: depth + 1, reader)
            }
            return
        }
        guard let type = ParquetType(rawValue: number) else { throw reader.fail("column \(name) has the unknown type \(number)") }
        leaves.append(
            Leaf(
                name: name, type: type, isText: element.isString || element.converted == 0 || element.converted == 19,
                maximumDefinition: definition, isRepeated: repeated))
    }

    private func check(_ reader: ByteReader) throws(CheckpointError) {
        guard leaves.count <= Self.mostColumns else { throw reader.fail("\(leaves.count) columns; at most \(Self.mostColumns) are read") }
        var total = 0
        for (number, group) in groups.enumerated() {
            guard group.chunks.count == leaves.count else {
                throw reader.fail("row group \(number) has \(group.chunks.count) columns, the schema \(leaves.count)")
            }
            guard (0...Self.mostRowsInGroup).contains(group.rows) else {
                throw reader.fail("row group \(number) has \(group.rows) rows; 0 to \(Self.mostRowsInGroup) are read")
            }
            for (leaf, chunk) in zip(leaves, group.chunks) where chunk.type != leaf.type.rawValue {
                throw reader.fail("column \(leaf.name) of row group \(number) has another type than in the schema")
            }
            total += group.rows
        }
        guard total == rows else { throw reader.fail("the row groups have \(total) rows, the file \(rows)") }
    }

    private static func element(_ reader: inout ThriftReader) throws(CheckpointError) -> Element {
        var element = Element()
        try reader.structure { (reader, number, kind) throws(CheckpointError) in
            switch (number, kind) {
            case (1, .int32): element.type = try reader.integer()
            case (3, .int32): element.repetition = try reader.integer()
            case (4, .binary): element.name = try reader.text()
            case (5, .int32): element.children = try reader.integer()
            case (6, .int32): element.converted = try reader.integer()
            case (10, .structure):
                // A union, whose first member is the string.
                try reader.structure { (_, number, _) throws(CheckpointError) in
                    element.isString = element.isString || number == 1
                    return false
                }
            default: return false
            }
            return true
        }
        guard element.children >= 0, element.children <= mostColumns else {
            throw reader.reader.fail("group \(element.name) has \(element.children) members")
        }
        return element
    }

    private static func group(_ reader: inout ThriftReader) throws(CheckpointError) -> Group {
        var group = Group()
        try reader.structure { (reader, number, kind) throws(CheckpointError) in
            switch (number, kind) {
            case (1, .list): try reader.list { (reader, _) throws(CheckpointError) in group.chunks.append(try chunk(&reader)) }
            case (3, .int64): group.rows = try reader.integer()
            default: return false
            }
            return true
        }
        return group
    }

    private static func chunk(_ reader: inout ThriftReader) throws(CheckpointError) -> Chunk {
        var chunk = Chunk()
        try reader.structure { (reader, number, kind) throws(CheckpointError) in
            guard number == 3, kind == .structure else {
                chunk.isElsewhere = chunk.isElsewhere || number == 1
                return false
            }
            try reader.structure { (reader, number, kind) throws(CheckpointError) in
                switch (number, kind) {
                case (1, .int32): chunk.type = try reader.integer()
                case (4, .int32): chunk.codec = try reader.integer()
                case (5, .int64): chunk.values = try reader.integer()
                case (7, .int64): chunk.compressed = try reader.integer()
                case (9, .int64): chunk.dataOffset = try reader.integer()
                // Some writers put 0 where there is no dictionary.
                case (11, .int64):
                    let offset = try reader.integer()
                    chunk.dictionaryOffset = offset > 0 ? offset : nil
                default: return false
                }
                return true
            }
            return true
        }
        return chunk
    }
}
