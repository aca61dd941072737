import Autograd
import Tensors

/// Rows of a frozen encoder and the class of each.
public struct LabelledFeatures: Sendable {
    /// `[n, width]`
    public let rows: Tensor
    public let labels: [Int]

    public init(rows: Tensor, labels: [Int]) throws {
        guard rows.rank == 2, rows.dim(0) == labels.count, !labels.isEmpty else {
            throw TrainingError.data("\(labels.count) labels for features of shape \(rows.shape)")
        }
        (self.rows, self.labels) = (rows, labels)
    }
}

/// A linear classifier over frozen features, by cross-entropy. Its parameters are `classifier.weight` `[classes, width]` and
/// `classifier.bias`. Which rows a step sees follows from the seed and the step alone, so that a restart needs nothing but the step.
public final class LinearProbeTask: TrainingTask {
    public struct Options: Sendable, Hashable {
        public var batch: Int
        public var parts: Int
        public var seed: UInt64
        /// Share of the probability that the wrong classes are meant to have (label smoothing, Szegedy et al. 2016).
        public var smoothing: Float = 0
        /// Deviation of noise added to the features.
        public var noise: Float = 0

        public init(batch: Int, parts: Int, seed: UInt64) { (self.batch, self.parts, self.seed) = (batch, parts, seed) }
    }

    private static let weightName = "classifier.weight", biasName = "classifier.bias"

    private let training: LabelledFeatures
    private let evaluation: LabelledFeatures?
    private let options: Options
    private var order: (epoch: Int, places: [Int]) = (-1, [])

    /// - Parameter evaluation: rows kept apart that `top1` and `top5` are measured on.
    public init(training: LabelledFeatures, evaluation: LabelledFeatures?, options: Options) throws {
        (self.training, self.evaluation, self.options) = (training, evaluation, options)
        guard evaluation.map({ $0.rows.dim(1) == training.rows.dim(1) }) ?? true else {
            throw TrainingError.data(
                "rows of \(evaluation?.rows.dim(1) ?? 0) numbers to evaluate on, but of \(training.rows.dim(1)) to train on")
        }
    }

    /// The classifier as it begins: zeros, which for one layer is as good as any start.
    public static func start(classes: Int, width: Int) -> [String: Tensor] {
        [weightName: .zeros([classes, width]), biasName: .zeros([classes])]
    }

    public func gradients(_ store: ParameterStore, step: Int, part: Int) throws -> StepGradients {
        let (places, name) = batch(step * options.parts + part), variables = store.variables()
        var x = try training.rows.gathered(Tensor(places.map(Int64.init), [places.count])).asType(.f32)
        if options.noise > 0 {
            var generator = RandomGenerator(seed: options.seed &+ UInt64(step * options.parts + part) &* 0x9E37_79B9)
            x = try x + Tensor.randomNormal(x.shape, deviation: options.noise, using: &generator)
        }
        let logits = try Self.logits(x, variables), labels = places.map { training.labels[$0] }
        var loss = try Losses.crossEntropy(logits, labels)
        if options.smoothing > 0 {
            let even = try logits.logSoftmax().mean().negated()
            loss = try loss.scaled(by: 1 - options.smoothing) + even.scaled(by: options.smoothing)
        }
        let value = loss.scalar, found = try loss.gradients()
        return StepGradients(loss: value, gradients: variables.compactMapValues { found[$0] }, batch: name, samples: places.count)
    }

    private static func logits(_ x: Tensor, _ parameters: [String: Tensor]) throws -> Tensor {
        guard let weight = parameters[weightName] else { throw TrainingError.data("there is no \(weightName)") }
        return try WeightMatrix(weight).apply(x, bias: parameters[biasName])
    }

    /// The rows of batch `index` of all: each epoch in an order of its own; what doesn't fill a batch waits for the next epoch.
    private func batch(_ index: Int) -> (places: [Int], name: String) {
        let size = min(options.batch, training.labels.count), perEpoch = training.labels.count / size
        let epoch = index / perEpoch, place = index % perEpoch
        if order.epoch != epoch {
            var generator = RandomGenerator(seed: options.seed &* 0x85EB_CA6B &+ UInt64(epoch))
            order = (epoch, training.labels.indices.shuffled(using: &generator))
        }
        return (Array(order.places[place * size..<(place + 1) * size]), "epoch \(epoch + 1), batch \(place + 1) of \(perEpoch)")
    }

    /// Hundredths of the rows whose class is the first (`top1`), or among the first five (`top5`), of all; of equal scores the first class
    /// counts as higher.
    public func evaluate(_ store: ParameterStore) throws -> [String: Float] {
        guard let evaluation else { return [:] }
        var parameters: [String: Tensor] = [:]
        for name in store.names { parameters[name] = store[name] }
        let logits = try Self.logits(evaluation.rows.asType(.f32), parameters), classes = logits.dim(1), scores = logits.floats()
        let ranks = evaluation.labels.enumerated().map { row, label in
            let own = scores[row * classes..<(row + 1) * classes], score = own[own.startIndex + label]
            return own.enumerated().count { $1 > score || $1 == score && $0 < label }
        }
        func share(_ k: Int) -> Float { 100 * Float(ranks.count { $0 < k }) / Float(ranks.count) }
        let top = ["top1": share(1), "score": share(1)]
        return classes > 5 ? top.merging(["top5": share(5)]) { $1 } : top
    }
}
