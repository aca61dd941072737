import Foundation
import Imaging
import Pipelines
import Synchronization
import Tensors
import VectorIndex

/// One run over some folders: a walking thread, loading threads, and the calling thread, which embeds and commits.
/// Queues between them are bounded, so a slow network holds back reading and memory stays as it is.
final class IngestRun: Sendable {
    /// Files found ahead of loading: enough to know the total early, few enough to hold.
    private static let mostJobs = 100_000

    let database: CatalogueDatabase
    let index: any NearestNeighborIndex
    let embedder: any Embedder
    let identity: Int64
    let roots: [FilePath]
    let excluded: [FilePath]
    let options: IndexingOptions
    let onEvent: @Sendable (IndexEvent) -> Void

    private let claims = HashClaims()
    private let stop = StopFlag()
    private let jobs: BoundedQueue<IngestJob>
    private let messages: BoundedQueue<IngestMessage>
    private let loaders: Int
    private let running: Atomic<Int>

    init(
        database: CatalogueDatabase, index: any NearestNeighborIndex, embedder: any Embedder, identity: Int64, roots: [FilePath],
        excluding excluded: [FilePath], options: IndexingOptions, onEvent: @escaping @Sendable (IndexEvent) -> Void
    ) {
        self.database = database
        self.index = index
        self.embedder = embedder
        self.identity = identity
        self.roots = roots
        self.excluded = excluded
        self.options = options
        self.onEvent = onEvent
        jobs = BoundedQueue(capacity: Self.mostJobs)
        messages = BoundedQueue(capacity: max(1, options.batchSize) * 2)
        loaders = options.loadingThreads > 0 ? min(options.loadingThreads, 256) : max(1, ProcessInfo.processInfo.activeProcessorCount)
        running = Atomic(loaders)
    }

    /// Ends the run after the batch that is being embedded. Safe from any thread.
    func cancel() {
        stop.set()
        jobs.close(discarding: true)
        messages.close(discarding: true)
    }

    /// - Returns: What was done, and whether everything was.
    func run() throws -> (progress: IndexProgress, isCancelled: Bool) {
        let threads = DispatchGroup()
        start("walk", in: threads) { self.walk() }
        for number in 0..<loaders { start("load \(number)", in: threads) { self.load() } }
        defer {
            // However the run ends, no thread outlives it.
            cancel()
            threads.wait()
        }
        return try commit()
    }

    private func start(_ name: String, in group: DispatchGroup, _ body: @escaping @Sendable () -> Void) {
        group.enter()
        WorkThread.start(name, body) { group.leave() }
    }

    private func walk() {
        let walker = IngestWalker(database: database, roots: roots, excluded: excluded, options: options)
        do {
            let seen = try walker.walk(
                job: { !stop.isSet && jobs.put($0) },
                problem: { _ = messages.put(.folderProblem($0, $1)) },
                found: { _ = messages.put(.found($0)) })
            _ = messages.put(.walked(seen: seen))
        } catch {
            _ = messages.put(.fatal(error))
        }
        jobs.close()
    }

    private func load() {
        let loader = IngestLoader(database: database, embedder: embedder, identity: identity, claims: claims, options: options)
        while let job = jobs.take(), !stop.isSet {
            do { _ = messages.put(.loaded(try loader.load(job))) } catch { _ = messages.put(.fatal(error)) }
        }
        if running.subtract(1, ordering: .acquiringAndReleasing).newValue == 0 { messages.close() }
    }

    private func commit() throws -> (progress: IndexProgress, isCancelled: Bool) {
        let start = options.clock()
        var shown = -1.0
        var committer = IngestCommitter(
            database: database, index: index, embedder: embedder, identity: identity, claims: claims, options: options,
            report: { [onEvent] in onEvent(.problem($0, $1)) })
        var seen: Set<Int64> = []
        var troubles: [(FilePath, FileProblem)] = []
        while let message = messages.take(), !stop.isSet {
            switch message {
            case .found(let count): committer.update { $0.found += count }
            case .loaded(let file): try committer.take(file)
            case .folderProblem(let path, let problem):
                troubles.append((path, problem))
                onEvent(.problem(path, problem))
            case .walked(let ids):
                seen = ids
                committer.update { $0.isWalking = false }
            case .fatal(let error): throw error
            }
            let now = options.clock() - start
            committer.update { $0.elapsed = now }
            if now - shown >= 0.1 {
                shown = now
                onEvent(.progress(committer.progress))
            }
        }
        let isCancelled = stop.isSet
        try committer.finish(embedding: !isCancelled)
        if !isCancelled {
            try options.interruption?(.walked)
            let gone = try settleMissing(seen: seen, troubles: troubles)
            committer.update {
                $0.missing = gone.deleted
                $0.unreachable = gone.unreachable + troubles.count
            }
        }
        committer.update { $0.elapsed = options.clock() - start }
        onEvent(.progress(committer.progress))
        return (committer.progress, isCancelled)
    }

    private func page(of root: FilePath, after last: FilePath?) throws(LibraryError) -> [FileRow]? {
        try database.read { try $0.files(at: root, after: last, limit: 10_000) }
    }

    /// Marks files that are gone, keeps those that can't be reached now, and records which folders had problems.
    private func settleMissing(seen: Set<Int64>, troubles: [(FilePath, FileProblem)]) throws -> (deleted: Int, unreachable: Int) {
        var missing = MissingFiles()
        var deleted: [Int64] = []
        var unreachable = 0
        for root in roots {
            var last: FilePath?
            // In pages: a library may know millions of files.
            while let rows = try page(of: root, after: last), let end = rows.last {
                last = end.path
                for row in rows where row.state != .missing && !seen.contains(row.id) {
                    switch missing.verdict(on: row, under: root) {
                    case .present: continue
                    case .deleted: deleted.append(row.id)
                    // Those that failed in this run are told of already.
                    case .unreachable: unreachable += row.state == .indexed ? 1 : 0
                    }
                }
            }
        }
        let (gone, time, roots) = (deleted, options.date(), roots)
        let unused = try database.write { database in
            for id in gone { try database.markMissing(id, at: time) }
            for root in roots { try database.recordRoot(root, at: time) }
            for (path, problem) in troubles { try database.recordFolderProblem(path, problem, at: time) }
            return try database.removeUnusedContents()
        }
        // What changed files held before. Other embedders' indexes follow when they are used next.
        if !unused.isEmpty { try index.remove(ids: unused) }
        return (deleted.count, unreachable)
    }
}
