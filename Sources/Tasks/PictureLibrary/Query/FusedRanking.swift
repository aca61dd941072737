import Tensors
import VectorIndex

/// A content with what each ranking says of it.
struct ScoredContent: Sendable, Equatable {
    var content: Int64
    var score = 0.0
    var similarity: Double?
    var vectorRank: Int?
    var textScore: Double?
    var textRank: Int?
    var readRank: Int?
    /// The line that fits best.
    var readLine: String?
    var colorScore: Double?
    var colorRank: Int?
}

/// Collects rankings and puts them together.
struct FusedRanking {
    /// Entries taken of each ranking.
    let limit: Int
    private var contents: [Int64: ScoredContent] = [:]
    private var rankings: [(weight: Double, ids: [Int64])] = []
    /// What the score is where only one ranking takes part.
    private var own: [Int64: Double] = [:]

    init(limit: Int) { self.limit = limit }

    private mutating func add(_ scored: [(Int64, Double)], weight: Double) {
        rankings.append((weight, scored.map(\.0)))
        own = Dictionary(scored, uniquingKeysWith: { first, _ in first })
    }

    private mutating func change(_ id: Int64, _ body: (inout ScoredContent) -> Void) {
        body(&contents[id, default: ScoredContent(content: id)])
    }

    mutating func add(vectors: [Hit], weight: Double) {
        add(vectors.map { ($0.id, Double($0.score)) }, weight: weight)
        for (place, hit) in vectors.enumerated() {
            change(hit.id) {
                $0.similarity = Double(hit.score)
                $0.vectorRank = place + 1
            }
        }
    }

    mutating func add(text: [TextRanking.Match], weight: Double) {
        add(text.map { ($0.content, $0.score) }, weight: weight)
        for (place, match) in text.enumerated() {
            change(match.content) {
                $0.textScore = max($0.textScore ?? 0, match.score)
                $0.textRank = min($0.textRank ?? .max, place + 1)
            }
        }
    }

    /// Text that was read in the pictures.
    mutating func add(read: [ReadTextRanking.Match], weight: Double) {
        add(read.map { ($0.content, $0.score) }, weight: weight)
        for (place, match) in read.enumerated() {
            change(match.content) { scored in
                if place + 1 < scored.readRank ?? .max { (scored.readRank, scored.readLine) = (place + 1, match.line) }
            }
        }
    }

    /// - Parameter isOnly: Whether nothing else is asked for; else the colour lifts what the other rankings found.
    mutating func add(colors: [(Int64, Double)], isOnly: Bool) {
        let taken = isOnly ? Array(colors.prefix(limit)) : colors.filter { contents[$0.0] != nil }
        add(taken, weight: 1)
        for (place, (id, score)) in taken.enumerated() {
            change(id) {
                $0.colorScore = score
                $0.colorRank = place + 1
            }
        }
    }

    mutating func add(unranked: [Int64]) {
        rankings.append((1, unranked))
        for id in unranked {
            own[id] = 0
            change(id) { _ in }
        }
    }

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

    /// Best first, equal scores by smaller id.
    func ordered() -> [ScoredContent] {
        if rankings.count == 1 {
            return rankings[0].ids.compactMap { id in
                var scored = contents[id]
                scored?.score = own[id] ?? 0
                return scored
            }
        }
        return RankFusion.fuse(rankings).compactMap { id, score in
            var scored = contents[id]
            scored?.score = score
            return scored
        }
    }
}
