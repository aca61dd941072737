import CZstd
import Tensors

/// Reads columns of a Parquet file, a row group at a time: PLAIN and dictionary encodings, uncompressed or packed with Snappy, gzip or
/// zstd, which is what pyarrow, pandas, DuckDB and Polars write. Members of groups have dotted names (`image.bytes`); lists aren't read.
public final class ParquetReader: Sendable {
    /// Unpacked bytes of one page, and of all pages of a column in a row group.
    static let largestPage = 1 << 29
    static let largestChunk = 1 << 32

    public let path: String
    public let rowCount: Int
    /// Names of the columns, in their order.
    public let columns: [String]
    public var groupCount: Int { footer.groups.count }
    let footer: ParquetFooter
    private let storage: Storage

    public init(path: String) throws(CheckpointError) {
        self.path = path
        storage = try Storage.checkpoint(path)
        let bytes = storage.bytes, magic = Array("PAR1".utf8)
        func wrong(_ field: String, _ offset: Int, _ problem: String) -> CheckpointError {
            .malformed(file: path, field: field, offset: offset, problem: problem)
        }
        guard bytes.count >= 12, bytes[..<4].elementsEqual(magic) else { throw wrong("magic", 0, "a Parquet file begins with PAR1") }
        guard bytes[(bytes.count - 4)...].elementsEqual(magic) else {
            throw wrong("magic", bytes.count - 4, "a Parquet file ends with PAR1; this one is cut off or encrypted")
        }
        let length = Int(UInt32(littleEndian: bytes.loadUnaligned(fromByteOffset: bytes.count - 8, as: UInt32.self)))
        guard length <= bytes.count - 12, length <= ParquetFooter.longest else {
            throw wrong("footer length", bytes.count - 8, "\(length) bytes in a file of \(bytes.count)")
        }
        footer = try ParquetFooter(bytes, range: bytes.count - 8 - length..<bytes.count - 8, file: path)
        (rowCount, columns) = (footer.rows, footer.leaves.map(\.name))
    }

    public func rows(inGroup group: Int) -> Int { footer.groups[group].rows }

    /// Values of a column in one row group, a value for each row.
    /// - Throws: `.absent` for a name that no column has, `.unsupported` for lists, unusual types, encodings and compressions.
    public func values(_ column: String, group: Int) throws(CheckpointError) -> [ParquetValue] {
        var cursor = try cursor(column, group: group)
        return try cursor.rest()
    }

    /// The same values a page at a time, for columns that hold whole pictures.
    public func cursor(_ column: String, group: Int) throws(CheckpointError) -> ParquetCursor {
        guard let place = columns.firstIndex(of: column) else {
            throw .absent(file: path, key: "column \(column)", near: columns.prefix(20).map { $0 })
        }
        let leaf = footer.leaves[place], chunk = footer.groups[group].chunks[place], rows = footer.groups[group].rows
        guard !leaf.isRepeated else { throw unsupported(column, "a list", "write one value for each row") }
        guard !chunk.isElsewhere else { throw unsupported(column, "a column in another file", "write one file") }
        guard chunk.values == rows else {
            throw malformed(column, chunk.dataOffset, "\(chunk.values) values in a group of \(rows) rows")
        }
        let start = min(chunk.dictionaryOffset ?? chunk.dataOffset, chunk.dataOffset)
        guard start >= 4, chunk.compressed >= 0, start <= storage.byteCount, chunk.compressed <= storage.byteCount - start else {
            throw malformed(column, start, "its pages lie outside of the file")
        }
        let pages = ParquetPages(
            file: self, column: column, leaf: leaf, codec: chunk.codec, bytes: storage.bytes, place: start..<start + chunk.compressed)
        return ParquetCursor(pages: pages, rows: rows)
    }

    func malformed(_ column: String, _ offset: Int?, _ problem: String) -> CheckpointError {
        .malformed(file: path, field: "column \(column)", offset: offset, problem: problem)
    }

    func unsupported(_ column: String, _ found: String, _ advice: String) -> CheckpointError {
        .unsupported(file: path, key: "column \(column)", found: found, advice: advice)
    }
}

/// The values of one column in one row group, one after the other; one page is held at a time.
public struct ParquetCursor {
    // It keeps the file, and that its mapping.
    private var pages: ParquetPages
    private var left: Int
    private var page: [ParquetValue] = []
    private var at = 0

    init(pages: ParquetPages, rows: Int) { (self.pages, left) = (pages, rows) }

    /// The next row's value; nil after the last row.
    public mutating func next() throws(CheckpointError) -> ParquetValue? {
        while at == page.count {
            guard left > 0 else { return nil }
            page.removeAll(keepingCapacity: true)
            at = 0
            try pages.next(into: &page, most: left)
            left -= page.count
        }
        at += 1
        return page[at - 1]
    }

    fileprivate mutating func rest() throws(CheckpointError) -> [ParquetValue] {
        var values: [ParquetValue] = []
        while left > 0 {
            let before = values.count
            try pages.next(into: &values, most: left)
            left -= values.count - before
        }
        return values
    }
}

/// The pages of one column in one row group, one after the other.
struct ParquetPages {
    private struct Header {
        var kind = -1
        var unpacked = 0
        var packed = 0
        var values = 0
        var encoding = 0
        /// Of the second kind of data pages: bytes of levels before the values, and whether the values are packed.
        var levelBytes = 0
        var repetitionBytes = 0
        var isPacked = true
    }

    let file: ParquetReader
    let column: String
    let leaf: ParquetFooter.Leaf
    let codec: Int
    let bytes: UnsafeRawBufferPointer
    let place: Range<Int>
    private var at: Int
    private var dictionary: [ParquetValue]?
    private var unpackedSoFar = 0

    init(
        file: ParquetReader, column: String, leaf: ParquetFooter.Leaf, codec: Int, bytes: UnsafeRawBufferPointer, place: Range<Int>
    ) {
        (self.file, self.column, self.leaf, self.codec, self.bytes, self.place) = (file, column, leaf, codec, bytes, place)
        at = place.lowerBound
    }

    /// Appends the values of the next data page; reads the dictionary before it.
    mutating func next(into values: inout [ParquetValue], most: Int) throws(CheckpointError) {
        let header = try header()
        guard header.packed >= 0, header.packed <= place.upperBound - at else {
            throw file.malformed(column, at, "a page of \(header.packed) bytes in \(place.upperBound - at)")
        }
        guard (0...ParquetReader.largestPage).contains(header.unpacked), unpackedSoFar + header.unpacked <= ParquetReader.largestChunk
        else { throw file.malformed(column, at, "a page of \(header.unpacked) unpacked bytes") }
        unpackedSoFar += header.unpacked
        let source = UnsafeRawBufferPointer(rebasing: bytes[at..<at + header.packed])
        defer { at += header.packed }
        switch header.kind {
        case 2: try readDictionary(header, source)
        case 0, 3:
            guard (0...most).contains(header.values) else {
                throw file.malformed(column, at, "a page of \(header.values) values where \(most) are left")
            }
            try read(header, source, into: &values)
        default: break
        }
    }

    private mutating func header() throws(CheckpointError) -> Header {
        var reader = ThriftReader(bytes, range: at..<place.upperBound, file: file.path, field: "column \(column): page header")
        var header = Header()
        try reader.structure { (reader, number, kind) throws(CheckpointError) in
            switch (number, kind) {
            case (1, .int32): header.kind = try reader.integer()
            case (2, .int32): header.unpacked = try reader.integer()
            case (3, .int32): header.packed = try reader.integer()
            case (5, .structure), (7, .structure), (8, .structure): try Self.details(&reader, number, &header)
            default: return false
            }
            return true
        }
        at = reader.reader.at
        return header
    }

    /// Of a data page (5), a dictionary (7) or a data page of the second kind (8).
    private static func details(_ reader: inout ThriftReader, _ part: Int, _ header: inout Header) throws(CheckpointError) {
        try reader.structure { (reader, number, kind) throws(CheckpointError) in
            switch (part, number, kind) {
            case (_, 1, .int32): header.values = try reader.integer()
            case (5, 2, .int32), (7, 2, .int32), (8, 4, .int32): header.encoding = try reader.integer()
            case (8, 5, .int32): header.levelBytes = try reader.integer()
            case (8, 6, .int32): header.repetitionBytes = try reader.integer()
            case (8, 7, .no): header.isPacked = false
            default: return false
            }
            return true
        }
    }

    private func unpack(_ source: UnsafeRawBufferPointer, to count: Int) throws(CheckpointError) -> [UInt8] {
        let damaged = file.malformed(column, at, "its bytes are damaged or cut off")
        switch codec {
        case 0:
            guard source.count == count else { throw damaged }
            return Array(source)
        case 1:
            guard let bytes = Snappy.unpack(source, count: count) else { throw damaged }
            return bytes
        case 2:
            var bytes: [UInt8] = []
            try Inflation.unpack(source, .gzip, damaged: { file.malformed(column, at, $0) }) { (piece) throws(CheckpointError) in
                guard bytes.count + piece.count <= count else { throw damaged }
                bytes += piece
            }
            guard bytes.count == count else { throw damaged }
            return bytes
        case 6:
            // A page is one frame; what its head says of its size isn't believed.
            var got = 0
            let bytes = [UInt8](unsafeUninitializedCapacity: count) { out, filled in
                got = ZSTD_decompress(out.baseAddress, count, source.baseAddress, source.count)
                filled = got == count ? count : 0
            }
            guard got == count else { throw damaged }
            return bytes
        default:
            let names = [3: "LZO", 4: "Brotli", 5: "LZ4", 7: "LZ4_RAW"]
            throw file.unsupported(column, "compression \(names[codec] ?? "\(codec)")", "write it with snappy, gzip, zstd or none")
        }
    }

    private mutating func readDictionary(_ header: Header, _ source: UnsafeRawBufferPointer) throws(CheckpointError) {
        guard dictionary == nil else { throw file.malformed(column, at, "a second dictionary") }
        guard header.encoding == 0 || header.encoding == 2 else { throw unknown(header.encoding) }
        let unpacked = try unpack(source, to: header.unpacked)
        var decoder = ParquetDecoder(unpacked, file: file, column: column, leaf: leaf)
        // No value of a dictionary takes less than a bit.
        guard header.values >= 0, header.values <= 8 * max(1, unpacked.count) else {
            throw file.malformed(column, at, "a dictionary of \(header.values) values in \(unpacked.count) bytes")
        }
        var values: [ParquetValue] = []
        values.reserveCapacity(header.values)
        try decoder.plain(header.values) { values.append($0) }
        dictionary = values
    }

    private func read(_ header: Header, _ source: UnsafeRawBufferPointer, into values: inout [ParquetValue]) throws(CheckpointError) {
        var defined: [UInt32] = [], rest: [UInt8]
        if header.kind == 3 {
            let levels = header.levelBytes + header.repetitionBytes
            guard header.levelBytes >= 0, header.repetitionBytes >= 0, levels <= source.count, levels <= header.unpacked else {
                throw file.malformed(column, at, "levels of \(header.levelBytes) bytes in a page of \(source.count)")
            }
            let body = UnsafeRawBufferPointer(rebasing: source[levels...])
            rest = try header.isPacked ? unpack(body, to: header.unpacked - levels) : Array(body)
            if leaf.maximumDefinition > 0 {
                var decoder = ParquetDecoder(
                    Array(source[header.repetitionBytes..<levels]), file: file, column: column, leaf: leaf)
                defined = try decoder.hybrid(header.values, width: ParquetDecoder.width(leaf.maximumDefinition))
            }
        } else {
            rest = try unpack(source, to: header.unpacked)
        }
        var decoder = ParquetDecoder(rest, file: file, column: column, leaf: leaf)
        if header.kind == 0, leaf.maximumDefinition > 0 { defined = try decoder.levels(header.values, leaf.maximumDefinition) }
        let present = defined.isEmpty ? header.values : defined.count { $0 == UInt32(leaf.maximumDefinition) }
        let found = try decode(header.encoding, present, &decoder)
        values.reserveCapacity(values.count + header.values)
        guard !defined.isEmpty else { return values += found }
        var next = 0
        for level in defined {
            let isThere = level == UInt32(leaf.maximumDefinition)
            values.append(isThere ? found[next] : .null)
            if isThere { next += 1 }
        }
    }

    private func decode(_ encoding: Int, _ count: Int, _ decoder: inout ParquetDecoder) throws(CheckpointError) -> [ParquetValue] {
        var values: [ParquetValue] = []
        switch encoding {
        case 0: try decoder.plain(count) { values.append($0) }
        case 2, 8:
            guard let dictionary else { throw file.malformed(column, at, "values of a dictionary that isn't there") }
            guard count > 0 else { return [] }
            let width = Int(try decoder.byte())
            for index in try decoder.hybrid(count, width: width) {
                guard index < dictionary.count else {
                    throw file.malformed(column, at, "value \(index) of a dictionary of \(dictionary.count)")
                }
                values.append(dictionary[Int(index)])
            }
        case 3 where leaf.type == .bool:
            try decoder.skipLength()
            values = try decoder.hybrid(count, width: 1).map { .bool($0 != 0) }
        default: throw unknown(encoding)
        }
        return values
    }

    private func unknown(_ encoding: Int) -> CheckpointError {
        let names = [
            4: "BIT_PACKED", 5: "DELTA_BINARY_PACKED", 6: "DELTA_LENGTH_BYTE_ARRAY", 7: "DELTA_BYTE_ARRAY", 9: "BYTE_STREAM_SPLIT",
        ]
        return file.unsupported(
            column, "encoding \(names[encoding] ?? "\(encoding)")", "write it with plain or dictionary encoding (pyarrow's default)")
    }
}
