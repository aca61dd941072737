import Foundation
import GRDB
import Imaging
import Pipelines
import Tensors
import VectorIndex

extension Library {
    /// Candidates of each ranking beyond the hits asked for, so that fusion has something to fuse.
    private static func depth(_ limit: Int) -> Int { min(max(limit, min(limit, 50_000) * 2 + 100), Query.largestLimit * 2) }

    /// Matches of words that are looked at beyond the candidates: as many can be equally good.
    private static let mostTied = 20_000

    /// Whether `search` can answer without an embedder: words by text alone, pictures by vectors that the library holds.
    public func answersWithoutEmbedder(_ query: Query) throws(LibraryError) -> Bool {
        guard query.weights[.meaning] > 0 else { return true }
        for subject in query.terms.map(\.subject) {
            switch subject {
            case .words, .readText, .vector: continue
            case .pixels: return false
            case .picture(let path): if try storedVector(path) == nil { return false }
            }
        }
        return true
    }

    /// Pictures for a query, best first.
    ///
    /// Pictures, and with a dual encoder words, become one vector: the sum of their unit vectors times their weights, negative ones
    /// subtracted. Words also match titles, descriptions, tags and names, and text that was read in the pictures (each term two rankings of
    /// its own). The rankings are fused by `RankFusion`, each with its weight times that of the terms behind it. Text then counts only where
    /// every word matches; without a vector of the words, pictures that match some of them follow. Words taken away exclude what matches them from the text rankings, and
    /// where words are no vectors from all others too. Text to read is looked for in pictures alone; taken away, it excludes.
    ///
    /// - Parameter embedder: Needed for pictures outside the library. nil: words are text, pictures are looked up.
    public func search(_ query: Query, embedder: (any Embedder)? = nil) throws(LibraryError) -> [SearchHit] {
        try find(query, embedder: embedder).hits
    }

    /// As `search`, and where the hits ended.
    func find(_ query: Query, embedder: (any Embedder)?) throws(LibraryError) -> (hits: [SearchHit], cutoff: CutoffReport?) {
        guard (1...Query.largestLimit).contains(query.limit) else {
            throw .badQuery(reason: "the number of hits must be 1 to \(Query.largestLimit)")
        }
        guard !query.terms.isEmpty || query.color != nil || query.filter != nil || query.folder != nil else {
            throw .badQuery(reason: "say what to look for: words, pictures, a colour or a filter")
        }
        var query = query
        query.folder = query.folder?.absolute()
        let weights = query.weights, target = weights[.meaning] > 0 ? try queryVector(query.terms, embedder) : nil
        let words = query.terms.filter { if case .words = $0.subject { true } else { false } }
        let wordsAreVectors = target != nil && embedder?.identity.embedsText == true
        let excluded = words.filter { $0.weight <= 0 }.compactMap(\.textQuery)
        // As vectors they are subtracted, and count against the look of a picture, not against every text that names them.
        let condition = CandidateCondition(query, excluding: wordsAreVectors ? [] : excluded)
        var ranking = FusedRanking(limit: Self.depth(query.limit))
        var cutoff: CutoffReport?
        if let target {
            let (best, candidates) = try vectorHits(target.vector, target.identity, condition, depth: ranking.limit)
            ranking.add(vectors: best, weight: target.weight * weights[.meaning])
            let texts = wordsAreVectors && !words.isEmpty ? embedder : nil
            cutoff = try self.cutoff(query.cutoff, target, best: best, candidates: candidates, textsBy: texts)
        }
        try addText(words, excluding: excluded, condition, strictly: wordsAreVectors, weights, to: &ranking)
        try addReadText(query.terms, condition, weights[.text], to: &ranking)
        guard !ranking.isEmpty || query.terms.isEmpty || weights.isEveryRankingIn else {
            throw .badQuery(reason: "every ranking that could answer has the weight 0: give meaning, words or text more")
        }
        if let color = query.color, weights[.color] > 0 {
            ranking.add(colors: try colorScores(color, condition), isOnly: query.terms.isEmpty, weight: weights[.color])
        }
        if query.terms.isEmpty, ranking.isEmpty { ranking.add(unranked: try newest(condition, limit: query.limit)) }
        if let target {
            let index = try indexes.open(target.identity)
            do { try ranking.fillSimilarities(of: target.vector, from: index) } catch {
                throw LibraryError(vectors: error, identity: target.identity.identity, path: indexes.path(target.identity))
            }
        }
        ranking.drop(below: query.minScore, bySimilarity: target != nil)
        let all = ranking.ordered()
        guard let threshold = cutoff?.threshold else { return (try hits(all, limit: query.limit, condition), cutoff) }
        let kept = all.filter { $0.hasAllWords || ($0.similarity ?? .infinity) >= threshold }
        cutoff?.cut = min(all.count, query.limit) - min(kept.count, query.limit)
        return (try hits(kept, limit: query.limit, condition), cutoff)
    }

    /// Pictures like one of the library, by the vectors it holds; the picture itself and its copies are left out.
    /// - Parameter includesCopies: Files with the same bytes come first, with similarity 1.
    /// - Throws: `.unknownPicture` for a file that isn't indexed.
    public func similar(
        to path: FilePath, limit: Int = 20, filter: WhereFilter? = nil, folder: FilePath? = nil, minScore: Double? = nil,
        includesCopies: Bool = false
    ) throws(LibraryError) -> [SearchHit] {
        guard (1...Query.largestLimit).contains(limit) else {
            throw .badQuery(reason: "the number of hits must be 1 to \(Query.largestLimit)")
        }
        let path = path.absolute()
        guard let stored = try storedVector(path) else { throw .unknownPicture(path: path.display) }
        let condition = CandidateCondition(Query(filter: filter, folder: folder?.absolute()))
        var ranking = FusedRanking(limit: limit + 1)
        ranking.add(vectors: try vectorHits(stored.vector, stored.identity, condition, depth: limit + 1).hits, weight: 1)
        ranking.drop(below: minScore, bySimilarity: true)
        var found = try hits(ranking.ordered().filter { $0.content != stored.content }, limit: limit, condition)
        if includesCopies {
            let copies = try database.read { try $0.files(ofContent: stored.content) }.filter { $0.state == .indexed && $0.path != path }
            let own = try hits([ScoredContent(content: stored.content, score: 1, similarity: 1)], limit: 1, condition)
            if let first = own.first {
                let matching = Set([first.path] + first.copies)
                found =
                    copies.filter { matching.contains($0.path) }.map { copy in
                        var hit = first
                        hit.path = copy.path
                        hit.copies = []
                        return hit
                    } + found
            }
        }
        return found.prefix(limit).enumerated().map { place, hit in
            var hit = hit
            hit.rank = place + 1
            return hit
        }
    }

    struct Target {
        var vector: [Float]
        var identity: IdentityRow
        var weight: Double
    }

    /// The identity whose vectors answer: the embedder's own, else the active one.
    private func identity(for embedder: (any Embedder)?) throws(LibraryError) -> IdentityRow? {
        guard let embedder else { return try database.read { try $0.activeIdentity() } }
        let wanted = embedder.identity
        let (row, all) = try database.read { (try $0.identity(digest: wanted.digest), try $0.identities()) }
        guard let row else { throw .notIndexed(embedder: wanted.name, known: all.map(\.identity.name)) }
        return row
    }

    /// Nil when no term can become a vector.
    private func queryVector(_ terms: [QueryTerm], _ embedder: (any Embedder)?) throws(LibraryError) -> Target? {
        let usable = terms.filter { term in
            switch term.subject {
            case .words: embedder?.identity.embedsText == true
            case .readText: false
            default: true
            }
        }
        guard usable.contains(where: { $0.weight > 0 }) else { return nil }
        guard let identity = try identity(for: embedder) else { throw .noActiveIndex(path: path.display) }
        var sum = [Float](repeating: 0, count: identity.identity.dimension)
        for term in usable {
            let vector = try vector(term.subject, embedder, identity)
            guard vector.count == sum.count else {
                throw .embedder(name: identity.identity.name, reason: "gave a vector of \(vector.count) numbers")
            }
            for place in sum.indices { sum[place] += Float(term.weight) * vector[place] }
        }
        let length = sum.reduce(0) { $0 + $1 * $1 }.squareRoot()
        guard length.isFinite, length > 1e-6 else { throw .badQuery(reason: "the terms cancel each other out") }
        return Target(vector: sum.map { $0 / length }, identity: identity, weight: usable.reduce(0) { $0 + max(0, $1.weight) })
    }

    private func vector(_ subject: QueryTerm.Subject, _ embedder: (any Embedder)?, _ identity: IdentityRow) throws(LibraryError) -> [Float]
    {
        switch subject {
        case .words(let words):
            guard let embedder else { throw .badQuery(reason: "words need an embedder to become a vector") }
            do { return try embedder.embed(texts: [words]).floats() } catch {
                throw .embedder(name: embedder.identity.name, reason: "\(error)")
            }
        case .picture(let path):
            if let stored = try storedVector(path), stored.identity.id == identity.id { return stored.vector }
            guard let embedder else { throw .unknownPicture(path: path.display) }
            return try Self.embed(path, embedder)
        case .readText: throw .badQuery(reason: "text that was read has no vector")
        case .pixels(let picture):
            guard let embedder else { throw .badQuery(reason: "a picture from outside the library needs an embedder to become a vector") }
            do { return try embedder.embed([try embedder.prepare(picture)]).floats() } catch {
                throw .embedder(name: embedder.identity.name, reason: "\(error)")
            }
        case .vector(let vector):
            guard vector.count == identity.identity.dimension else {
                throw .badQuery(
                    reason: "the vector has \(vector.count) numbers; those of \(identity.identity.name) have \(identity.identity.dimension)"
                )
            }
            let length = vector.reduce(0) { $0 + $1 * $1 }.squareRoot()
            guard length.isFinite, length > 1e-12 else { throw .badQuery(reason: "the vector has no direction") }
            return vector.map { $0 / length }
        }
    }

    /// The vector of a picture file that needn't be in the library.
    public static func embed(_ path: FilePath, _ embedder: any Embedder) throws(LibraryError) -> [Float] {
        let picture: Picture
        do { picture = try PictureDecoder.decode(path: path, shortestUsefulSide: embedder.shortestUsefulSide) } catch {
            throw .unreadablePicture(path: path.display, reason: PictureError(error.reason).description)
        }
        do { return try embedder.embed([try embedder.prepare(picture)]).floats() } catch {
            throw .embedder(name: embedder.identity.name, reason: "\(error)")
        }
    }

    /// The active index's vector of a file as it was indexed; nil when the file isn't in the library or has changed since.
    private func storedVector(_ path: FilePath) throws(LibraryError) -> (content: Int64, vector: [Float], identity: IdentityRow)? {
        let path = path.absolute()
        let (found, active) = try database.read { (try $0.file(path), try $0.activeIdentity()) }
        guard let row = found, let content = row.contentID, row.state == .indexed, let active else { return nil }
        if !row.stamp.isNone, let status = path.status(), !FileStamp(status).isSameFile(as: row.stamp) { return nil }
        let index = try indexes.open(active)
        let vectors: Tensor
        do {
            let stored = try index.vectors(ids: [content])
            guard stored.ids == [content] else { return nil }
            vectors = stored.vectors
        } catch {
            throw LibraryError(vectors: error, identity: active.identity, path: indexes.path(active))
        }
        return (content, vectors.floats(), active)
    }

    /// The vector of a picture of the library in the active index, by its id; nil where the file is gone or has changed since.
    public func vector(ofPicture id: Int64) throws(LibraryError) -> [Float]? {
        try storedVector(picture(id).path)?.vector
    }

    /// Nearest contents that pass the condition and can be shown, and what passes it where that was worked out.
    private func vectorHits(
        _ vector: [Float], _ identity: IdentityRow, _ condition: CandidateCondition, depth: Int
    ) throws(LibraryError) -> (hits: [Hit], candidates: IDSet?) {
        let index = try indexes.open(identity)
        let id = identity.id
        var filter: IDSet?
        var spare = 0
        // A server is asked for it: once.
        let stored = index.count
        if condition.isTrivial {
            let (dead, named) = try database.read { database in
                (
                    try Int.fetchOne(database, sql: "SELECT COUNT(*) FROM content WHERE files = 0") ?? 0,
                    try database.vectorCount(identity: id)
                )
            }
            // A few vectors that mustn't show (deleted files, a broken-off batch) are cheaper to pass over than to filter out.
            spare = dead + max(0, stored - named)
            if spare > 2_000 { filter = try database.read { try condition.contentIDs($0) } }
        } else {
            filter = try database.read { try condition.contentIDs($0) }
        }
        if let filter, filter.isEmpty { return ([], filter) }
        let wanted = min(depth + (filter == nil ? spare : 0), max(1, stored))
        let found: [Hit]
        do {
            let query: Tensor
            do { query = try Tensor(vector, [1, vector.count]) } catch { throw LibraryError.badQuery(reason: "\(error)") }
            found = try index.search(query, k: wanted, filter: filter).first ?? []
        } catch let error as IndexError {
            throw LibraryError(vectors: error, identity: identity.identity, path: indexes.path(identity))
        } catch {
            throw LibraryError(error, at: path.display)
        }
        guard filter == nil, spare > 0 else { return (Array(found.prefix(depth)), filter) }
        let live = try database.read { try $0.live(found.map(\.id)) }
        return (Array(found.filter { live.contains($0.id) }.prefix(depth)), nil)
    }

    private func addText(
        _ words: [QueryTerm], excluding excluded: [TextQuery], _ condition: CandidateCondition, strictly: Bool, _ weights: RankingWeights,
        to ranking: inout FusedRanking
    ) throws(LibraryError) {
        let limit = max(ranking.limit, Self.mostTied)
        var (forWords, forText) = (weights[.words], weights[.text])
        // Words that are no vectors would ask for nothing.
        if !strictly, weights[.meaning] > 0, forWords == 0, forText == 0 { (forWords, forText) = (1, 1) }
        for term in words where term.weight > 0 {
            guard case .words(let text) = term.subject, let query = term.textQuery else { continue }
            if forWords > 0 {
                let matches = try database.read {
                    try TextRanking.matches(query, excluding: excluded, condition: condition, limit: limit, strictly: strictly, $0)
                }
                ranking.add(text: matches, weight: term.weight * forWords, words: text)
            }
            guard forText > 0 else { continue }
            let read = try database.read { try ReadTextRanking.matches(text, condition: condition, limit: limit, $0) }
            // Without any match it is no ranking, and scores stay what the others say.
            if !read.isEmpty || !strictly && forWords == 0 { ranking.add(read: read, weight: term.weight * forText, words: text) }
        }
    }

    /// Text that is looked for in pictures alone.
    private func addReadText(
        _ terms: [QueryTerm], _ condition: CandidateCondition, _ weight: Double, to ranking: inout FusedRanking
    ) throws(LibraryError) {
        let limit = max(ranking.limit, Self.mostTied)
        for term in terms where term.weight > 0 && weight > 0 {
            guard case .readText(let text) = term.subject else { continue }
            let read = try database.read { try ReadTextRanking.matches(text, condition: condition, limit: limit, $0) }
            ranking.add(read: read, weight: term.weight * weight, words: text)
        }
    }

    private func colorScores(_ color: ColorQuery, _ condition: CandidateCondition) throws(LibraryError) -> [(Int64, Double)] {
        let scored = color.condition
        return try database.read { database in
            let arguments = StatementArguments(scored.arguments) + condition.arguments
            return try Row.fetchAll(
                database,
                sql: """
                    SELECT DISTINCT s.content_id AS content, s.score AS score FROM (\(scored.sql)) s
                    JOIN file f ON f.content_id = s.content_id JOIN content c ON c.id = f.content_id
                    WHERE \(condition.sql) ORDER BY s.score DESC, s.content_id
                    """, arguments: arguments
            ).map { ($0["content"], $0["score"]) }
        }
    }

    /// For filters alone: the pictures taken or changed last.
    private func newest(_ condition: CandidateCondition, limit: Int) throws(LibraryError) -> [Int64] {
        try database.read { database in
            try Int64.fetchAll(
                database,
                sql: """
                    SELECT f.content_id FROM \(CandidateCondition.join) WHERE \(condition.sql) GROUP BY f.content_id
                    ORDER BY MAX(coalesce(c.taken, strftime('%Y-%m-%dT%H:%M:%S', f.modified / 1000000000, 'unixepoch'))) DESC, f.content_id LIMIT ?
                    """, arguments: condition.arguments + [limit])
        }
    }
}
