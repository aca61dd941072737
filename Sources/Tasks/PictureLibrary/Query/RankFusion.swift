/// Reciprocal rank fusion (Cormack, Clarke, Büttcher, SIGIR 2009): each ranking gives `weight / (constant + rank)` to what it holds.
/// Only ranks count, so similarities and bm25 needn't be on one scale.
public enum RankFusion {
    /// The paper's constant.
    public static let constant = 60.0

    /// What a place is worth.
    public static func share(rank: Double, weight: Double, constant: Double = constant) -> Double { weight / (constant + rank) }

    /// Ranks from 1. Equal scores share the mean of their places: which of them comes first is an accident of numbering.
    /// - Parameter scores: Best first.
    public static func ranks(_ scores: some RandomAccessCollection<Double>) -> [Double] {
        var ranks: [Double] = []
        ranks.reserveCapacity(scores.count)
        var start = scores.startIndex
        while start < scores.endIndex {
            let end = scores[start...].firstIndex { $0 != scores[start] } ?? scores.endIndex
            let count = scores.distance(from: start, to: end)
            // The places are ranks.count + 1 ... ranks.count + count.
            ranks += [Double](repeating: Double(ranks.count) + Double(count + 1) / 2, count: count)
            start = end
        }
        return ranks
    }

    /// - Parameter rankings: Ids with their ranks, each id once.
    /// - Returns: Every id with its sum, best first, equal sums by smaller id.
    public static func fuse(
        _ rankings: [(weight: Double, ranks: [(id: Int64, rank: Double)])], constant: Double = constant
    ) -> [(id: Int64, score: Double)] {
        var scores: [Int64: Double] = [:]
        for ranking in rankings {
            for (id, rank) in ranking.ranks { scores[id, default: 0] += share(rank: rank, weight: ranking.weight, constant: constant) }
        }
        return scores.map { (id: $0.key, score: $0.value) }.sorted { ($0.score, $1.id) > ($1.score, $0.id) }
    }
}
