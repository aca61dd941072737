import Foundation
import Tensors

/// A linear classifier on frozen embeddings, its penalty chosen on a validation split as CLIP's authors did (Radford et al. 2021, A.3).
public struct LinearProbe: Sendable {
    /// A value of C that was tried.
    public struct Trial: Sendable, Hashable {
        public var c: Double
        /// Share of the validation split that is right.
        public var accuracy: Double
        public var converged: Bool
    }

    public struct Examples: Sendable {
        /// `[n, dimension]`
        public var features: Tensor
        public var labels: [Int]
        public init(features: Tensor, labels: [Int]) { (self.features, self.labels) = (features, labels) }
    }

    public let model: LogisticRegression
    public let c: Double
    /// In the order in which they were tried; empty where C was given.
    public let trials: [Trial]

    /// Fits with a C that is given.
    public init(training: Examples, classes: Int, c: Double, maximumIterations: Int = 1_000) throws {
        (self.c, trials) = (c, [])
        model = try LogisticRegression(
            features: training.features, labels: training.labels, classes: classes, c: c, maximumIterations: maximumIterations)
    }

    /// Tries powers of ten from 1e-6 to 1e6, two decades apart, then halves the distance around the best four times, down to eight
    /// steps a decade; of equal accuracies the smaller C is kept. The last fit takes both splits together.
    public init(
        training: Examples, validation: Examples, classes: Int, maximumIterations: Int = 1_000, progress: (Trial) -> Void = { _ in }
    ) throws {
        var trials: [Trial] = [], tried: [Int: Double] = [:]
        /// In eighths of a decade.
        func attempt(_ exponent: Int) throws {
            guard tried[exponent] == nil, abs(exponent) <= Self.range else { return }
            let c = pow(10, Double(exponent) / 8)
            let model = try LogisticRegression(
                features: training.features, labels: training.labels, classes: classes, c: c, maximumIterations: maximumIterations)
            let trial = Trial(
                c: c, accuracy: try model.accuracy(validation.features, labels: validation.labels), converged: model.converged)
            tried[exponent] = trial.accuracy
            trials.append(trial)
            progress(trial)
        }
        func best() -> Int { tried.max { ($0.value, $1.key) < ($1.value, $0.key) }?.key ?? 0 }
        for exponent in stride(from: -Self.range, through: Self.range, by: 16) { try attempt(exponent) }
        for step in [8, 4, 2, 1] {
            let peak = best()
            try attempt(peak - step)
            try attempt(peak + step)
        }
        let chosen = pow(10, Double(best()) / 8)
        (c, self.trials) = (chosen, trials)
        model = try LogisticRegression(
            features: Tensor.concatenated([training.features.asType(.f32), validation.features.asType(.f32)]),
            labels: training.labels + validation.labels, classes: classes, c: chosen, maximumIterations: maximumIterations)
    }

    /// Eighths of a decade on either side of 1.
    private static let range = 48
}
