import Foundation
import Tensors

/// DINO's weighted nearest-neighbour classifier (Caron et al. 2021; eval_knn.py): each of the k nearest training rows votes for its class
/// with exp(cosine / temperature).
///
/// Equal cosines keep the training rows' order, equal votes that of the classes; a class without votes ranks behind all that have some.
public struct NeighbourClassifier: Sendable {
    private let rows: Tensor  // [n, dimension], unit
    private let labels: [Int]
    private let classes: Int
    public var count: Int { labels.count }

    /// - Parameter features: `[n, dimension]`, scaled to unit length here.
    public init(features: Tensor, labels: [Int], classes: Int) throws(EvaluationError) {
        rows = try Embeddings.checked(features, "the training embeddings").unitLength()
        guard rows.dim(0) == labels.count else {
            throw .unusable("\(rows.dim(0)) rows of training embeddings for \(labels.count) labels")
        }
        try ClassificationReport.requireClasses(labels, "the training set")
        (self.labels, self.classes) = (labels, classes)
    }

    /// For each of `ks` the ranks, from 1, of the true classes.
    /// - Parameter ks: numbers of neighbours, each 1 to `count`.
    public func ranks(_ features: Tensor, labels targets: [Int], ks: [Int], temperature: Double = 0.07) throws -> [[Int]] {
        let (queries, _) = try Embeddings.pair(features, "the test embeddings", rows, "the training embeddings")
        guard queries.dim(0) == targets.count else {
            throw EvaluationError.unusable("\(queries.dim(0)) rows of test embeddings for \(targets.count) labels")
        }
        if let bad = ks.first(where: { $0 < 1 || $0 > count }) {
            throw EvaluationError.unusable("\(bad) neighbours among \(count) training rows")
        }
        guard temperature > 0, let most = ks.max() else { throw EvaluationError.unusable("the temperature must be above 0") }
        let near = try NearestRows(of: queries.unitLength(), among: rows, count: most)
        return ks.map { k in
            targets.indices.map { query in
                var votes = [Double](repeating: 0, count: classes)
                // The largest cosine is taken off, which changes no order: however small the temperature, nothing overflows.
                let top = Double(near.scores(of: query).first ?? 0)
                for (index, cosine) in zip(near[query], near.scores(of: query)).prefix(k) {
                    votes[labels[Int(index)]] += exp((Double(cosine) - top) / temperature)
                }
                return Self.rank(of: targets[query], votes)
            }
        }
    }

    private static func rank(of target: Int, _ votes: [Double]) -> Int {
        let own = votes[target]
        return 1 + votes.indices.count { votes[$0] > own || votes[$0] == own && $0 < target }
    }
}
