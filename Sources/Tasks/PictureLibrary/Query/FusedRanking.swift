import Tensors
import VectorIndex

/// A content with what each ranking says of it.
struct ScoredContent: Sendable, Equatable {
    var content: Int64
    var score = 0.0
    var similarity: Double?
    var textScore: Double?
    /// The line that fits best.
    var readLine: String?
    var colorScore: Double?
    /// Whether every word of a term stands in what is written about it or read in it.
    var hasAllWords = false
    /// In the order in which the rankings were added.
    var shares: [RankingShare] = []

}

/// Collects rankings and puts them together.
struct FusedRanking {
    /// Entries taken of each ranking. Of words and text those that another ranking has found count beyond it, so that ties which end
    /// there aren't decided by numbering.
    let limit: Int
    private var contents: [Int64: ScoredContent] = [:]
    private var rankings: [[Int64]] = []
    /// What the score is where only one ranking takes part.
    private var own: [Int64: Double] = [:]

    init(limit: Int) { self.limit = limit }

    private mutating func change(_ id: Int64, _ body: (inout ScoredContent) -> Void) {
        body(&contents[id, default: ScoredContent(content: id)])
    }

    /// - Parameter scored: Best first, each id once.
    private mutating func add(
        _ ranking: Ranking, _ scored: [(id: Int64, score: Double)], weight: Double, words: String? = nil, most: Int,
        _ note: (inout ScoredContent, Int) -> Void
    ) {
        let ranks = RankFusion.ranks(scored.lazy.map { $0.score })
        var ids: [Int64] = []
        own = [:]
        for (place, (id, score)) in scored.enumerated() where place < most || contents[id] != nil {
            ids.append(id)
            own[id] = score
            let share = RankingShare(
                ranking: ranking, words: words, rank: ranks[place], weight: weight,
                share: RankFusion.share(rank: ranks[place], weight: weight))
            change(id) { content in
                content.shares.append(share)
                note(&content, place)
            }
        }
        rankings.append(ids)
    }

    mutating func add(vectors: [Hit], weight: Double) {
        add(.meaning, vectors.map { ($0.id, Double($0.score)) }, weight: weight, most: limit) { content, place in
            content.similarity = Double(vectors[place].score)
        }
    }

    mutating func add(text: [TextRanking.Match], weight: Double, words: String) {
        add(.words, text.map { ($0.content, $0.score) }, weight: weight, words: words, most: limit) { content, place in
            content.textScore = max(content.textScore ?? 0, text[place].score)
            if text[place].isWhole { content.hasAllWords = true }
        }
    }

    /// Text that was read in the pictures.
    mutating func add(read: [ReadTextRanking.Match], weight: Double, words: String) {
        add(.text, read.map { ($0.content, $0.score) }, weight: weight, words: words, most: limit) { content, place in
            let best = content.shares.filter { $0.ranking == .text }.map(\.rank).min()
            content.hasAllWords = true
            if content.readLine == nil || best == content.shares.last?.rank { content.readLine = read[place].line }
        }
    }

    /// - Parameter isOnly: Whether nothing else is asked for; else the colour lifts what the other rankings found.
    mutating func add(colors: [(Int64, Double)], isOnly: Bool, weight: Double) {
        let taken = isOnly ? colors : colors.filter { contents[$0.0] != nil }
        add(.color, taken.map { ($0.0, $0.1) }, weight: weight, most: isOnly ? limit : .max) { content, place in
            content.colorScore = taken[place].1
        }
    }

    mutating func add(unranked: [Int64]) {
        rankings.append(unranked)
        for id in unranked { change(id) { _ in } }
    }

    /// Whether a ranking takes part.
    var isEmpty: Bool { rankings.isEmpty }

    /// Similarities of what only other rankings found.
    mutating func fillSimilarities(of vector: [Float], from index: any NearestNeighborIndex) throws(IndexError) {
        let wanted = contents.values.filter { $0.similarity == nil }.map(\.content).sorted()
        guard !wanted.isEmpty else { return }
        let stored = try index.vectors(ids: wanted)
        let values = stored.vectors.floats()
        for (row, id) in stored.ids.enumerated() {
            let start = row * vector.count
            var product: Float = 0
            for place in vector.indices { product += vector[place] * values[start + place] }
            change(id) { $0.similarity = Double(product) }
        }
    }

    mutating func drop(below least: Double?, bySimilarity: Bool) {
        guard let least else { return }
        let kept = Set(ordered().filter { (bySimilarity ? $0.similarity ?? -.infinity : $0.score) >= least }.map(\.content))
        contents = contents.filter { kept.contains($0.key) }
    }

    /// Best first, equal scores by similarity, then by smaller id.
    func ordered() -> [ScoredContent] {
        if rankings.count == 1 {
            return rankings[0].compactMap { id in
                guard var scored = contents[id] else { return nil }
                scored.score = own[id] ?? 0
                if !scored.shares.isEmpty { scored.shares[0].share = scored.score }
                return scored
            }
        }
        return contents.values.map { content in
            var content = content
            content.score = content.shares.reduce(0) { $0 + $1.share }
            return content
        }.sorted {
            ($0.score, $0.similarity ?? -.infinity, $1.content) > ($1.score, $1.similarity ?? -.infinity, $0.content)
        }
    }
}
