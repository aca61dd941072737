import Imaging

/// Samples of csv, tsv or jsonl tables. Rows of the same picture, in one table or several, are one sample: a table for each language
/// is as good as one with several captions in a row.
public struct TableSource: IndexedSource {
    public struct Table: Sendable, Equatable {
        public var path: String
        /// Of texts without a tag of their own. `captions.zh.jsonl` is Chinese without saying so here.
        public var language: String?

        public init(_ path: String, language: String? = nil) {
            self.path = path
            self.language = language
        }
    }

    private struct OpenTable: Sendable {
        var file: InputFile
        var parser: RowParser
        var language: String?
    }

    public let path: String
    public private(set) var classNames: [String] = []
    public private(set) var problems = DataProblems()
    public private(set) var fingerprint = ""
    private var tables: [OpenTable] = []
    /// Rows of the sample `i` are those from `starts[i]` to `starts[i + 1]`.
    private var starts: [Int] = [0]
    private var rows: [(table: Int32, place: RecordPlace)] = []
    private let root: String
    private let limits: DataLimits
    private var labels: [String: Int] = [:]

    /// Reads the tables once to find their rows; texts stay in the files.
    /// - Parameters:
    ///   - columns: where names aren't the usual ones.
    ///   - root: the folder that relative paths begin in; nil is the folder of the first table.
    /// Throws when a table can't be read, lacks a column, or none of the rows is whole. Rows that aren't are in `problems`.
    public init(
        _ files: [Table], columns: TableColumns = TableColumns(), root: String? = nil, limits: DataLimits = DataLimits()
    ) throws(DataError) {
        guard let first = files.first else { throw DataError("no table", "at least one csv, tsv or jsonl file is needed") }
        path = first.path
        self.limits = limits
        self.root = root ?? FileName.folder(of: first.path)
        var grouping = Grouping()
        for file in files { try add(file, columns, &grouping) }
        if grouping.order.isEmpty {
            throw problems.first.first ?? DataError(path, "no rows in this table")
        }
        finish(grouping)
    }

    public init(
        path: String, columns: TableColumns = TableColumns(), root: String? = nil, limits: DataLimits = DataLimits()
    ) throws(DataError) {
        try self.init([Table(path)], columns: columns, root: root, limits: limits)
    }

    public var count: Int { starts.count - 1 }

    public func sample(_ index: Int) throws(DataError) -> Sample {
        var captions = CaptionList(limits)
        var sample: Sample?
        for (table, place) in rows[starts[index]..<starts[index + 1]] {
            let table = tables[Int(table)]
            let bytes = try table.file.bytes(at: place.offset, count: place.count)
            let row = try table.parser.row(bytes[...], line: place.line)
            for (text, language) in row.captions {
                try captions.add(text, language: language ?? table.language) { DataError(table.file.path, line: place.line, $0) }
            }
            if sample == nil {
                sample = Sample(id: row.id ?? row.picture, picture: .file(FileName.resolve(row.picture, in: root)))
            }
            if let label = row.label { sample?.label = labels[label] }
        }
        guard var sample else { throw DataError(path, "sample \(index) has no row") }
        sample.captions = captions.captions
        return sample
    }

    // MARK: - Opening

    /// Rows by picture, in the order in which pictures are first seen.
    private struct Grouping {
        var order: [[Int]] = []
        var byPicture: [String: Int] = [:]
        var rows: [(table: Int32, place: RecordPlace)] = []
        var labels: Set<String> = []
        var digest = Fingerprint()

        mutating func add(_ row: TableRow, _ table: Int, _ place: RecordPlace) {
            let next = order.count
            let sample = byPicture[row.picture, default: next]
            if sample == next {
                byPicture[row.picture] = next
                order.append([])
            }
            order[sample].append(rows.count)
            rows.append((Int32(table), place))
            if let label = row.label { labels.insert(label) }
            digest.add(row.picture)
        }
    }

    private mutating func add(_ table: Table, _ columns: TableColumns, _ grouping: inout Grouping) throws(DataError) {
        let name = Array(table.path.utf8)
        let (stem, suffix) = FileName.split(name)
        guard let format = TableFormat(suffix: suffix) else {
            throw DataError(table.path, "not a csv, tsv or jsonl file by its name")
        }
        let file = try InputFile(table.path)
        var parser = RowParser(file: table.path, format: format, columns: columns, limits: limits)
        let language = table.language ?? languageSuffix(FileName.split(stem).suffix)
        var scanner = RecordScanner(file, limit: limits.lineBytes, delimiter: format.spanningDelimiter)
        while let record = try scanner.next() {
            switch record {
            case let .problem(problem): problems.add(problem)
            case let .record(place, bytes):
                if bytes.allSatisfy({ $0 == 0x20 || $0 == 0x09 }) { continue }
                if parser.needsHeader {
                    try parser.header(bytes, line: place.line)
                    continue
                }
                do throws(DataError) {
                    let row = try parser.row(bytes, line: place.line)
                    grouping.add(row, tables.count, place)
                    for caption in row.captions { grouping.digest.add(caption.text) }
                } catch {
                    problems.add(error)
                }
            }
        }
        tables.append(OpenTable(file: file, parser: parser, language: language))
    }

    private mutating func finish(_ grouping: Grouping) {
        rows.reserveCapacity(grouping.rows.count)
        for places in grouping.order {
            rows.append(contentsOf: places.map { grouping.rows[$0] })
            starts.append(rows.count)
        }
        let names = grouping.labels.sorted { $0.utf8.lexicographicallyPrecedes($1.utf8) }
        // Numbers are labels themselves; anything else names a class.
        if names.allSatisfy({ Int($0).map { (0..<1 << 24).contains($0) } ?? false }) {
            labels = Dictionary(uniqueKeysWithValues: names.map { ($0, Int($0) ?? 0) })
        } else {
            classNames = names
            labels = Dictionary(uniqueKeysWithValues: names.enumerated().map { ($1, $0) })
        }
        fingerprint = "table-\(grouping.digest.text)"
    }
}
