import Checkpoints

/// What one record of a table says.
struct TableRow {
    var picture: String
    var captions: [(text: String, language: String?)] = []
    var label: String?
    var id: String?
}

/// How a table is written.
enum TableFormat: Sendable {
    /// Fields between `delimiter`.
    case delimited(UInt8)
    /// A JSON object on each line.
    case lines

    init?(suffix: String) {
        switch suffix {
        case "csv": self = .delimited(UInt8(ascii: ","))
        case "tsv": self = .delimited(UInt8(ascii: "\t"))
        case "jsonl", "ndjson": self = .lines
        default: return nil
        }
    }

    /// Only csv has line ends inside quotes: in a tsv a quote at the beginning of a text is more likely just that.
    var spanningDelimiter: UInt8? {
        if case .delimited(UInt8(ascii: ",")) = self { UInt8(ascii: ",") } else { nil }
    }
}

/// Records of one table to rows.
struct RowParser: Sendable {
    let file: String
    let columns: TableColumns
    let limits: DataLimits
    /// The header's names; empty for lines of JSON.
    private(set) var names: [String] = []
    private var roles: ColumnRoles?
    private let delimiter: UInt8?

    static let mostColumns = 4_096

    init(file: String, format: TableFormat, columns: TableColumns, limits: DataLimits) {
        self.file = file
        self.columns = columns
        self.limits = limits
        if case .delimited(let delimiter) = format { self.delimiter = delimiter } else { delimiter = nil }
    }

    /// The header is still to come.
    var needsHeader: Bool { delimiter != nil && roles == nil }

    mutating func header(_ bytes: ArraySlice<UInt8>, line: Int) throws(DataError) {
        names = try fields(bytes, line: line)
        do throws(ColumnRoles.Problem) {
            roles = try ColumnRoles(columns, among: names)
        } catch {
            throw DataError(file, line: line, field: "header", error.text)
        }
    }

    func row(_ bytes: ArraySlice<UInt8>, line: Int) throws(DataError) -> TableRow {
        if let roles { return try row(fields(bytes, line: line), roles, line) }
        return try object(bytes, line: line)
    }

    private func row(_ fields: [String], _ roles: ColumnRoles, _ line: Int) throws(DataError) -> TableRow {
        guard fields.count == names.count else {
            throw DataError(file, line: line, "\(fields.count) fields, where the header has \(names.count)")
        }
        let language = try roles.language.flatMap { (index) throws(DataError) in try self.language(fields[index], names[index], line) }
        var row = TableRow(picture: fields[roles.picture])
        row.captions = roles.captions.map { (fields[$0.index], language ?? $0.language) }
        row.label = roles.label.map { fields[$0] }
        row.id = roles.id.map { fields[$0] }
        return try checked(row, names[roles.picture], line)
    }

    private func checked(_ row: TableRow, _ field: String, _ line: Int) throws(DataError) -> TableRow {
        guard !row.picture.isEmpty else { throw DataError(file, line: line, field: field, "empty: a picture's path is expected") }
        guard row.picture.utf8.count <= 4_096, !row.picture.utf8.contains(0) else {
            throw DataError(file, line: line, field: field, "not a path: \"\(row.picture.prefix(60))...\"")
        }
        return row
    }

    private func language(_ text: String, _ field: String, _ line: Int) throws(DataError) -> String? {
        if text.trimmingSpace.isEmpty { return nil }
        guard let tag = languageTag(text) else {
            throw DataError(file, line: line, field: field, "\"\(text.prefix(40))\" is no language tag such as en or zh")
        }
        return tag
    }

    // MARK: - Delimited

    /// Fields of a record; a quoted one keeps delimiters and line ends, and doubles its quotes.
    private func fields(_ bytes: ArraySlice<UInt8>, line: Int) throws(DataError) -> [String] {
        let delimiter = delimiter ?? 0
        var fields: [String] = []
        var at = bytes.startIndex
        while true {
            guard fields.count < Self.mostColumns else { throw DataError(file, line: line, "more than \(Self.mostColumns) fields") }
            var field: [UInt8] = []
            if at < bytes.endIndex, bytes[at] == UInt8(ascii: "\""), let end = closing(bytes, from: at, delimiter) {
                field = unquoted(bytes[(at + 1)..<end])
                at = end + 1
            } else {
                let end = bytes[at...].firstIndex(of: delimiter) ?? bytes.endIndex
                field = Array(bytes[at..<end])
                at = end
            }
            guard let text = String(validating: field, as: UTF8.self) else {
                throw DataError(file, line: line, field: names.count > fields.count ? names[fields.count] : nil, "not text in UTF-8")
            }
            fields.append(text)
            guard at < bytes.endIndex else { return fields }
            at += 1
        }
    }

    /// The quote that ends a field: followed by a delimiter or the end. nil where there is none, and the quote is part of the text.
    private func closing(_ bytes: ArraySlice<UInt8>, from start: Int, _ delimiter: UInt8) -> Int? {
        var at = start + 1
        while at < bytes.endIndex {
            if bytes[at] == UInt8(ascii: "\"") {
                if at + 1 == bytes.endIndex || bytes[at + 1] == delimiter { return at }
                guard bytes[at + 1] == UInt8(ascii: "\"") else { return nil }
                at += 1
            }
            at += 1
        }
        return nil
    }

    private func unquoted(_ bytes: ArraySlice<UInt8>) -> [UInt8] {
        var result: [UInt8] = []
        result.reserveCapacity(bytes.count)
        var skip = false
        for byte in bytes {
            if skip {
                skip = false
                continue
            }
            result.append(byte)
            skip = byte == UInt8(ascii: "\"")
        }
        return result
    }

    // MARK: - Lines of JSON

    private func object(_ bytes: ArraySlice<UInt8>, line: Int) throws(DataError) -> TableRow {
        let value = try JSONRecord.parse(bytes, file: file, line: line)
        guard let members = value.object else {
            throw DataError(file, line: line, "an object {...} is expected, found \(value.summary)")
        }
        let names = members.keys.sorted { $0.utf8.lexicographicallyPrecedes($1.utf8) }
        let roles: ColumnRoles
        do throws(ColumnRoles.Problem) {
            roles = try ColumnRoles(columns, among: names)
        } catch {
            throw DataError(file, line: line, error.text)
        }
        guard let picture = members[names[roles.picture]]?.string else {
            throw DataError(file, line: line, field: names[roles.picture], "the path of a picture is expected")
        }
        var row = TableRow(picture: picture)
        var language: String?
        if let index = roles.language, let text = members[names[index]]?.string { language = try self.language(text, names[index], line) }
        for (index, ending) in roles.captions {
            let field = names[index]
            row.captions += try JSONRecord.captions(members[field] ?? .null, language: language ?? ending) {
                DataError(file, line: line, field: field, $0)
            }
        }
        row.label = roles.label.flatMap { JSONRecord.plain(members[names[$0]]) }
        row.id = roles.id.flatMap { JSONRecord.plain(members[names[$0]]) }
        return try checked(row, names[roles.picture], line)
    }
}

/// JSON of one record, with errors that name the line.
enum JSONRecord {
    static func parse(_ bytes: ArraySlice<UInt8>, file: String, line: Int?) throws(DataError) -> JSONValue {
        guard String(validating: bytes, as: UTF8.self) != nil else { throw DataError(file, line: line, "not text in UTF-8") }
        do throws(CheckpointError) {
            let parsed = bytes.withUnsafeBytes { raw in
                Result { () throws(CheckpointError) in try JSONValue.parse(raw, file: file, maximumDepth: 16) }
            }
            return try parsed.get()
        } catch {
            if case let .malformed(_, _, offset, problem) = error {
                throw DataError(file, line: line, "not JSON: \(problem)" + (offset.map { " (byte \($0 + 1) of the line)" } ?? ""))
            }
            throw DataError(file, line: line, "\(error)")
        }
    }

    /// A string, a whole number or a truth as text.
    static func plain(_ value: JSONValue?) -> String? {
        switch value {
        case let .string(text): text
        case let .int(number): String(number)
        case let .bool(truth): truth ? "1" : "0"
        default: nil
        }
    }

    /// A text, a list of texts or of `{"text": ..., "lang": ...}`, or texts by language (`{"en": ..., "zh": [...]}`).
    static func captions(
        _ value: JSONValue, language: String?, depth: Int = 0, _ place: (String) -> DataError
    ) throws(DataError) -> [(text: String, language: String?)] {
        switch value {
        case .null: return []
        case let .string(text): return [(text, language)]
        case let .array(values) where depth < 3:
            var all: [(text: String, language: String?)] = []
            for value in values { all += try captions(value, language: language, depth: depth + 1, place) }
            return all
        case let .object(members) where depth < 3:
            if let text = TableColumns.captionNames.lazy.compactMap({ members[$0] }).first {
                let tag = TableColumns.languageNames.lazy.compactMap { members[$0]?.string }.first
                return try captions(text, language: tag.flatMap(languageTag) ?? language, depth: depth + 1, place)
            }
            var all: [(text: String, language: String?)] = []
            for (key, value) in members.sorted(by: { $0.key < $1.key }) {
                guard let tag = languageTag(key) else { throw place("\"\(key.prefix(40))\" is neither a text nor a language tag") }
                all += try captions(value, language: tag, depth: depth + 1, place)
            }
            return all
        default: throw place("a text or a list of texts is expected, found \(value.summary)")
        }
    }
}
