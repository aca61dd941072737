import Foundation
import GRDB
import Imaging

/// What a picture is, whatever files hold it.
struct ContentRecord: Sendable, Equatable {
    struct Color: Sendable, Equatable {
        /// Part of the picture, 0 to 1.
        var share: Double
        var color: Imaging.Color
    }

    /// SHA-256 of the file's bytes.
    var hash: Data
    var width: Int
    var height: Int
    var format: String
    /// `YYYY-MM-DDTHH:MM:SS`, by the camera's clock.
    var taken: String?
    var make: String?
    var model: String?
    var latitude: Double?
    var longitude: Double?
    /// From the file's metadata.
    var words = PictureWords()
    var colors: [Color] = []
}

struct FileRow: Sendable {
    enum State: String, Sendable { case indexed, failed, missing }

    var id: Int64
    var path: FilePath
    var stamp: FileStamp
    var sidecarStamp: Int64
    var contentID: Int64?
    var state: State
    var problem: FileProblem?

    static let columns = "id, path, device, inode, modified, size, sidecar, content_id, state, problem, reason"

    init(_ row: Row) throws {
        id = row["id"]
        path = FilePath(row["path"] as Data)
        stamp = FileStamp(device: row["device"], inode: row["inode"], modified: row["modified"], size: row["size"])
        sidecarStamp = row["sidecar"]
        contentID = row["content_id"]
        state = State(rawValue: row["state"]) ?? .missing
        if let kind = (row["problem"] as String?).flatMap(FileProblem.Kind.init) { problem = FileProblem(kind, row["reason"] ?? "") }
    }
}

extension Database {
    func files(inFolder folder: FilePath) throws -> [FileRow] {
        try Row.fetchAll(self, sql: "SELECT \(FileRow.columns) FROM file WHERE folder = ?", arguments: [folder.data]).map(FileRow.init)
    }

    func file(_ path: FilePath) throws -> FileRow? {
        try Row.fetchOne(self, sql: "SELECT \(FileRow.columns) FROM file WHERE path = ?", arguments: [path.data]).map(FileRow.init)
    }

    func files(ofContent id: Int64) throws -> [FileRow] {
        try Row.fetchAll(self, sql: "SELECT \(FileRow.columns) FROM file WHERE content_id = ? ORDER BY id", arguments: [id]).map(
            FileRow.init)
    }

    /// Files at `path` or beneath it, by path; with `after` and `limit` a page of them.
    func files(at path: FilePath, after: FilePath? = nil, limit: Int = -1) throws -> [FileRow] {
        let range = path.beneath
        return try Row.fetchAll(
            self,
            sql: "SELECT \(FileRow.columns) FROM file WHERE (path = ? OR (path >= ? AND path < ?)) AND path > ? ORDER BY path LIMIT ?",
            arguments: [path.data, range.from, range.to, after?.data ?? Data(), limit]
        ).map(FileRow.init)
    }

    func contentID(hash: Data) throws -> Int64? {
        try Int64.fetchOne(self, sql: "SELECT id FROM content WHERE hash = ?", arguments: [hash])
    }

    func hasVector(content: Int64, identity: Int64) throws -> Bool {
        try Bool.fetchOne(
            self, sql: "SELECT EXISTS (SELECT 1 FROM vector WHERE identity_id = ? AND content_id = ?)", arguments: [identity, content])
            ?? false
    }

    /// A block of content ids that nobody had before, also not a process that was killed.
    func reserveContentIDs(_ count: Int64) throws -> Range<Int64> {
        let first = try Int64.fetchOne(
            self, sql: "UPDATE counter SET next = next + ? WHERE name = 'content' RETURNING next - ?", arguments: [count, count])
        guard let first else { throw DatabaseError(resultCode: .SQLITE_CORRUPT, message: "the content counter is gone") }
        return first..<(first + count)
    }

    /// Adds a content, or refreshes what is known of it.
    func save(_ content: ContentRecord, id: Int64) throws {
        try execute(
            sql: """
                INSERT INTO content (id, hash, width, height, format, taken, make, model, latitude, longitude, title, description, tags)
                VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
                ON CONFLICT (id) DO UPDATE SET width = excluded.width, height = excluded.height, format = excluded.format, taken = excluded.taken,
                    make = excluded.make, model = excluded.model, latitude = excluded.latitude, longitude = excluded.longitude,
                    title = excluded.title, description = excluded.description, tags = excluded.tags
                """,
            arguments: [
                id, content.hash, content.width, content.height, content.format, content.taken, content.make, content.model,
                content.latitude, content.longitude, content.words.title, content.words.description,
                PictureWords.tagColumn(content.words.tags),
            ])
        try execute(sql: "DELETE FROM color WHERE content_id = ?", arguments: [id])
        for color in content.colors {
            let point = OKLab(color.color)
            let rgb = Int(color.color.red) << 16 | Int(color.color.green) << 8 | Int(color.color.blue)
            try execute(
                sql: "INSERT INTO color (content_id, share, l, a, b, rgb) VALUES (?, ?, ?, ?, ?, ?)",
                arguments: [id, color.share, point.lightness, point.a, point.b, rgb])
        }
    }

    func metadataWords(content id: Int64) throws -> PictureWords {
        guard let row = try Row.fetchOne(self, sql: "SELECT title, description, tags FROM content WHERE id = ?", arguments: [id]) else {
            return PictureWords()
        }
        return PictureWords(title: row["title"], description: row["description"], tags: PictureWords.tags(column: row["tags"]))
    }

    /// Marks the file as holding this content; a row of the same path, or `replacing` (a file that moved), becomes it.
    func attach(_ file: FoundFile, to content: Int64, replacing old: Int64? = nil, at time: Double) throws {
        let words = PictureWords.merged(sidecar: file.words, metadata: try metadataWords(content: content))
        try saveFile(file, id: old, content: content, state: .indexed, problem: nil, words: words, at: time)
    }

    /// The row of a file that had these bytes and is no longer there, when `file` is new: it has moved.
    func movedFile(_ file: FoundFile, content: Int64) throws -> Int64? {
        guard try self.file(file.path) == nil else { return nil }
        return try files(ofContent: content).first { $0.state == .missing || !$0.path.existsByName }?.id
    }

    /// Records why the file isn't indexed. What was known of older bytes at this path no longer holds.
    /// What only can't be read now stays indexed, with its problem noted.
    func fail(_ file: FoundFile, _ problem: FileProblem, at time: Double) throws {
        if problem.mayPass, let known = try self.file(file.path), known.state == .indexed {
            return try execute(
                sql: "UPDATE file SET problem = ?, reason = ?, changed_at = ? WHERE id = ?",
                arguments: [problem.kind.rawValue, problem.reason, time, known.id])
        }
        try saveFile(file, id: nil, content: nil, state: .failed, problem: problem, words: PictureWords(), at: time)
    }

    private func saveFile(
        _ file: FoundFile, id old: Int64?, content: Int64?, state: FileRow.State, problem: FileProblem?, words: PictureWords,
        at time: Double
    ) throws {
        let id = try old ?? Int64.fetchOne(self, sql: "SELECT id FROM file WHERE path = ?", arguments: [file.path.data])
        var arguments: StatementArguments = [
            file.path.data, file.path.folder.data, file.path.display, file.path.name.display,
            file.stamp.device, file.stamp.inode, file.stamp.modified, file.stamp.size, file.sidecarStamp,
            content, state.rawValue, problem?.kind.rawValue, problem?.reason, time, words.title, words.description,
            PictureWords.tagColumn(words.tags),
        ]
        let names = [
            "path", "folder", "display", "name", "device", "inode", "modified", "size", "sidecar", "content_id", "state", "problem",
            "reason", "changed_at", "title", "description", "tags",
        ]
        if let id {
            arguments += [id]
            try execute(sql: "UPDATE file SET \(names.map { "\($0) = ?" }.joined(separator: ", ")) WHERE id = ?", arguments: arguments)
        } else {
            let marks = names.map { _ in "?" }.joined(separator: ", ")
            try execute(sql: "INSERT INTO file (\(names.joined(separator: ", "))) VALUES (\(marks))", arguments: arguments)
        }
        try saveWords(id ?? lastInsertedRowID, file.path, state == .indexed ? words : nil)
    }

    /// Words of the full-text index; nil takes them out.
    private func saveWords(_ id: Int64, _ path: FilePath, _ words: PictureWords?) throws {
        try execute(sql: "DELETE FROM words WHERE rowid = ?", arguments: [id])
        guard let words else { return }
        // The nearest folders say what a collection is about; those above are the same for all.
        let folders = path.folder.display.split(separator: "/").suffix(3).joined(separator: " ")
        try execute(
            sql: "INSERT INTO words (rowid, title, description, tags, name, folder) VALUES (?, ?, ?, ?, ?, ?)",
            arguments: [
                id, WordSplitting.indexed(words.title ?? ""), WordSplitting.indexed(words.description ?? ""),
                WordSplitting.indexed(words.tags.joined(separator: "\n")), WordSplitting.indexedName(path.stem.display),
                WordSplitting.indexedName(folders),
            ])
    }

    /// The file is gone. Its content and vector stay: it may turn up elsewhere.
    func markMissing(_ id: Int64, at time: Double) throws {
        try execute(
            sql: "UPDATE file SET state = 'missing', problem = NULL, reason = NULL, changed_at = ? WHERE id = ?", arguments: [time, id])
        try execute(sql: "DELETE FROM words WHERE rowid = ?", arguments: [id])
    }

    func removeFile(_ id: Int64) throws {
        try execute(sql: "DELETE FROM words WHERE rowid = ?", arguments: [id])
        try execute(sql: "DELETE FROM file WHERE id = ?", arguments: [id])
    }

    /// Takes out contents that no file has, of any state; returns their ids, whose vectors are then to be removed.
    func removeUnusedContents() throws -> [Int64] {
        let unused = try Int64.fetchAll(
            self, sql: "SELECT id FROM content WHERE files = 0 AND NOT EXISTS (SELECT 1 FROM file WHERE content_id = content.id)")
        for id in unused { try execute(sql: "DELETE FROM content WHERE id = ?", arguments: [id]) }
        return unused
    }
}
