import Checkpoints
import Foundation
import Tensors

/// What every recipe has, whatever it teaches: the start, what is trained, and how.
public struct Recipe: Sendable {
    public enum Task: String, Sendable, Hashable, CaseIterable {
        case contrastive, simclr, byol, dino, masked
        case linearProbe = "linear-probe"
    }

    public let file: String
    /// The text of the file: part of the run's identity.
    public let text: String
    public var task: Task
    /// A folder, a checkpoint or a catalogue name; empty where a linear probe learns from stored features.
    public var model: String
    /// Patterns of the parameters that are trained: `*` is one component of a name, `**` any number.
    public var trained: [String]
    public var frozen: [String]
    /// Low-rank additions that are trained instead of the parameters; nil where there are none.
    public var adapter: AdapterOptions?
    public var batch: Int
    public var epochs: Float?
    public var plan: TrainingPlan
    public var optimizer: OptimizerKind
    public var weightDecay: Float
    /// Factors of the learning rate by pattern; the first that fits counts.
    public var rates: [(key: String, value: Float)]
    public var seed: UInt64
    public var output: String
    /// Scores that the recipe is expected to reach, by name.
    public var expected: [(key: String, value: Float)]

    /// Reads the fields that all tasks share; the task reads its own, then `reader.finish()` refuses the rest.
    public init(_ reader: RecipeReader, file: String, text: String) throws {
        (self.file, self.text) = (file, text)
        guard let task: Task = try reader.choice("task") else {
            throw reader.fail("task", "it is missing; there is \(Task.allCases.map(\.rawValue).joined(separator: ", "))")
        }
        _ = try reader.string("description")
        self.task = task
        model = try task == .linearProbe ? reader.string("model") ?? "" : reader.require("model")
        trained = try reader.strings("train") ?? ["**"]
        frozen = try reader.strings("freeze") ?? []
        adapter = try reader.section("adapter").map { try AdapterOptions($0) }
        if adapter != nil, let field = ["train", "freeze"].first(where: { reader.has($0) }) {
            throw reader.fail(field, "with an adapter the model is frozen; adapter.train_also names what is trained beside it")
        }
        batch = try reader.int("batch", in: 1...1_000_000) ?? 256
        epochs = try reader.float("epochs", in: 0...1e6)
        seed = UInt64(try reader.int("seed") ?? 1)
        output = try reader.string("output") ?? "runs/" + ((file as NSString).lastPathComponent as NSString).deletingPathExtension
        expected = try reader.numbers("expected") ?? []
        let steps = try reader.int("steps", in: 1...100_000_000)
        guard (steps == nil) != (epochs == nil) else { throw reader.fail("steps", "give either steps or epochs") }

        let section = try reader.section("optimizer")
        optimizer = try Self.optimizer(section)
        let rate = try section?.float("rate", in: 0...1e4) ?? 1e-4
        weightDecay = try section?.float("weight_decay", in: 0...10) ?? 0.01
        rates = try section?.numbers("rates") ?? []
        let curve = try reader.section("schedule")
        plan = TrainingPlan(
            schedule: Schedule(
                try curve?.choice("shape") ?? .cosine, rate: rate, warmUp: try curve?.int("warm_up") ?? 0, total: steps ?? 0,
                final: try curve?.float("final", in: 0...1) ?? 0))
        plan.precision = try reader.choice("precision") ?? .f32
        plan.parts = try reader.int("accumulate", in: 1...100_000) ?? 1
        plan.clip = try reader.float("clip", in: 1e-9...1e9)
        plan.averaging = try reader.float("average", in: 0...1)
        plan.evaluateEvery = try reader.int("evaluate_every") ?? 0
        plan.saveEvery = try reader.int("save_every", in: 1...100_000_000) ?? 500
        plan.keep = try reader.int("keep", in: 1...1000) ?? 2
        plan.best = try reader.string("best")
    }

    private static func optimizer(_ section: RecipeReader?) throws -> OptimizerKind {
        guard let section else { return .adamW() }
        let kind = try section.string("kind") ?? "adamw"
        let betas = try section.strings("betas")?.map { Float($0) ?? .nan }
        if let betas, betas.count != 2 || !betas.allSatisfy({ (0..<1).contains($0) }) {
            throw section.fail("betas", "two numbers in 0..<1 are expected")
        }
        let epsilon = try section.float("epsilon", in: 0...1), momentum = try section.float("momentum", in: 0...1)
        switch kind {
        case "sgd": return .sgd(momentum: momentum ?? 0.9, nesterov: try section.flag("nesterov") ?? false)
        case "adamw": return .adamW(beta1: betas?[0] ?? 0.9, beta2: betas?[1] ?? 0.999, epsilon: epsilon ?? 1e-8)
        case "lion": return .lion(beta1: betas?[0] ?? 0.9, beta2: betas?[1] ?? 0.99)
        case "lamb": return .lamb(beta1: betas?[0] ?? 0.9, beta2: betas?[1] ?? 0.999, epsilon: epsilon ?? 1e-6)
        default: throw section.fail("kind", "\"\(kind)\" is none of sgd, adamw, lion, lamb")
        }
    }

    /// Steps of a run over `samples` samples, where the recipe counts epochs.
    public mutating func setSteps(samples: Int) {
        guard let epochs else { return }
        plan.schedule.total = max(1, Int((Float(samples) * epochs / Float(batch * plan.parts)).rounded()))
    }

    public func isTrained(_ name: String) -> Bool {
        trained.contains { NamePattern($0).match(name) != nil } && !frozen.contains { NamePattern($0).match(name) != nil }
    }

    /// The optimiser with this recipe's rates.
    public func makeOptimizer() -> Optimizer {
        let factors = rates.map { (NamePattern($0.key), $0.value) }
        return Optimizer(optimizer, weightDecay: weightDecay) { name, shape in
            let factor = factors.first { $0.0.match(name) != nil }?.1 ?? 1
            return ParameterRule(rate: factor, decay: shape.count > 1 ? 1 : 0)
        }
    }
}
