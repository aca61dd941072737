import Autograd
import Checkpoints
import ModelKit
import Tensors

/// What is learnt from pictures alone. Its heads are parameters below `objective.`, which an exported model doesn't have.
public protocol SelfSupervisedObjective: Sendable {
    /// Views that a batch must have.
    var views: ClosedRange<Int> { get }
    /// Heads by name, behind an encoder of this width whose patches have this side.
    func heads(width: Int, patch: Int) -> [String: HeadShape]
    /// The share of a slow copy of the network that stays after step `step`; nil where none teaches.
    func momentum(step: Int) -> Float?
    /// Whether the slow copy is what comes of it.
    var resultIsSlow: Bool { get }
    /// The names of heads' parameters that don't change at this step.
    func isFixed(_ name: String, step: Int) -> Bool
    /// - Parameters:
    ///   - views: `[pictures, 3, height, width]` each.
    ///   - seed: of this step and part.
    mutating func loss(_ student: ViewNetwork, slow: ViewNetwork?, views: [Tensor], step: Int, seed: UInt64) throws -> Tensor
    mutating func afterUpdate() throws
    /// What it remembers beside parameters.
    var state: [String: Tensor] { get }
    mutating func restore(_ state: [String: Tensor]) throws
}

extension SelfSupervisedObjective {
    public var resultIsSlow: Bool { false }
    public func momentum(step: Int) -> Float? { nil }
    public func isFixed(_ name: String, step: Int) -> Bool { false }
    public mutating func afterUpdate() {}
    public var state: [String: Tensor] { [:] }
    public mutating func restore(_ state: [String: Tensor]) {}
}

/// An encoder with the heads of its objective.
public struct ViewNetwork {
    public let encoder: any PatchImageEncoder
    private let heads: [String: Head]

    init(_ encoder: any PatchImageEncoder, _ heads: [String: Head]) { (self.encoder, self.heads) = (encoder, heads) }

    func apply(_ head: String, _ x: Tensor) throws -> Tensor {
        guard let found = heads[head] else { preconditionFailure("no head \(head)") }
        return try found(x)
    }
}

/// Learning from pictures without labels: SimCLR, BYOL, DINO, masked patches.
public final class SelfSupervisedTask: TrainingTask {
    private let build: (ParameterStore, [String: Tensor]) throws -> any PatchImageEncoder
    private let scoring: (any PatchImageEncoder) throws -> [String: Float]
    private let supply: any ViewSupply
    private let shapes: [String: HeadShape]
    private let seed: UInt64
    private var objective: any SelfSupervisedObjective
    private var slow = MomentumParameters()

    public static let prefix = "objective."

    /// - Parameters:
    ///   - encoder: the one that training starts from.
    ///   - scoring: measures an encoder on data kept apart.
    ///   - build: the encoder with some parameters replaced; parameters of heads aren't its own.
    public init(
        _ objective: any SelfSupervisedObjective, encoder: any PatchImageEncoder, supply: any ViewSupply, seed: UInt64,
        scoring: @escaping (any PatchImageEncoder) throws -> [String: Float] = { _ in [:] },
        build: @escaping (ParameterStore, [String: Tensor]) throws -> any PatchImageEncoder
    ) {
        (self.objective, self.supply, self.seed, self.scoring, self.build) = (objective, supply, seed, scoring, build)
        shapes = objective.heads(width: encoder.dimension, patch: encoder.patchSide)
    }

    /// The heads' parameters as training begins.
    public static func heads(_ objective: any SelfSupervisedObjective, encoder: any PatchImageEncoder, seed: UInt64) -> [String: Tensor] {
        var generator = RandomGenerator(seed: seed), all: [String: Tensor] = [:]
        for (name, shape) in objective.heads(width: encoder.dimension, patch: encoder.patchSide).sorted(by: { $0.key < $1.key }) {
            all.merge(shape.parameters("\(prefix)\(name).", using: &generator)) { $1 }
        }
        return all
    }

    public func gradients(_ store: ParameterStore, step: Int, part: Int) throws -> StepGradients {
        let batch = try supply.views(step: step, part: part)
        guard batch.count > 1, objective.views.contains(batch.views.count) else {
            throw TrainingError.data("\(batch.name): \(batch.count) pictures in \(batch.views.count) views; two pictures are the least")
        }
        var teacher: ViewNetwork?
        if objective.momentum(step: step) != nil {
            slow.begin(store)
            teacher = try network(store, slow.values)
        }
        let variables = store.variables()
        var generator = RandomGenerator(seed: seed &+ UInt64(step) &* 0x9E37_79B9 &+ UInt64(part) &* 0x85EB_CA6B)
        let loss = try objective.loss(
            network(store, variables), slow: teacher, views: batch.views, step: step, seed: generator.next())
        let value = loss.scalar, found = try loss.gradients()
        var gradients: [String: Tensor] = [:]
        for (name, variable) in variables where !objective.isFixed(name, step: step) { gradients[name] = found[variable] }
        return StepGradients(loss: value, gradients: gradients, batch: batch.name, samples: batch.count)
    }

    private func network(_ store: ParameterStore, _ replaced: [String: Tensor]) throws -> ViewNetwork {
        let own = store.source(replaced) { $0.hasPrefix(Self.prefix) }
        let heads = try WeightLoader.load(from: own, label: "the objective's heads") { weights in
            Dictionary(uniqueKeysWithValues: shapes.map { ($0.key, Head(weights[Self.prefix + $0.key], $0.value)) })
        }
        return ViewNetwork(try build(store, replaced), heads)
    }

    public func afterUpdate(_ store: ParameterStore, step: Int) throws {
        if let share = objective.momentum(step: step) { slow.follow(store, share: share) }
        try objective.afterUpdate()
    }

    public func result(_ store: ParameterStore) -> ParameterStore {
        guard objective.resultIsSlow else { return store }
        var result = store
        for (name, value) in slow.values { result[name] = value }
        return result
    }

    public func evaluate(_ store: ParameterStore) throws -> [String: Float] { try scoring(build(store, [:])) }

    public var state: [String: Tensor] { supply.state.merging(slow.state) { $1 }.merging(objective.state) { $1 } }

    public func restore(_ state: [String: Tensor]) throws {
        try supply.restore(state)
        slow.restore(state)
        try objective.restore(state)
    }
}
