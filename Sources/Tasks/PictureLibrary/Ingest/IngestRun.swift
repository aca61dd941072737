import Foundation
import Imaging
import Pipelines
import Synchronization
import Tensors
import VectorIndex

/// One run over some folders: threads that walk, read, decode and encode, and the calling thread, which writes. Queues between them
/// are bounded, so a slow network holds back reading and memory stays as it is; nothing waits for a file that is slow to come or a
/// picture that is slow to decode but that picture itself.
final class IngestRun: Sendable {
    /// Files found ahead of loading: enough to know the total early, few enough to hold.
    private static let mostJobs = 100_000
    /// Pictures ready for the network, at least: what it lives on while decoders are held up.
    private static let preparedAhead = 16

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
    private let jobs = BoundedQueue<IngestJob>(capacity: mostJobs)
    private let decoding: DecodingQueue
    private let prepared: BoundedQueue<PreparedPicture>
    private let messages = BoundedQueue<IngestMessage>(capacity: 256)
    private let decoders: Int
    private let readersLeft: Atomic<Int>
    private let decodersLeft: Atomic<Int>

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
        let cores = ProcessInfo.processInfo.activeProcessorCount
        decoders = min(max(1, options.decodingThreads > 0 ? options.decodingThreads : cores), 256)
        decoding = DecodingQueue(decoders: decoders, limits: options.decodingLimits)
        prepared = BoundedQueue(capacity: max(Self.preparedAhead, options.batchSize))
        readersLeft = Atomic(min(max(1, options.readingThreads), 256))
        decodersLeft = Atomic(decoders)
    }

    /// Ends the run after the batch that is being embedded. Safe from any thread.
    func cancel() {
        stop.set()
        jobs.close(discarding: true)
        decoding.close(discarding: true)
        prepared.close(discarding: true)
    }

    /// - Returns: What was done, and whether everything was.
    func run() throws -> (progress: IndexProgress, isCancelled: Bool) {
        let threads = DispatchGroup()
        start("walk", in: threads) { self.walk() }
        for number in 0..<readersLeft.load(ordering: .relaxed) { start("read \(number)", in: threads) { self.read() } }
        for number in 0..<decoders { start("decode \(number)", in: threads) { self.decode() } }
        start("encode", in: threads) { self.encode() }
        defer {
            // However the run ends, no thread outlives it.
            cancel()
            messages.close(discarding: true)
            threads.wait()
        }
        return try write()
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

    private func read() {
        let reader = IngestReader(
            database: database, shortestUsefulSide: embedder.shortestUsefulSide, identity: identity, claims: claims, options: options)
        while let job = jobs.take(), !stop.isSet {
            do {
                switch try reader.read(job) {
                case .settled(let file): _ = messages.put(.loaded(file))
                case .decode(let job): _ = decoding.put(job)
                }
            } catch {
                _ = messages.put(.fatal(error))
            }
        }
        if readersLeft.subtract(1, ordering: .acquiringAndReleasing).newValue == 0 { decoding.close() }
    }

    private func decode() {
        let decoder = IngestDecoder(embedder: embedder, options: options)
        while let job = decoding.take() {
            let result: Result<PreparedPicture, FileProblem>? = stop.isSet ? nil : decoder.decode(job)
            decoding.finished(job)
            switch result {
            case .success(let picture): _ = prepared.put(picture)
            case .failure(let problem): _ = messages.put(.loaded(.failed(job.file, problem, hash: job.hash)))
            case nil: break
            }
        }
        if decodersLeft.subtract(1, ordering: .acquiringAndReleasing).newValue == 0 { prepared.close() }
    }

    /// The last to end: the walk, readers and decoders have ended when no more pictures come.
    private func encode() {
        var encoder = IngestEncoder(embedder: embedder, options: options)
        do {
            while case let batch = prepared.take(upTo: encoder.wanted), !batch.isEmpty {
                let results = try encoder.embed(batch)
                if !results.isEmpty { _ = messages.put(.embedded(results)) }
            }
            _ = messages.put(.embedded(encoder.finish()))
            messages.close()
        } catch {
            _ = messages.put(.fatal(error))
        }
    }

    private func write() throws -> (progress: IndexProgress, isCancelled: Bool) {
        let start = options.clock()
        var shown = -1.0
        var committer = IngestCommitter(
            database: database, index: index, embedder: embedder, identity: identity, claims: claims, options: options,
            report: { [onEvent] in onEvent(.problem($0, $1)) })
        var walked = Walked()
        while true {
            let arrival = messages.take(within: committer.isWaiting ? IndexingOptions.longestUncommitted : nil)
            if case .end = arrival { break }
            if case .element(let message) = arrival { try take(message, &committer, &walked) }
            try committer.commitIfDue()
            let now = options.clock() - start
            committer.update { $0.elapsed = now }
            if now - shown >= 0.1 {
                shown = now
                onEvent(.progress(committer.progress))
            }
        }
        let isCancelled = stop.isSet
        try committer.finish(isCancelled: isCancelled)
        if !isCancelled {
            try options.interruption?(.walked)
            let gone = try settleMissing(seen: walked.seen, troubles: walked.troubles)
            committer.update {
                $0.missing = gone.deleted
                $0.unreachable = gone.unreachable + walked.troubles.count
            }
        }
        committer.update { $0.elapsed = options.clock() - start }
        onEvent(.progress(committer.progress))
        return (committer.progress, isCancelled)
    }

    /// What the walk told.
    private struct Walked {
        var seen: Set<Int64> = []
        var troubles: [(FilePath, FileProblem)] = []
    }

    private func take(_ message: IngestMessage, _ committer: inout IngestCommitter, _ walked: inout Walked) throws {
        switch message {
        case .found(let count): committer.update { $0.found += count }
        case .loaded(let file): try committer.take(file)
        case .embedded(let pictures): try committer.take(pictures)
        case .folderProblem(let path, let problem):
            walked.troubles.append((path, problem))
            onEvent(.problem(path, problem))
        case .walked(let ids):
            walked.seen = ids
            committer.update { $0.isWalking = false }
        case .fatal(let error): throw error
        }
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
        let (gone, time, roots, isPartial) = (deleted, options.date(), roots, options.isPartial)
        let unused = try database.write { database in
            for id in gone { try database.markMissing(id, at: time) }
            for root in roots { try database.recordRoot(root, at: time, isPartial: isPartial) }
            for (path, problem) in troubles { try database.recordFolderProblem(path, problem, at: time) }
            return try database.removeUnusedContents()
        }
        // What changed files held before. Other embedders' indexes follow when they are used next.
        if !unused.isEmpty { try index.remove(ids: unused) }
        return (deleted.count, unreachable)
    }
}
