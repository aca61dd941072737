/// Writes a Parquet file of plain, uncompressed columns whose values may be absent; readable by pyarrow, pandas, DuckDB and all others. The
/// file appears under its name when it is whole.
public final class ParquetWriter {
    public enum Kind: Sendable {
        case text, int, real
    }

    public struct Column: Sendable {
        public var name: String
        public var kind: Kind

        public init(_ name: String, _ kind: Kind) { (self.name, self.kind) = (name, kind) }

        fileprivate var type: ParquetType {
            switch kind {
            case .text: .bytes
            case .int: .int64
            case .real: .double
            }
        }
    }

    private struct Chunk {
        var offset: Int
        var bytes: Int
    }

    private let file: AtomicFile
    private let columns: [Column]
    private var groups: [(rows: Int, chunks: [Chunk])] = []

    public init(path: String, columns: [Column]) throws(CheckpointError) {
        self.columns = columns
        file = try AtomicFile(path: path)
        try file.write(Array("PAR1".utf8))
    }

    /// Adds rows as a row group: for each column as many values as the others have, each of the column's kind or `.null`.
    public func append(_ values: [[ParquetValue]]) throws(CheckpointError) {
        let rows = values.first?.count ?? 0
        guard values.count == columns.count, values.allSatisfy({ $0.count == rows }) else {
            throw wrong("rows", "\(values.count) columns of \(values.map(\.count)) values for \(columns.count) columns")
        }
        guard rows > 0 else { return }
        var chunks: [Chunk] = []
        for (column, values) in zip(columns, values) {
            let page = try page(column, values)
            chunks.append(Chunk(offset: file.byteCount, bytes: page.count))
            try file.write(page)
        }
        groups.append((rows, chunks))
    }

    /// Writes the footer and gives the file its name.
    public func finish() throws(CheckpointError) {
        let footer = footer()
        try file.write(footer)
        let count = UInt32(footer.count)
        try file.write((0..<4).map { UInt8(truncatingIfNeeded: count >> (8 * $0)) } + Array("PAR1".utf8))
        try file.commit()
    }

    private func wrong(_ field: String, _ problem: String) -> CheckpointError {
        .malformed(file: file.path, field: field, offset: nil, problem: problem)
    }

    /// A page with its header: which values are there, then those values.
    private func page(_ column: Column, _ values: [ParquetValue]) throws(CheckpointError) -> [UInt8] {
        let levels = Self.levels(values)
        var body = Self.little(UInt32(levels.count)) + levels
        for value in values {
            switch (column.kind, value) {
            case (_, .null): break
            case (.text, .text(let text)):
                body += Self.little(UInt32(text.utf8.count))
                body += Array(text.utf8)
            case (.int, .int(let number)): body += Self.little(UInt64(bitPattern: number))
            case (.real, .real(let number)): body += Self.little(number.bitPattern)
            default: throw wrong("column \(column.name)", "\(value) in a column of \(column.kind)")
            }
            guard body.count < Int(Int32.max) else { throw wrong("column \(column.name)", "more than 2 GiB in a row group") }
        }
        var header = ThriftWriter()
        header.element { header in
            header.add(1, 0)
            header.add(2, body.count)
            header.add(3, body.count)
            header.add(5) { page in
                page.add(1, values.count)
                page.add(2, 0)
                page.add(3, 3)
                page.add(4, 3)
            }
        }
        return header.bytes + body
    }

    /// A bit for each value, in one packed run; each bit says whether the value is there.
    private static func levels(_ values: [ParquetValue]) -> [UInt8] {
        var bits = [UInt8](repeating: 0, count: (values.count + 7) / 8)
        for (place, value) in values.enumerated() where value != .null { bits[place / 8] |= 1 << UInt8(place % 8) }
        var head: [UInt8] = [], rest = bits.count << 1 | 1
        while rest >= 0x80 {
            head.append(UInt8(rest & 0x7F) | 0x80)
            rest >>= 7
        }
        return head + [UInt8(rest)] + bits
    }

    private static func little(_ word: some FixedWidthInteger) -> [UInt8] { withUnsafeBytes(of: word.littleEndian) { Array($0) } }

    private func footer() -> [UInt8] {
        var writer = ThriftWriter()
        writer.element { footer in
            footer.add(1, 1)
            footer.add(2, [nil] + columns.map { Optional($0) }, .structure) { list, column in
                list.element { self.schema(&$0, column) }
            }
            footer.add(3, groups.reduce(0) { $0 + $1.rows }, .int64)
            footer.add(4, groups, .structure) { list, group in
                list.element { self.add(&$0, group) }
            }
            footer.add(6, "sensorium")
        }
        return writer.bytes
    }

    /// The root, or a column.
    private func schema(_ element: inout ThriftWriter, _ column: Column?) {
        guard let column else {
            element.add(4, "schema")
            return element.add(5, columns.count)
        }
        element.add(1, column.type.rawValue)
        // Optional.
        element.add(3, 1)
        element.add(4, column.name)
        guard column.kind == .text else { return }
        // UTF-8, by the old name and by the new.
        element.add(6, 0)
        element.add(10) { $0.add(1) { _ in } }
    }

    private func add(_ writer: inout ThriftWriter, _ group: (rows: Int, chunks: [Chunk])) {
        writer.add(1, Array(zip(columns, group.chunks)), .structure) { list, item in
            let (column, chunk) = item
            list.element { part in
                part.add(2, chunk.offset, .int64)
                part.add(3) { data in
                    data.add(1, column.type.rawValue)
                    // PLAIN, and RLE for which values are there.
                    data.add(2, [0, 3], .int32) { $0.element($1) }
                    data.add(3, [column.name], .binary) { $0.element($1) }
                    data.add(4, 0)
                    data.add(5, group.rows, .int64)
                    data.add(6, chunk.bytes, .int64)
                    data.add(7, chunk.bytes, .int64)
                    data.add(9, chunk.offset, .int64)
                }
            }
        }
        writer.add(2, group.chunks.reduce(0) { $0 + $1.bytes }, .int64)
        writer.add(3, group.rows, .int64)
    }
}
