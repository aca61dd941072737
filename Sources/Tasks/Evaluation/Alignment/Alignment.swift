import Foundation
import Tensors

/// How alike two models see the same things: the measures of "The Platonic Representation Hypothesis" (Huh et al. 2024), as its published
/// code (platonic-rep, metrics.py) defines them.
public enum AlignmentMetric: String, Sendable, CaseIterable {
    /// Share of the k nearest neighbours that both have in common.
    case mutualKNN = "mutual_knn"
    /// Share of rows that a neighbour in A of one of their neighbours in B is.
    case cycleKNN = "cycle_knn"
    /// Mean length of the longest common subsequence of both lists of neighbours, 0 to k.
    case lcsKNN = "lcs_knn"
    /// Centred kernel alignment with linear kernels (Kornblith et al. 2019).
    case cka
    /// The same from the unbiased estimate of HSIC (Song et al. 2012, equation 5).
    case unbiasedCKA = "unbiased_cka"
    /// CKA over pairs that are near in both.
    case cknna
    /// Mean canonical correlation of the leading directions (Raghu et al. 2017).
    case svcca

    public var usesNeighbours: Bool { [.mutualKNN, .cycleKNN, .lcsKNN, .cknna].contains(self) }
}

/// Two models' embeddings of the same rows, made ready to be compared.
public struct Alignment: Sendable {
    /// What is done to the embeddings first.
    public struct Preparation: Sendable, Hashable {
        /// Numbers are clamped to the mean over rows of this quantile of their absolute values (`remove_outliers`); 1 leaves them.
        public var outlierQuantile: Double
        /// Scales rows to unit length, after the clamp.
        public var normalises: Bool

        public init(outlierQuantile: Double = 0.95, normalises: Bool = true) {
            (self.outlierQuantile, self.normalises) = (outlierQuantile, normalises)
        }
    }

    let a: Tensor  // [n, width of A]
    let b: Tensor  // [n, width of B]
    /// Rows of each.
    public var count: Int { a.dim(0) }

    /// Throws where the rows can't belong together, where there are fewer than 4 (what the unbiased estimate needs), or for numbers
    /// that aren't finite.
    public init(_ a: Tensor, _ b: Tensor, preparation: Preparation = Preparation()) throws(EvaluationError) {
        guard preparation.outlierQuantile > 0, preparation.outlierQuantile <= 1 else {
            throw .unusable("the quantile of outliers is \(preparation.outlierQuantile); it must be above 0 and at most 1")
        }
        let (first, second) = (try Embeddings.checked(a, "A's embeddings"), try Embeddings.checked(b, "B's embeddings"))
        guard first.dim(0) == second.dim(0) else {
            throw .unusable(
                "A has \(first.dim(0)) rows, B \(second.dim(0)): row i of both must be of the same picture or caption")
        }
        guard first.dim(0) >= 4 else { throw .unusable("there are \(first.dim(0)) rows; alignment needs at least 4") }
        (self.a, self.b) = (Self.prepared(first, preparation), Self.prepared(second, preparation))
    }

    private static func prepared(_ rows: Tensor, _ preparation: Preparation) -> Tensor {
        var rows = rows
        if preparation.outlierQuantile < 1 {
            let limit = Float(meanQuantile(rows, preparation.outlierQuantile))
            rows = rows.withElements(Float.self) { values in
                Tensor.makeFloats(rows.shape) { out in
                    for place in values.indices { (out + place).initialize(to: min(max(values[place], -limit), limit)) }
                }
            }
        }
        return preparation.normalises ? rows.unitLength() : rows
    }

    private static func meanQuantile(_ rows: Tensor, _ q: Double) -> Double {
        let width = rows.dim(1)
        return rows.withElements(Float.self) { values in
            var sum = 0.0
            for row in 0..<rows.dim(0) {
                sum += quantile(values[row * width..<(row + 1) * width].map { Double(abs($0)) }.sorted(), q)
            }
            return sum / Double(rows.dim(0))
        }
    }

    /// - Parameters:
    ///   - neighbours: k of the neighbour measures, 1 (CKNNA: 2) to one less than there are rows.
    ///   - components: directions that SVCCA keeps, at most either width and fewer than there are rows.
    public func measure(_ metric: AlignmentMetric, neighbours: Int = 10, components: Int = 10) throws -> Double {
        if metric.usesNeighbours {
            let least = metric == .cknna ? 2 : 1
            guard neighbours >= least, neighbours < count else {
                throw EvaluationError.unusable(
                    "\(metric.rawValue) of \(neighbours) neighbours among \(count) rows; \(least) to \(count - 1) can be had")
            }
        }
        switch metric {
        case .mutualKNN: return mutual(try lists(neighbours))
        case .cycleKNN: return cycle(try lists(neighbours))
        case .lcsKNN: return commonSubsequence(try lists(neighbours))
        case .cka: return try KernelSums.alignment(a, b).biased
        case .unbiasedCKA: return try KernelSums.alignment(a, b).unbiased
        case .cknna: return try MutualKernel.alignment(a, b, neighbours: neighbours)
        case .svcca: return try CanonicalCorrelation.mean(a, b, components: components)
        }
    }

    private func lists(_ k: Int) throws -> (a: NearestRows, b: NearestRows) {
        (
            try NearestRows(of: a, among: a, count: k, excludesItself: true),
            try NearestRows(of: b, among: b, count: k, excludesItself: true)
        )
    }

    private func mutual(_ lists: (a: NearestRows, b: NearestRows)) -> Double {
        var common = 0
        for row in 0..<count { common += Set(lists.a[row]).intersection(lists.b[row]).count }
        return Double(common) / Double(count * lists.a.count)
    }

    private func cycle(_ lists: (a: NearestRows, b: NearestRows)) -> Double {
        let back = (0..<count).count { row in lists.b[row].contains { lists.a[Int($0)].contains(Int32(row)) } }
        return Double(back) / Double(count)
    }

    private func commonSubsequence(_ lists: (a: NearestRows, b: NearestRows)) -> Double {
        var total = 0
        for row in 0..<count { total += Self.longest(Array(lists.a[row]), Array(lists.b[row])) }
        return Double(total) / Double(count)
    }

    private static func longest(_ x: [Int32], _ y: [Int32]) -> Int {
        var above = [Int](repeating: 0, count: y.count + 1)
        for value in x {
            var left = 0, diagonal = 0
            for column in y.indices {
                let up = above[column + 1]
                left = value == y[column] ? diagonal + 1 : max(up, left)
                diagonal = up
                above[column + 1] = left
            }
        }
        return above[y.count]
    }
}
