import Foundation
import Tensors

/// Multinomial logistic regression with a squared penalty on the weights, as scikit-learn's `LogisticRegression` with L-BFGS:
/// the minimum of `C * sum of losses + |weights|^2 / 2`. Of two classes only one row of weights is fitted, which the penalty makes
/// another model than two rows would be.
public struct LogisticRegression: Sendable {
    /// `[rows, dimension]` f32: a row for each class, or of two classes the second's.
    public let weights: Tensor
    /// One for each row; not penalised.
    public let intercepts: [Double]
    public let classes: Int
    /// scikit-learn's objective at the end.
    public let objective: Double
    public let iterations: Int
    /// Whether the mean loss's gradient came below the tolerance.
    public let converged: Bool

    /// - Parameters:
    ///   - features: `[n, dimension]`, taken as they are.
    ///   - labels: n classes from 0.
    ///   - c: inverse strength of the penalty, above 0.
    ///   - tolerance: of the largest component of the gradient of the objective divided by `c * n`.
    public init(
        features: Tensor, labels: [Int], classes: Int, c: Double, maximumIterations: Int = 1_000, tolerance: Double = 1e-4
    ) throws {
        let x = try Embeddings.checked(features, "the training embeddings")
        guard x.dim(0) == labels.count else {
            throw EvaluationError.unusable("\(x.dim(0)) rows of training embeddings for \(labels.count) labels")
        }
        guard c > 0, c.isFinite else { throw EvaluationError.unusable("C is \(c); it must be above 0") }
        try ClassificationReport.requireClasses(labels, "the training set")
        if let bad = labels.first(where: { $0 < 0 || $0 >= classes }) {
            throw EvaluationError.unusable("class \(bad) of \(classes)")
        }
        let rows = classes == 2 ? 1 : classes, width = x.dim(1), penalty = 1 / (c * Double(labels.count))
        var minimiser = LimitedMemoryMinimiser()
        (minimiser.maximumIterations, minimiser.tolerance) = (maximumIterations, tolerance)
        let loss = LogisticLoss(x: x, labels: labels, rows: rows, penalty: penalty)
        let result = try minimiser.minimise(from: [Double](repeating: 0, count: rows * (width + 1)), loss.callAsFunction)
        weights = try Tensor(result.point.prefix(rows * width).map { Float($0) }, [rows, width])
        intercepts = Array(result.point.suffix(rows))
        self.classes = classes
        objective = result.value * c * Double(labels.count)
        (iterations, converged) = (result.iterations, result.converged)
    }

    /// Decision values `[n, classes]` of features `[n, dimension]`; of two classes 0 and the second's.
    public func scores(_ features: Tensor) throws -> Tensor {
        let (x, _) = try Embeddings.pair(features, "the test embeddings", weights, "the weights")
        let scores = try x.matmul(weights.transposed()) + Tensor(intercepts.map { Float($0) }, [intercepts.count])
        return classes == 2 ? try Tensor.concatenated([Tensor.zeros([x.dim(0), 1]), scores], axis: 1) : scores
    }

    /// The ranks, from 1, of the true classes; of classes with equal scores the first counts as higher.
    public func ranks(_ features: Tensor, labels: [Int]) throws -> [Int] {
        let scores = try scores(features)
        guard scores.dim(0) == labels.count else {
            throw EvaluationError.unusable("\(scores.dim(0)) rows of test embeddings for \(labels.count) labels")
        }
        return scores.withElements(Float.self) { values in
            labels.enumerated().map { row, label in
                let own = values[row * classes + label]
                return 1 + (0..<classes).count { values[row * classes + $0] > own || values[row * classes + $0] == own && $0 < label }
            }
        }
    }

    /// Share of rows whose class has the highest score.
    func accuracy(_ features: Tensor, labels: [Int]) throws -> Double {
        Double(try ranks(features, labels: labels).count { $0 == 1 }) / Double(labels.count)
    }
}

/// The mean loss plus half the penalised square of the weights, and its gradient.
private struct LogisticLoss {
    let x: Tensor  // [n, width]
    let labels: [Int]
    let rows: Int
    let penalty: Double

    /// `point` holds the weights `[rows, width]`, then the intercepts.
    func callAsFunction(_ point: [Double]) throws -> (value: Double, gradient: [Double]) {
        let (n, width) = (x.dim(0), x.dim(1)), weightCount = rows * width
        let w = try Tensor(point.prefix(weightCount).map { Float($0) }, [rows, width])
        let products = try x.matmul(w.transposed())  // [n, rows]
        var losses = [Double](repeating: 0, count: n)
        let errors = Tensor.makeFloats([n, rows]) { out in  // d loss / d score
            products.withElements(Float.self) { values in
                losses.withUnsafeMutableBufferPointer { losses in
                    nonisolated(unsafe) let values = values.baseAddress!
                    nonisolated(unsafe) let losses = losses.baseAddress!
                    nonisolated(unsafe) let out = out
                    let intercepts = Array(point[weightCount...])
                    ThreadPool.parallelFor(n, grain: 1 + 4_096 / rows) { range in
                        for row in range {
                            let (from, to) = (values + row * rows, out + row * rows)
                            losses[row] =
                                rows == 1
                                ? Self.binary(from, to, intercepts, labels[row]) : Self.multinomial(from, to, intercepts, labels[row])
                        }
                    }
                }
            }
        }
        // [rows, n] x [n, width]
        let slope = try errors.transposed().matmul(x).floats(), count = Double(n)
        var value = losses.reduce(0, +) / count, gradient = [Double](repeating: 0, count: point.count)
        for place in 0..<weightCount {
            value += penalty * point[place] * point[place] / 2
            gradient[place] = Double(slope[place]) / count + penalty * point[place]
        }
        errors.withElements(Float.self) { values in
            for place in values.indices { gradient[weightCount + place % rows] += Double(values[place]) / count }
        }
        return (value, gradient)
    }

    private static func multinomial(
        _ products: UnsafePointer<Float>, _ errors: UnsafeMutablePointer<Float>, _ intercepts: [Double], _ label: Int
    ) -> Double {
        var top = -Double.infinity
        for k in intercepts.indices { top = max(top, Double(products[k]) + intercepts[k]) }
        var sum = 0.0
        for k in intercepts.indices {
            let e = exp(Double(products[k]) + intercepts[k] - top)
            sum += e
            errors[k] = Float(e)
        }
        let factor = Float(1 / sum)
        for k in intercepts.indices { errors[k] *= factor }
        errors[label] -= 1
        return log(sum) + top - Double(products[label]) - intercepts[label]
    }

    private static func binary(
        _ products: UnsafePointer<Float>, _ errors: UnsafeMutablePointer<Float>, _ intercepts: [Double], _ label: Int
    ) -> Double {
        let score = Double(products[0]) + intercepts[0], sign = label == 1 ? 1.0 : -1.0
        let margin = sign * score
        errors[0] = Float(-sign / (1 + exp(margin)))
        return margin > 0 ? log1p(exp(-margin)) : log1p(exp(margin)) - margin
    }
}
