import Foundation
import Imaging
import Pipelines
import Tensors
import VectorIndex

/// Embeds batches and makes them durable: vectors first, then the catalogue's rows in one transaction.
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
    private var batch: [(file: FoundFile, content: ContentRecord, prepared: Tensor)] = []
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
        case .prepared(let file, let content, let prepared):
            batch.append((file, content, prepared))
            if batch.count >= max(1, options.batchSize) { try commitBatch() }
        }
        if changes.count >= Self.mostWaiting { try commit() }
    }

    /// Commits what is left. With `embedding` false the pictures that wait for the network are dropped; a later run takes them up.
    mutating func finish(embedding: Bool) throws {
        if embedding { try commitBatch() } else { batch = [] }
        try commit()
        guard embedding else { return }
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
        try options.interruption?(.loaded)
        let rows = try embed(taken.map(\.prepared))
        try options.interruption?(.embedded)
        var ids: [Int64] = []
        var values: [Float] = []
        var added: [(file: FoundFile, content: ContentRecord, id: Int64)] = []
        for (item, row) in zip(taken, rows) {
            switch row {
            case .failure(let problem): fail(item.file, problem, item.content.hash)
            case .success(let vector):
                let id = try contentID(item.content.hash)
                ids.append(id)
                values += vector
                added.append((item.file, item.content, id))
            }
        }
        if !ids.isEmpty {
            try index.upsert(ids: ids, vectors: try Tensor(values, [ids.count, embedder.identity.dimension]))
            try options.interruption?(.vectorsStored)
        }
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

    /// One row for each prepared picture. Where a batch fails its pictures are tried alone, to find the one that is at fault;
    /// where none succeeds the network itself is.
    private func embed(_ prepared: [Tensor]) throws -> [Result<[Float], FileProblem>] {
        do { return try rows(of: try embedder.embed(prepared), count: prepared.count) } catch let first {
            var results: [Result<[Float], FileProblem>] = []
            for one in prepared {
                do { results += try rows(of: try embedder.embed([one]), count: 1) } catch {
                    results.append(.failure(FileProblem(.notEmbedded, "\(error)")))
                }
            }
            if results.allSatisfy({ if case .failure = $0 { true } else { false } }), prepared.count > 1 || progress.embedded == 0 {
                throw LibraryError.embedder(name: embedder.identity.name, reason: "\(first)")
            }
            return results
        }
    }

    private func rows(of tensor: Tensor, count: Int) throws -> [Result<[Float], FileProblem>] {
        let dimension = embedder.identity.dimension
        guard tensor.shape == [count, dimension] else {
            throw LibraryError.embedder(
                name: embedder.identity.name, reason: "gave vectors of shape \(tensor.shape), expected \([count, dimension])")
        }
        let values = tensor.floats()
        return (0..<count).map { row in
            let vector = Array(values[(row * dimension)..<((row + 1) * dimension)])
            let length = vector.reduce(0) { $0 + $1 * $1 }
            guard length.isFinite, length > 0 else {
                return .failure(FileProblem(.notEmbedded, "the model gave no usable vector (length \(length))"))
            }
            return .success(vector)
        }
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
