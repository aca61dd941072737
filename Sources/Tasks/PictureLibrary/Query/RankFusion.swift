/// Reciprocal rank fusion (Cormack, Clarke, Büttcher, SIGIR 2009): each ranking gives `weight / (constant + rank)` to what it holds.
/// Only ranks count, so similarities and bm25 needn't be on one scale.
public enum RankFusion {
    /// The paper's constant.
    public static let constant = 60.0

    /// - Parameter rankings: Ids, best first, each once.
    /// - Returns: Every id with its sum, best first, equal sums by smaller id.
    public static func fuse(_ rankings: [(weight: Double, ids: [Int64])], constant: Double = constant) -> [(id: Int64, score: Double)] {
        var scores: [Int64: Double] = [:]
        for ranking in rankings {
            for (place, id) in ranking.ids.enumerated() { scores[id, default: 0] += ranking.weight / (constant + Double(place + 1)) }
        }
        return scores.map { (id: $0.key, score: $0.value) }.sorted { ($0.score, $1.id) > ($1.score, $0.id) }
    }
}
