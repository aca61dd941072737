import Foundation
import Imaging
import Pipelines
import Tensors
import VectorIndex

/// Makes embedded pictures durable: vectors first, then the catalogue's rows in one transaction.
/// Killed between the two, vectors lie in the index that no row names; searches pass over them and the next run removes them.
struct IngestCommitter {
    /// Files of the catalogue that changed without needing the network, committed together.
    static let mostWaiting = 256

    let database: CatalogueDatabase
    let index: any NearestNeighborIndex
    let embedder: any Embedder
    let identity: Int64
    let claims: HashClaims
    let options: IndexingOptions
    let report: (FilePath, FileProblem) -> Void

    private(set) var progress = IndexProgress()
    private var batch: [(file: FoundFile, content: ContentRecord, vector: [Float])] = []
    /// When the oldest of the batch came.
    private var batchStart = 0.0
    private var changes: [Change] = []
    /// Copies whose first is still on its way.
    private var copies: [Data: [FoundFile]] = [:]
    private var failedHashes: [Data: FileProblem] = [:]
    private var reserved: Range<Int64> = 0..<0

    private enum Change {
        case attach(FoundFile, content: Int64)
        case fail(FoundFile, FileProblem)
        case recaption(FoundFile, content: Int64)
    }

    init(
        database: CatalogueDatabase, index: any NearestNeighborIndex, embedder: any Embedder, identity: Int64, claims: HashClaims,
        options: IndexingOptions, report: @escaping (FilePath, FileProblem) -> Void
    ) {
        self.database = database
        self.index = index
        self.embedder = embedder
        self.identity = identity
        self.claims = claims
        self.options = options
        self.report = report
    }

    mutating func update(_ body: (inout IndexProgress) -> Void) { body(&progress) }

    mutating func take(_ loaded: LoadedFile) throws {
        switch loaded {
        case .unchanged: progress.unchanged += 1
        case .knownFailure: progress.failed += 1
        case .recaptioned(let file, let content): changes.append(.recaption(file, content: content))
        case .known(let file, let content): changes.append(.attach(file, content: content))
        case .copy(let file, let hash): try take(copy: file, hash)
        case .failed(let file, let problem, let hash): fail(file, problem, hash)
        }
        if changes.count >= Self.mostWaiting { try commit() }
    }

    mutating func take(_ embedded: [EmbeddedPicture]) throws {
        for picture in embedded {
            switch picture.vector {
            case .failure(let problem): fail(picture.file, problem, picture.content.hash)
            case .success(let vector):
                if batch.isEmpty { batchStart = options.clock() }
                batch.append((picture.file, picture.content, vector))
                if batch.count >= options.commitSize { try commitBatch() }
            }
        }
    }

    /// Whether embedded pictures wait to be made durable.
    var isWaiting: Bool { !batch.isEmpty }

    /// Makes embedded pictures durable that have waited long enough.
    mutating func commitIfDue() throws {
        if isWaiting, options.clock() - batchStart >= IndexingOptions.longestUncommitted { try commitBatch() }
    }

    /// Commits what is left. A run that was broken off leaves copies of pictures that weren't embedded to the next.
    mutating func finish(isCancelled: Bool) throws {
        try commitBatch()
        guard !isCancelled else { return }
        // Their first ended in neither way that settles them, as when its file changed between two looks.
        for file in copies.values.joined() {
            fail(file, FileProblem(.unreadable, "a copy of this file changed while it was read; run again"), nil)
        }
        copies = [:]
        try commit()
    }

    private mutating func take(copy file: FoundFile, _ hash: Data) throws {
        if let problem = failedHashes[hash] { return fail(file, problem, nil) }
        let identity = identity
        let content = try database.read { database -> Int64? in
            guard let id = try database.contentID(hash: hash), try database.hasVector(content: id, identity: identity) else { return nil }
            return id
        }
        if let content { changes.append(.attach(file, content: content)) } else { copies[hash, default: []].append(file) }
    }

    private mutating func fail(_ file: FoundFile, _ problem: FileProblem, _ hash: Data?) {
        progress.failed += 1
        changes.append(.fail(file, problem))
        report(file.path, problem)
        guard let hash else { return }
        failedHashes[hash] = problem
        for copy in copies.removeValue(forKey: hash) ?? [] { fail(copy, problem, nil) }
    }

    private mutating func commitBatch() throws {
        guard !batch.isEmpty else { return try commit() }
        let taken = batch
        batch = []
        var ids: [Int64] = []
        var values: [Float] = []
        var added: [(file: FoundFile, content: ContentRecord, id: Int64)] = []
        for item in taken {
            let id = try contentID(item.content.hash)
            ids.append(id)
            values += item.vector
            added.append((item.file, item.content, id))
        }
        try index.upsert(ids: ids, vectors: try Tensor(values, [ids.count, embedder.identity.dimension]))
        try options.interruption?(.vectorsStored)
        try commit(adding: added)
        for item in added {
            progress.embedded += 1
            for copy in copies.removeValue(forKey: item.content.hash) ?? [] { changes.append(.attach(copy, content: item.id)) }
            claims.release(item.content.hash)
        }
    }

    private mutating func contentID(_ hash: Data) throws -> Int64 {
        if let known = try database.read({ try $0.contentID(hash: hash) }) { return known }
        if reserved.isEmpty { reserved = try database.write { try $0.reserveContentIDs(1_024) } }
        return reserved.removeFirst()
    }

    private mutating func commit(adding added: [(file: FoundFile, content: ContentRecord, id: Int64)] = []) throws {
        guard !added.isEmpty || !changes.isEmpty else { return }
        let (identity, time, waiting) = (identity, options.date(), changes)
        let counts = try database.write { database -> (moved: Int, duplicates: Int) in
            for item in added {
                try database.save(item.content, id: item.id)
                try database.execute(
                    sql: "INSERT OR IGNORE INTO vector (identity_id, content_id) VALUES (?, ?)", arguments: [identity, item.id])
                let moved = try database.movedFile(item.file, content: item.id)
                try database.attach(item.file, to: item.id, replacing: moved, at: time)
            }
            var counts = (moved: 0, duplicates: 0)
            for change in waiting {
                switch change {
                case .fail(let file, let problem): try database.fail(file, problem, at: time)
                case .recaption(let file, let content): try database.attach(file, to: content, at: time)
                case .attach(let file, let content):
                    let same = try database.file(file.path)?.contentID == content
                    let moved = try database.movedFile(file, content: content)
                    try database.attach(file, to: content, replacing: moved, at: time)
                    if moved != nil { counts.moved += 1 } else if !same { counts.duplicates += 1 }
                }
            }
            return counts
        }
        changes = []
        progress.moved += counts.moved
        progress.duplicates += counts.duplicates
        progress.unchanged += waiting.count { if case .fail = $0 { false } else { true } } - counts.moved - counts.duplicates
        try options.interruption?(.committed)
    }
}
