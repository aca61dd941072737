import Foundation
import GRDB
import Imaging
import Pipelines
import VectorIndex

extension Library {
    /// Builds or updates: finds pictures beneath `roots`, embeds what is new or changed, recognises moved files and copies, and
    /// marks what is gone. Cancelling the task ends the run after the batch in work; a later run goes on from there.
    ///
    /// With another embedder than before, its vectors are built beside the old ones, which answer searches until the new index
    /// holds every picture that the library shows.
    ///
    /// - Parameters:
    ///   - roots: Folders or files. Empty: the folders of earlier runs.
    ///   - onEvent: Called from the run's thread, one event at a time.
    /// - Throws: `LibraryError.locked` while another process indexes, `.unreachableRoot` for a root that isn't there and never was,
    ///   `.storage` when the library itself can't be written (a full disk); what was committed until then stays.
    public func index(
        roots: [FilePath] = [], embedder: any Embedder, options: IndexingOptions = IndexingOptions(),
        onEvent: @escaping @Sendable (IndexEvent) -> Void = { _ in }
    ) async throws -> IndexSummary {
        let lock = try LibraryLock(folder)
        let run = try prepareRun(roots: roots, embedder: embedder, options: options, onEvent: onEvent)
        return try await withTaskCancellationHandler {
            try await withCheckedThrowingContinuation { continuation in
                WorkThread.start("index", { Result { try self.perform(run) } }) { result in
                    // Before the caller goes on: it may want to change the library itself.
                    lock.release()
                    continuation.resume(with: result)
                }
            }
        } onCancel: {
            run.cancel()
        }
    }

    private func prepareRun(
        roots given: [FilePath], embedder: any Embedder, options: IndexingOptions, onEvent: @escaping @Sendable (IndexEvent) -> Void
    ) throws(LibraryError) -> IngestRun {
        let roots = given.isEmpty ? try self.roots() : Self.distinct(given.map { $0.absolute() })
        guard !roots.isEmpty else { throw .nothingToIndex(path: path.display) }
        for root in roots where root.status() == nil {
            let reason = systemMessage(errno)
            // A known folder that is away now is reported by the run, and its pictures stay.
            let known = given.isEmpty ? true : try database.read { try !$0.files(at: root).isEmpty }
            guard known else { throw .unreachableRoot(path: root.display, reason: reason) }
        }
        let now = options.date()
        let identity = try database.write { try $0.register(embedder.identity, at: now) }
        if let place = options.place { try settle(identity, at: place) }
        let index = try indexes.open(identity, create: true)
        try reconcile(identity, index)
        return IngestRun(
            database: database, index: index, embedder: embedder, identity: identity.id, roots: roots, excluding: [path], options: options,
            onEvent: onEvent)
    }

    /// Without those that lie inside another.
    static func distinct(_ roots: [FilePath]) -> [FilePath] {
        roots.sorted().reduce(into: []) { kept, root in
            if !kept.contains(where: { root.isInside($0) }) { kept.append(root) }
        }
    }

    private func perform(_ run: IngestRun) throws -> IndexSummary {
        let (identity, date) = (run.identity, run.options.date)
        let path = path.display
        do {
            let started = date()
            let id = try database.write { database in
                try database.execute(sql: "UPDATE run SET outcome = 'broken off' WHERE outcome = 'running'")
                try database.execute(sql: "INSERT INTO run (identity_id, started_at) VALUES (?, ?)", arguments: [identity, started])
                return database.lastInsertedRowID
            }
            let (progress, isCancelled) = try run.run()
            let (ended, summary) = (date(), Self.json(progress))
            let (pending, isActive) = try database.write { database -> (Int, Bool) in
                let pending = try database.pendingCount(identity: identity)
                if !isCancelled && pending == 0 { try database.activate(identity: identity) }
                try database.execute(
                    sql: "UPDATE run SET ended_at = ?, outcome = ?, summary = ? WHERE id = ?",
                    arguments: [ended, isCancelled ? "cancelled" : "done", summary, id])
                return (pending, try database.activeIdentity()?.id == identity)
            }
            try run.options.interruption?(.switched)
            return IndexSummary(progress: progress, isCancelled: isCancelled, isActive: isActive, pending: pending)
        } catch let error as IndexError {
            throw LibraryError(vectors: error, identity: run.embedder.identity, path: path)
        } catch let error as DatabaseError {
            throw LibraryError(error, at: path)
        }
    }

    private static func json(_ progress: IndexProgress) -> String {
        let counts = [
            ("found", progress.found), ("embedded", progress.embedded), ("unchanged", progress.unchanged),
            ("duplicates", progress.duplicates), ("moved", progress.moved), ("failed", progress.failed), ("missing", progress.missing),
            ("unreachable", progress.unreachable),
        ]
        return "{" + counts.map { "\"\($0.0)\":\($0.1)" }.joined(separator: ",") + "}"
    }

    /// Makes index and catalogue agree after a process was killed between the two: vectors that no row names are removed,
    /// rows whose vector is gone are forgotten, so that the picture is embedded again.
    func reconcile(_ identity: IdentityRow, _ index: any NearestNeighborIndex) throws(LibraryError) {
        let stored: [Int64]
        do { stored = try index.ids() } catch {
            throw LibraryError(vectors: error, identity: identity.identity, path: indexes.path(identity))
        }
        let known = try database.read { database in
            try Int64.fetchAll(
                database, sql: "SELECT content_id FROM vector WHERE identity_id = ? ORDER BY content_id", arguments: [identity.id])
        }
        guard stored != known else { return }
        let (storedSet, knownSet) = (IDSet(stored), IDSet(known))
        let orphans = storedSet.subtracting(knownSet).sorted
        let lost = knownSet.subtracting(storedSet).sorted
        if !orphans.isEmpty {
            do { try index.remove(ids: orphans) } catch {
                throw LibraryError(vectors: error, identity: identity.identity, path: indexes.path(identity))
            }
        }
        guard !lost.isEmpty else { return }
        try database.write { database in
            for id in lost {
                try database.execute(sql: "DELETE FROM vector WHERE identity_id = ? AND content_id = ?", arguments: [identity.id, id])
            }
        }
    }

    /// Folders of earlier runs.
    public func roots() throws(LibraryError) -> [FilePath] {
        try database.read { try Data.fetchAll($0, sql: "SELECT path FROM root ORDER BY path").map { FilePath($0) } }
    }
}
