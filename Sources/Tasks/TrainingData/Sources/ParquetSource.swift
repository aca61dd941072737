import Checkpoints
import Imaging

/// Rows of Parquet files: the bytes of a picture, as in Hugging Face's data sets (`image.bytes` beside `image.path`) and img2dataset's
/// (`jpg`), or the path of one, with its texts. A row is a sample; each file is a shard, read from its beginning to its end.
public struct ParquetSource: ShardedSource {
    public let path: String
    public let fingerprint: String
    private let shards: [(reader: ParquetReader, roles: ParquetRoles)]
    private let root: String?
    private let language: String?
    private let limits: DataLimits

    /// - Parameters:
    ///   - path: a file, a folder of files, or names with braces (`train-{00000..00004}.parquet`), several joined by `::`.
    ///   - root: the folder that relative paths begin in; nil is the folder of the file.
    ///   - language: of texts without a tag of their own.
    /// Throws when a file can't be read, lacks a column, or no file has a row.
    public init(
        path: String, columns: TableColumns = TableColumns(), root: String? = nil, language: String? = nil,
        limits: DataLimits = DataLimits()
    ) throws(DataError) {
        (self.path, self.root, self.language, self.limits) = (path, root, language, limits)
        var digest = Fingerprint(), rows = 0
        var shards: [(reader: ParquetReader, roles: ParquetRoles)] = []
        for name in try ShardNames.find(path, "no .parquet in this folder", Self.isShard) {
            let file = try InputFile(name)
            digest.add(FileName.split(Array(name.utf8)).stem.split(separator: UInt8(ascii: "/")).last ?? [])
            digest.add(file.byteCount)
            let reader = try reading(name) { () throws(CheckpointError) in try ParquetReader(path: name) }
            do throws(ColumnRoles.Problem) {
                shards.append((reader, try ParquetRoles(columns, of: reader)))
            } catch {
                throw DataError(name, field: "columns", error.text)
            }
            rows += reader.rowCount
        }
        guard rows > 0 else { throw DataError(path, "no rows") }
        self.shards = shards
        fingerprint = "parquet-\(digest.text)"
    }

    static func isShard(_ name: String) -> Bool { name.lowercased().hasSuffix(".parquet") }

    public var shardCount: Int { shards.count }

    public func open(shard: Int) -> any ShardReader {
        let (reader, roles) = shards[shard]
        return ParquetRowReader(reader, roles, root: root ?? FileName.folder(of: reader.path), language: language, limits)
    }
}

/// Which columns of a file hold what.
struct ParquetRoles: Sendable {
    /// Bytes of the picture, or its path.
    var picture: String
    /// Its path, where `picture` may be absent from a row.
    var path: String?
    var captions: [(column: String, language: String?)]
    var language: String?
    var label: String?
    var id: String?

    /// Bytes of pictures in what img2dataset writes.
    private static let pictureNames = ["jpg", "jpeg", "png", "webp"]

    init(_ columns: TableColumns, of reader: ParquetReader) throws(ColumnRoles.Problem) {
        // A column of Hugging Face's kind counts by the name of the group.
        let groups = reader.columns.filter { $0.hasSuffix(".bytes") }.map { String($0.dropLast(6)) }
        let names = reader.columns.filter { name in !groups.contains { name == $0 + ".path" } }
            .map { name in name.hasSuffix(".bytes") ? String(name.dropLast(6)) : name }
        var columns = columns
        if columns.picture == nil { columns.picture = Self.pictureNames.first(where: names.contains) }
        let roles = try ColumnRoles(columns, among: names)
        let name = names[roles.picture]
        picture = groups.contains(name) ? name + ".bytes" : name
        path = groups.contains(name) && reader.columns.contains(name + ".path") ? name + ".path" : nil
        captions = roles.captions.map { (names[$0.index], $0.language) }
        (language, label, id) = (roles.language.map { names[$0] }, roles.label.map { names[$0] }, roles.id.map { names[$0] })
    }

    var columns: [String] { [picture] + [path, language, label, id].compactMap { $0 } + captions.map(\.column) }
}

/// The rows of one file.
private final class ParquetRowReader: ShardReader {
    private let reader: ParquetReader
    private let roles: ParquetRoles
    private let root: String
    private let language: String?
    private let limits: DataLimits
    private var cursors: [String: ParquetCursor] = [:]
    private var group = 0
    private var leftInGroup = 0
    private var row = 0

    init(_ reader: ParquetReader, _ roles: ParquetRoles, root: String, language: String?, _ limits: DataLimits) {
        (self.reader, self.roles, self.root, self.language, self.limits) = (reader, roles, root, language, limits)
    }

    func next() throws(DataError) -> ShardSample? {
        while leftInGroup == 0 {
            guard group < reader.groupCount else { return nil }
            cursors = [:]
            for column in roles.columns where cursors[column] == nil {
                cursors[column] = try reading(reader.path) { () throws(CheckpointError) in try reader.cursor(column, group: group) }
            }
            leftInGroup = reader.rows(inGroup: group)
            group += 1
        }
        leftInGroup -= 1
        row += 1
        var values: [String: ParquetValue] = [:]
        for column in cursors.keys {
            values[column] = try reading(reader.path) { () throws(CheckpointError) in try cursors[column]?.next() } ?? .null
        }
        let found = ParquetRow(
            file: reader.path, number: row, roles: roles, values: values, root: root, language: language, limits: limits)
        return ShardSample(byteCount: found.byteCount) { () throws(DataError) in try found.sample() }
    }
}

/// The values of one row.
private struct ParquetRow: Sendable {
    let file: String
    let number: Int
    let roles: ParquetRoles
    let values: [String: ParquetValue]
    let root: String
    let language: String?
    let limits: DataLimits

    /// Bytes held in memory.
    var byteCount: Int {
        values.values.reduce(0) { total, value in
            switch value {
            case let .bytes(bytes): total + bytes.count
            case let .text(text): total + text.utf8.count
            default: total
            }
        }
    }

    func sample() throws(DataError) -> Sample {
        let (picture, name) = try picture()
        var list = CaptionList(limits)
        let own = try rowLanguage()
        for (column, ending) in roles.captions {
            switch values[column] {
            case let .text(text): try list.add(text, language: own ?? ending ?? language) { problem(column, $0) }
            case .null, nil: continue
            default: throw problem(column, "a text is expected")
            }
        }
        let id = roles.id.flatMap { values[$0] }.flatMap { $0.text ?? $0.int.map(String.init) }
        return Sample(id: id ?? name, picture: picture, captions: list.captions, label: try label())
    }

    /// The picture, and what it is called where the row has no identifier.
    private func picture() throws(DataError) -> (SamplePicture, String) {
        let place = "\(file): row \(number)", path = roles.path.flatMap { values[$0]?.text }
        switch values[roles.picture] {
        case let .bytes(bytes):
            guard bytes.count <= limits.memberBytes else {
                throw problem(roles.picture, "\(bytes.count) bytes are over the limit of \(limits.memberBytes)")
            }
            return (.bytes(bytes, name: place), path ?? String(number))
        case let .text(path): return (.file(try resolved(path, roles.picture)), path)
        default:
            guard let path, let column = roles.path else { throw problem(roles.picture, "a picture's bytes or its path are expected") }
            return (.file(try resolved(path, column)), path)
        }
    }

    private func resolved(_ path: String, _ column: String) throws(DataError) -> FilePath {
        guard !path.isEmpty, path.utf8.count <= 4_096, !path.utf8.contains(0) else {
            throw problem(column, "not a path: \"\(path.prefix(60))\"")
        }
        return FileName.resolve(path, in: root)
    }

    private func rowLanguage() throws(DataError) -> String? {
        guard let column = roles.language, let text = values[column]?.text, !text.trimmingSpace.isEmpty else { return nil }
        guard let tag = languageTag(text) else { throw problem(column, "\"\(text.prefix(40))\" is no language tag such as en or zh") }
        return tag
    }

    private func label() throws(DataError) -> Int? {
        guard let column = roles.label, let value = values[column], value != .null else { return nil }
        guard let number = value.int ?? value.text.flatMap({ Int64($0) }), (0..<1 << 24).contains(number) else {
            throw problem(column, "the number of a class is expected")
        }
        return Int(number)
    }

    private func problem(_ column: String, _ text: String) -> DataError {
        DataError("\(file): row \(number)", field: column, text)
    }
}
