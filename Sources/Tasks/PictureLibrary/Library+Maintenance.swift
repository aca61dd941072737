import Foundation
import GRDB
import Imaging
import Pipelines
import VectorIndex

/// What was taken out of a library.
public struct RemovalSummary: Sendable, Equatable {
    public var files: Int
    /// Pictures that no other file holds.
    public var pictures: Int
}

/// What `Library.verify()` found, in words.
public struct LibraryFindings: Sendable, Equatable {
    /// Damage.
    public var faults: [String]
    /// What a killed run left behind and the next one mends by itself.
    public var notes: [String]

    public init(faults: [String] = [], notes: [String] = []) {
        self.faults = faults
        self.notes = notes
    }
}

extension Library {
    /// Takes files, and all beneath folders, out of the library; the files themselves stay as they are.
    /// A later run over their folder takes them in again.
    /// - Throws: `.unknownPicture` for a path that the library knows neither as a file nor as a folder of files; then nothing is removed.
    @discardableResult
    public func remove(_ paths: [FilePath]) throws(LibraryError) -> RemovalSummary {
        let lock = try LibraryLock(folder)
        defer { withExtendedLifetime(lock) {} }
        let paths = paths.map { $0.absolute() }
        let (files, contents) = try database.write { database -> (Int, [Int64]) in
            var removed: Set<Int64> = []
            for path in paths {
                let rows = try database.files(at: path)
                let range = path.beneath
                let place: StatementArguments = [path.data, range.from, range.to]
                try database.execute(sql: "DELETE FROM folder_problem WHERE path = ? OR (path >= ? AND path < ?)", arguments: place)
                let noted = database.changesCount
                try database.execute(sql: "DELETE FROM root WHERE path = ? OR (path >= ? AND path < ?)", arguments: place)
                guard !rows.isEmpty || noted + database.changesCount > 0 else { throw LibraryError.unknownPicture(path: path.display) }
                for row in rows where removed.insert(row.id).inserted { try database.removeFile(row.id) }
            }
            return (removed.count, try database.removeUnusedContents())
        }
        try removeVectors(contents)
        return RemovalSummary(files: files, pictures: contents.count)
    }

    /// Forgets files that are gone, with the vectors of pictures that no other file holds.
    @discardableResult
    public func forgetMissing() throws(LibraryError) -> RemovalSummary {
        let lock = try LibraryLock(folder)
        defer { withExtendedLifetime(lock) {} }
        let (files, contents) = try database.write { database -> (Int, [Int64]) in
            let gone = try Int64.fetchAll(database, sql: "SELECT id FROM file WHERE state = 'missing'")
            for id in gone { try database.removeFile(id) }
            return (gone.count, try database.removeUnusedContents())
        }
        try removeVectors(contents)
        return RemovalSummary(files: files, pictures: contents.count)
    }

    /// The catalogue went first: killed here, the vectors are removed by the next run.
    private func removeVectors(_ contents: [Int64]) throws(LibraryError) {
        guard !contents.isEmpty else { return }
        for row in try database.read({ try $0.identities() }) {
            do { try indexes.open(row).remove(ids: contents) } catch let error as IndexError {
                throw LibraryError(vectors: error, identity: row.identity, path: indexes.path(row))
            } catch {
                throw LibraryError(error, at: path.display)
            }
        }
    }

    /// Drops the vectors of an embedder, named by its name or digest. With the active one gone, the most complete of the others answers.
    public func removeIndex(_ embedder: String) throws(LibraryError) {
        let lock = try LibraryLock(folder)
        defer { withExtendedLifetime(lock) {} }
        let row = try identity(named: embedder)
        try database.write { database in
            try database.execute(sql: "DELETE FROM identity WHERE id = ?", arguments: [row.id])
            guard row.isActive else { return }
            let most = try Int64.fetchOne(
                database,
                sql: "SELECT id FROM identity ORDER BY (SELECT COUNT(*) FROM vector WHERE identity_id = identity.id) DESC, id LIMIT 1")
            if let most { try database.activate(identity: most) }
        }
        try indexes.remove(row)
    }

    /// Gives back the room of what was removed, in the catalogue and in every index.
    public func compact() throws(LibraryError) {
        let lock = try LibraryLock(folder)
        defer { withExtendedLifetime(lock) {} }
        for row in try database.read({ try $0.identities() }) {
            do { try indexes.open(row).compact() } catch let error as IndexError {
                throw LibraryError(vectors: error, identity: row.identity, path: indexes.path(row))
            } catch {
                throw LibraryError(error, at: path.display)
            }
        }
        do {
            try database.pool.write { database in
                for table in ["words", "line_text"] { try database.execute(sql: "INSERT INTO \(table) (\(table)) VALUES ('optimize')") }
            }
            try database.pool.vacuum()
        } catch {
            throw LibraryError(error, at: path.display)
        }
    }

    /// Checks the catalogue and every index, checksums included; reads all of both.
    public func verify() throws(LibraryError) -> LibraryFindings {
        let lock = try LibraryLock(folder)
        defer { withExtendedLifetime(lock) {} }
        var findings = LibraryFindings(faults: try database.read { try $0.integrityFaults() })
        for (table, name) in [("words", "full-text index"), ("line_text", "index of text in pictures")] {
            let sql = "INSERT INTO \(table) (\(table), rank) VALUES ('integrity-check', 1)"
            do { try database.pool.write { try $0.execute(sql: sql) } } catch {
                findings.faults.append("the \(name) is damaged: \(error)")
            }
        }
        for row in try database.read({ try $0.identities() }) {
            let name = row.identity.name
            do {
                let index = try indexes.open(row)
                if let local = index as? LocalIndex { try local.verify() }
                let (stored, id) = (IDSet(try index.ids()), row.id)
                let known = IDSet(
                    try database.read {
                        try Int64.fetchAll($0, sql: "SELECT content_id FROM vector WHERE identity_id = ?", arguments: [id])
                    })
                let lost = known.subtracting(stored).count
                let orphans = stored.subtracting(known).count
                if lost > 0 { findings.faults.append("\(lost) vectors of \(name) are gone; the next run embeds these pictures again") }
                if orphans > 0 { findings.notes.append("\(orphans) vectors of \(name) belong to no picture; the next run removes them") }
            } catch {
                findings.faults.append("the vectors of \(name): \(error)")
            }
        }
        return findings
    }
}

extension Database {
    fileprivate func integrityFaults() throws -> [String] {
        let report = try String.fetchAll(self, sql: "PRAGMA integrity_check(20)")
        var faults = report == ["ok"] ? [] : report.map { "the catalogue is damaged: \($0)" }
        let dangling = try Row.fetchAll(self, sql: "PRAGMA foreign_key_check").count
        if dangling > 0 { faults.append("\(dangling) rows of the catalogue refer to rows that are gone") }
        let miscounted =
            try Int.fetchOne(
                self,
                sql:
                    "SELECT COUNT(*) FROM content c WHERE files != (SELECT COUNT(*) FROM file WHERE content_id = c.id AND state = 'indexed')"
            ) ?? 0
        if miscounted > 0 { faults.append("\(miscounted) pictures have a wrong count of their files") }
        let uncounted =
            try Int.fetchOne(
                self, sql: "SELECT COUNT(*) FROM identity i WHERE vectors != (SELECT COUNT(*) FROM vector WHERE identity_id = i.id)") ?? 0
        if uncounted > 0 { faults.append("\(uncounted) embedders have a wrong count of their vectors") }
        return faults
    }
}
