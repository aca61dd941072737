import Foundation
import GRDB
import Imaging
import Pipelines

/// One embedder whose vectors the library holds.
struct IdentityRow: Sendable {
    var id: Int64
    var identity: EmbedderIdentity
    /// Name of its folder under `indexes`.
    var folder: String
    /// Whether searches use it when nothing else is asked for.
    var isActive: Bool

    init(_ row: Row) {
        id = row["id"]
        identity = EmbedderIdentity(name: row["name"], digest: row["digest"], dimension: row["dimension"], embedsText: row["embeds_text"])
        folder = row["folder"]
        isActive = row["active"]
    }
}

extension Database {
    func identities() throws -> [IdentityRow] {
        try Row.fetchAll(self, sql: "SELECT * FROM identity ORDER BY id").map(IdentityRow.init)
    }

    func identity(digest: String) throws -> IdentityRow? {
        try Row.fetchOne(self, sql: "SELECT * FROM identity WHERE digest = ?", arguments: [digest]).map(IdentityRow.init)
    }

    func activeIdentity() throws -> IdentityRow? {
        try Row.fetchOne(self, sql: "SELECT * FROM identity WHERE active = 1").map(IdentityRow.init)
    }

    /// The row of this identity; the first of a library is active from the start, so that searching works while it grows.
    func register(_ identity: EmbedderIdentity, at time: Double) throws -> IdentityRow {
        if let known = try self.identity(digest: identity.digest) {
            guard known.identity.dimension == identity.dimension else {
                throw LibraryError.embedder(
                    name: identity.name,
                    reason: "vectors of \(identity.dimension) numbers; the library has \(known.identity.dimension) under the same digest")
            }
            return known
        }
        try execute(
            sql: """
                INSERT INTO identity (digest, name, dimension, embeds_text, folder, created_at, active)
                VALUES (?, ?, ?, ?, ?, ?, NOT EXISTS (SELECT 1 FROM identity WHERE active = 1))
                """,
            arguments: [
                identity.digest, identity.name, identity.dimension, identity.embedsText, LibraryFolder.indexName(digest: identity.digest),
                time,
            ])
        guard let row = try self.identity(digest: identity.digest) else {
            throw DatabaseError(resultCode: .SQLITE_CORRUPT, message: "the new identity row is gone")
        }
        return row
    }

    func activate(identity id: Int64) throws {
        try execute(sql: "UPDATE identity SET active = 0 WHERE active = 1 AND id != ?", arguments: [id])
        try execute(sql: "UPDATE identity SET active = 1 WHERE id = ?", arguments: [id])
    }

    func vectorCount(identity id: Int64) throws -> Int {
        try Int.fetchOne(self, sql: "SELECT vectors FROM identity WHERE id = ?", arguments: [id]) ?? 0
    }

    /// Pictures that can be shown and that this identity hasn't embedded, those aside whose files it couldn't, and those that were imported
    /// without files.
    func pendingCount(identity id: Int64) throws -> Int {
        try Int.fetchOne(
            self,
            sql: """
                SELECT COUNT(*) FROM content c WHERE c.files > 0
                AND NOT EXISTS (SELECT 1 FROM vector v WHERE v.identity_id = ? AND v.content_id = c.id)
                AND NOT EXISTS (SELECT 1 FROM file f WHERE f.content_id = c.id AND f.problem = 'notEmbedded')
                AND EXISTS (SELECT 1 FROM file f WHERE f.content_id = c.id AND f.state = 'indexed' AND (f.inode != 0 OR f.size != 0))
                """, arguments: [id]) ?? 0
    }

    /// - Parameter isPartial: whether the folder is only a part of one that is remembered.
    func recordRoot(_ path: FilePath, at time: Double, isPartial: Bool) throws {
        guard let status = path.status(), status.st_mode & S_IFMT == S_IFDIR else { return }
        if !isPartial {
            try execute(
                sql: """
                    INSERT INTO root (path, device, indexed_at) VALUES (?, ?, ?)
                    ON CONFLICT (path) DO UPDATE SET device = excluded.device, indexed_at = excluded.indexed_at
                    """,
                arguments: [path.data, FileStamp(status).device, time])
        }
        let range = path.beneath
        try execute(
            sql: "DELETE FROM folder_problem WHERE path = ? OR (path >= ? AND path < ?)", arguments: [path.data, range.from, range.to])
    }

    func recordFolderProblem(_ path: FilePath, _ problem: FileProblem, at time: Double) throws {
        try execute(
            sql: "INSERT OR REPLACE INTO folder_problem (path, display, problem, reason, time) VALUES (?, ?, ?, ?, ?)",
            arguments: [path.data, path.display, problem.kind.rawValue, problem.reason, time])
    }
}
