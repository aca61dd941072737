import Pipelines

/// What a search found.
public struct SearchAnswer: Sendable {
    public var hits: [SearchHit]
    /// Why words were only looked up in titles, tags and names; nil where they were compared with the pictures, or there are none.
    public var wordsAreTextBecause: String?
    /// Where the hits ended before the limit; nil where no cut-off was asked for, and where no vectors answered.
    public var cutoff: CutoffReport?

    public init(hits: [SearchHit], wordsAreTextBecause: String? = nil, cutoff: CutoffReport? = nil) {
        (self.hits, self.wordsAreTextBecause, self.cutoff) = (hits, wordsAreTextBecause, cutoff)
    }
}

/// Answers queries on one library; a model is loaded when the first query needs it.
public struct Searcher: Sendable {
    public let library: Library
    public let embedders: LibraryEmbedders

    public init(library: Library, embedders: LibraryEmbedders) { (self.library, self.embedders) = (library, embedders) }

    /// Vectors of words for searches that are to come; nil where the model in use knows no words.
    public func vectors(of texts: [String]) throws -> WordVectors? {
        let embedder = try wordEmbedder()
        guard let embedder, embedder.identity.embedsText else { return nil }
        return WordVectors(texts, try embedder.embed(texts: texts), digest: embedder.identity.digest)
    }

    private func wordEmbedder() throws -> ModelEmbedder? {
        if embedders.isGiven { return try embedders.given() }
        guard let active = try library.activeIdentity(), active.embedsText else { return nil }
        return try embedders.embedder(of: active)
    }

    /// - Parameter words: vectors of the query's words, where they were made beforehand.
    public func search(_ query: Query, words: WordVectors? = nil) throws -> SearchAnswer {
        let active = try library.activeIdentity()
        var embedder: (any Embedder)? = try embedder(for: query, active)
        if let known = embedder, let words, words.digest == known.identity.digest {
            embedder = ForesightedEmbedder(base: known, words: words)
        }
        var reason: String?
        if Self.hasWords(query), query.weights[.meaning] > 0, embedder?.identity.embedsText != true {
            reason = (embedder?.identity ?? active).map { "\($0.name) has no text tower" } ?? "no model has been used yet"
        }
        let found = try library.find(query, embedder: embedder)
        return SearchAnswer(hits: found.hits, wordsAreTextBecause: reason, cutoff: found.cutoff)
    }

    /// As the library's. The model is only needed for names, so clusters go without where it isn't here.
    public func clusters(count: Int? = nil) throws -> ClusterFindings {
        let active = try library.activeIdentity()
        let embedder = active?.embedsText == true ? active.flatMap { try? embedders.embedder(of: $0) } : nil
        return try library.clusters(count: count, embedder: embedder)
    }

    /// nil where the catalogue and the stored vectors can answer: loading a model takes longer than the search.
    private func embedder(for query: Query, _ active: EmbedderIdentity?) throws -> ModelEmbedder? {
        // Nothing is asked of vectors.
        guard query.weights[.meaning] > 0 else { return nil }
        if embedders.isGiven { return query.terms.isEmpty ? nil : try embedders.given() }
        let needsWords = Self.hasWords(query) && active?.embedsText == true
        guard try needsWords || !library.answersWithoutEmbedder(query) else { return nil }
        guard let active else { throw LibraryError.noActiveIndex(path: library.path.display) }
        return try embedders.embedder(of: active)
    }

    private static func hasWords(_ query: Query) -> Bool {
        query.terms.contains { if case .words = $0.subject { true } else { false } }
    }
}
