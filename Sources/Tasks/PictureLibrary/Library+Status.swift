import Foundation
import GRDB
import Imaging
import Pipelines

extension Library {
    public func status() throws(LibraryError) -> LibraryStatus {
        let roots = try roots()
        let path = path
        let store = indexes
        let catalogueBytes = [folder.catalogue, folder.catalogue + "-wal"].reduce(0) { $0 + Self.bytes(inFile: FilePath($1)) }
        return try database.read { database in
            func count(_ sql: String) throws -> Int { try Int.fetchOne(database, sql: sql) ?? 0 }
            let indexes = try database.identities().map { row in
                LibraryStatus.Index(
                    identity: row.identity, isActive: row.isActive, vectors: try database.vectorCount(identity: row.id),
                    pending: try database.pendingCount(identity: row.id), bytes: Self.bytes(inFolder: store.path(row)),
                    address: try store.remote(row)?.address.display)
            }
            return LibraryStatus(
                path: path, roots: roots, files: try count("SELECT COUNT(*) FROM file WHERE state = 'indexed'"),
                pictures: try count("SELECT COUNT(*) FROM content WHERE files > 0"),
                read: try count("SELECT COUNT(*) FROM reading r JOIN content c ON c.id = r.content_id WHERE c.files > 0"),
                failed: try count("SELECT COUNT(*) FROM file WHERE state = 'failed'"),
                missing: try count("SELECT COUNT(*) FROM file WHERE state = 'missing'"),
                problems: try count("SELECT (SELECT COUNT(*) FROM file WHERE problem IS NOT NULL) + (SELECT COUNT(*) FROM folder_problem)"),
                indexes: indexes, lastRun: try database.lastRun(), catalogueBytes: catalogueBytes)
        }
    }

    /// Files and folders that couldn't be indexed, by path.
    public func problems(limit: Int = 100_000) throws(LibraryError) -> [ProblemEntry] {
        try database.read { database in
            try Row.fetchAll(
                database,
                sql: """
                    SELECT path, problem, reason, changed_at AS time, state = 'indexed' AS kept FROM file WHERE problem IS NOT NULL
                    UNION ALL SELECT path, problem, reason, time, 0 FROM folder_problem ORDER BY path LIMIT ?
                    """, arguments: [max(0, limit)]
            ).map { row in
                ProblemEntry(
                    path: FilePath(row["path"] as Data),
                    problem: FileProblem(FileProblem.Kind(rawValue: row["problem"]) ?? .unreadable, row["reason"] ?? ""),
                    time: Date(timeIntervalSince1970: row["time"]), isStillIndexed: row["kept"])
            }
        }
    }

    /// - Throws: `.unknownPicture` for a file that was never seen.
    public func info(_ path: FilePath) throws(LibraryError) -> PictureInfo {
        let path = path.absolute()
        let info = try database.read { try $0.info(path) }
        guard let info else { throw .unknownPicture(path: path.display) }
        return info
    }

    /// - Throws: `.unknownPicture` for an id that no file has.
    public func info(ofPicture id: Int64) throws(LibraryError) -> PictureInfo { try info(picture(id).path) }

    private static func bytes(inFile path: FilePath) -> Int64 { path.status().map { Int64($0.st_size) } ?? 0 }

    private static func bytes(inFolder path: String) -> Int64 {
        let names = (try? FileManager.default.contentsOfDirectory(atPath: path)) ?? []
        return names.reduce(0) { $0 + bytes(inFile: FilePath(path + "/" + $1)) }
    }
}

extension Database {
    fileprivate func lastRun() throws -> LibraryStatus.Run? {
        let sql =
            "SELECT run.*, identity.name AS embedder FROM run LEFT JOIN identity ON identity.id = run.identity_id ORDER BY run.id DESC LIMIT 1"
        return try Row.fetchOne(self, sql: sql).map { row in
            LibraryStatus.Run(
                started: Date(timeIntervalSince1970: row["started_at"]),
                ended: (row["ended_at"] as Double?).map { Date(timeIntervalSince1970: $0) }, outcome: row["outcome"],
                embedder: row["embedder"], summary: row["summary"])
        }
    }

    fileprivate func info(_ path: FilePath) throws -> PictureInfo? {
        let sql = """
            SELECT f.*, c.hash, c.width, c.height, c.format, c.taken, c.make, c.model, c.latitude, c.longitude
            FROM file f LEFT JOIN content c ON c.id = f.content_id WHERE f.path = ?
            """
        guard let row = try Row.fetchOne(self, sql: sql, arguments: [path.data]) else { return nil }
        let content: Int64? = row["content_id"]
        let colors = try Row.fetchAll(
            self, sql: "SELECT rgb, share FROM color WHERE content_id = ? ORDER BY share DESC", arguments: [content])
        let embedders = try String.fetchAll(
            self, sql: "SELECT i.name FROM vector v JOIN identity i ON i.id = v.identity_id WHERE v.content_id = ? ORDER BY i.id",
            arguments: [content])
        let copies = try content.map { try files(ofContent: $0).filter { $0.path != path && $0.state == .indexed }.map(\.path) } ?? []
        let problem = (row["problem"] as String?).flatMap(FileProblem.Kind.init).map { FileProblem($0, row["reason"] ?? "") }
        return PictureInfo(
            id: row["id"], path: path, state: row["state"], problem: problem, size: row["size"],
            modified: Date(timeIntervalSince1970: Double(row["modified"] as Int64) / 1e9),
            contentHash: (row["hash"] as Data?).map { $0.map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined() },
            width: row["width"], height: row["height"], format: row["format"], taken: row["taken"], make: row["make"], model: row["model"],
            latitude: row["latitude"], longitude: row["longitude"], title: row["title"], description: row["description"],
            tags: PictureWords.tags(column: row["tags"]),
            colors: colors.map { PictureInfo.DominantColor(hex: Self.hex($0["rgb"]), share: $0["share"]) },
            isRead: try content.map { try hasReading(content: $0) } ?? false, lines: try content.map { try readLines(content: $0) } ?? [],
            embedders: embedders, copies: copies)
    }

    private static func hex(_ rgb: Int) -> String {
        let digits = String(rgb & 0xFFFFFF, radix: 16)
        return "#" + String(repeating: "0", count: 6 - digits.count) + digits
    }
}
