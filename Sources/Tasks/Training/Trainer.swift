import Autograd
import Checkpoints
import Foundation
import Tensors

/// One part of a step's batch: its loss and the gradients of the trained parameters.
public struct StepGradients: Sendable {
    public var loss: Float
    public var gradients: [String: Tensor]
    /// Further numbers worth a curve.
    public var metrics: [String: Float]
    /// What the batch held, for messages.
    public var batch: String
    public var samples: Int

    public init(loss: Float, gradients: [String: Tensor], metrics: [String: Float] = [:], batch: String, samples: Int) {
        (self.loss, self.gradients, self.metrics, self.batch, self.samples) = (loss, gradients, metrics, batch, samples)
    }
}

/// What is learnt: gradients of a loss on the batches of a step, and a measure of how good the parameters are.
public protocol TrainingTask: AnyObject {
    /// Gradients of part `part` of step `step`'s batch. The same store, step and part must give the same bits.
    func gradients(_ store: ParameterStore, step: Int, part: Int) throws -> StepGradients
    /// Scores of the parameters on data kept apart, by name; empty where there is none.
    func evaluate(_ store: ParameterStore) throws -> [String: Float]
    /// Told when the parameters have changed at the end of step `step`, counted from 0.
    func afterUpdate(_ store: ParameterStore, step: Int) throws
    /// What is measured and exported of the parameters, such as a slow copy of them.
    func result(_ store: ParameterStore) -> ParameterStore
    /// What else a restart needs, and how to take it up.
    var state: [String: Tensor] { get }
    func restore(_ state: [String: Tensor]) throws
}

extension TrainingTask {
    public func evaluate(_ store: ParameterStore) throws -> [String: Float] { [:] }
    public func afterUpdate(_ store: ParameterStore, step: Int) throws {}
    public func result(_ store: ParameterStore) -> ParameterStore { store }
    public var state: [String: Tensor] { [:] }
    public func restore(_ state: [String: Tensor]) throws {}
}

/// How a run goes, whatever it learns.
public struct TrainingPlan: Sendable, Hashable {
    public var schedule: Schedule
    /// What layers multiply, forward and back; scores are measured in f32.
    public var precision = ProductPrecision.f32
    /// Batches whose gradients make one update.
    public var parts = 1
    /// The longest that all gradients together may be; longer ones are scaled down.
    public var clip: Float?
    /// The share of the running average of the parameters that is kept at each step; nil keeps none.
    public var averaging: Float?
    /// Steps between measures on data kept apart; 0 measures at the end only.
    public var evaluateEvery = 0
    /// Steps between checkpoints.
    public var saveEvery = 500
    /// Checkpoints kept beside the best.
    public var keep = 2
    /// The score that makes a checkpoint the best: its name among `evaluate`'s.
    public var best: String?

    public init(schedule: Schedule) { self.schedule = schedule }
}

public enum TrainingEvent: Sendable {
    case began(step: Int, of: Int, parameters: Int)
    case step(StepRecord)
    case evaluated(step: Int, scores: [String: Float])
    case saved(step: Int, path: String)
}

/// One line of the log.
public struct StepRecord: Sendable, Codable, Hashable {
    public var step: Int
    public var loss: Float
    public var rate: Float
    public var gradientNorm: Float
    public var seconds: Double
    public var samplesPerSecond: Double
    public var metrics: [String: Float]
}

public enum TrainingError: Error, Sendable, CustomStringConvertible {
    case notFinite(what: String, step: Int, batch: String, checkpoint: String?)
    case noGradient(step: Int)
    case stopped(step: Int, checkpoint: String?)
    case state(file: String, problem: String)
    case recipe(file: String, field: String, problem: String)
    case data(String)

    public var description: String {
        switch self {
        case let .notFinite(what, step, batch, checkpoint):
            "\(what) is not a finite number at step \(step) (\(batch)); the parameters before that step are kept"
                + (checkpoint.map { " in \($0)" } ?? "") + ". Lower the learning rate, or set clip, and resume"
        case let .noGradient(step):
            "no trained parameter has a gradient at step \(step): the recipe's `train` patterns leave out what the loss depends on"
        case let .stopped(step, checkpoint):
            "stopped after step \(step)" + (checkpoint.map { "; \($0) holds everything: run the same command to go on" } ?? "")
        case let .state(file, problem): "\(file): \(problem)"
        case let .recipe(file, field, problem): "\(file): \(field): \(problem)"
        case let .data(problem): problem
        }
    }
}

/// A run: steps of an optimiser over a task's gradients, with a log, checkpoints and restarts. The same plan, seed and data give the
/// same bits, whether the run was interrupted or not and whatever the number of threads.
public struct Trainer {
    public private(set) var store: ParameterStore
    private var optimizer: Optimizer
    private let plan: TrainingPlan
    private let checkpoints: CheckpointFolder?
    private var averages: [String: Tensor] = [:]
    /// Steps done.
    public private(set) var step = 0
    private var bestScore: Float?

    /// - Parameter checkpoints: where to save; nil saves nothing.
    public init(_ store: ParameterStore, _ optimizer: Optimizer, _ plan: TrainingPlan, checkpoints: CheckpointFolder? = nil) {
        (self.store, self.optimizer, self.plan, self.checkpoints) = (store, optimizer, plan, checkpoints)
        if plan.averaging != nil { for name in store.names { averages[name] = store[name] } }
    }

    /// The store with averaged parameters, where the plan averages.
    public var averaged: ParameterStore {
        var result = store
        for (name, value) in averages { result[name] = value }
        return result
    }

    /// Trains to the end of the plan.
    /// - Parameters:
    ///   - isCancelled: asked after each step; when true, everything is saved and `stopped` is thrown.
    public mutating func run(
        _ task: any TrainingTask, isCancelled: () -> Bool = { false }, events: (TrainingEvent) throws -> Void = { _ in }
    ) throws {
        // The same bits after a restart: nothing may depend on how often weights were used before.
        try Tensor.readingWeightsInPlace { try steps(task, isCancelled, events) }
    }

    private mutating func steps(
        _ task: any TrainingTask, _ isCancelled: () -> Bool, _ events: (TrainingEvent) throws -> Void
    ) throws {
        try resume(task)
        try events(.began(step: step, of: plan.schedule.total, parameters: store.count))
        while step < plan.schedule.total {
            try events(.step(advance(task)))
            let last = step == plan.schedule.total
            if last || (plan.evaluateEvery > 0 && step % plan.evaluateEvery == 0) {
                let result = task.result(averaged), scores = try task.evaluate(result)
                if !scores.isEmpty { try events(.evaluated(step: step, scores: scores)) }
                if let name = plan.best, let score = scores[name], score > bestScore ?? -.infinity {
                    bestScore = score
                    try checkpoints?.saveBest(result, step: step, scores: scores)
                }
            }
            let cancelled = !last && isCancelled()
            if last || cancelled || (plan.saveEvery > 0 && step % plan.saveEvery == 0) {
                if let path = try save(task) { try events(.saved(step: step, path: path)) }
            }
            if cancelled { throw TrainingError.stopped(step: step, checkpoint: checkpoints?.latest?.path) }
        }
    }

    /// One update.
    private mutating func advance(_ task: any TrainingTask) throws -> StepRecord {
        let began = Date()
        var total: [String: Tensor] = [:], loss: Float = 0, metrics: [String: Float] = [:], samples = 0, batch = ""
        for part in 0..<plan.parts {
            let found = try Tensor.computing(in: plan.precision) { try task.gradients(store, step: step, part: part) }
            guard found.loss.isFinite else { throw notFinite("the loss", found.batch) }
            for (name, gradient) in found.gradients {
                if total[name] == nil { total[name] = gradient.contiguous() } else { total[name]?.accumulate(gradient) }
            }
            loss += found.loss / Float(plan.parts)
            for (name, value) in found.metrics { metrics[name, default: 0] += value / Float(plan.parts) }
            samples += found.samples
            batch = found.batch
        }
        guard !total.isEmpty else { throw TrainingError.noGradient(step: step) }
        // In the order of names: the sum has the same bits every time.
        let norm = Float(store.names.reduce(0.0) { $0 + (total[$1]?.sumOfSquares() ?? 0) }.squareRoot()) / Float(plan.parts)
        guard norm.isFinite else { throw notFinite("a gradient", batch) }
        var scale = 1 / Float(plan.parts)
        // As torch.nn.utils.clip_grad_norm_ has it.
        if let clip = plan.clip { scale *= min(1, clip / (norm + 1e-6)) }
        let rate = plan.schedule(step)
        optimizer.update(&store, gradients: total, rate: rate, scale: scale)
        try task.afterUpdate(store, step: step)
        step += 1
        if let share = plan.averaging {
            for name in store.names {
                guard let value = store[name] else { continue }
                averages[name] = averages[name]?.scaled(by: share)
                averages[name]?.accumulate(value, factor: 1 - share)
            }
        }
        let seconds = Date().timeIntervalSince(began)
        return StepRecord(
            step: step, loss: loss, rate: rate, gradientNorm: norm, seconds: seconds,
            samplesPerSecond: Double(samples) / max(seconds, 1e-9),
            metrics: metrics)
    }

    private func notFinite(_ what: String, _ batch: String) -> TrainingError {
        .notFinite(what: what, step: step + 1, batch: batch, checkpoint: checkpoints?.latest?.path)
    }

    private func save(_ task: any TrainingTask) throws -> String? {
        guard let checkpoints else { return nil }
        var state: [String: Tensor] = [:]
        for name in store.names { state["parameter." + name] = store[name] }
        for (name, value) in optimizer.state { state["optimizer." + name] = value }
        for (name, value) in averages { state["average." + name] = value }
        for (name, value) in task.state { state["task." + name] = value }
        return try checkpoints.save(
            task.result(averaged), state: state, step: step, updates: optimizer.step, best: bestScore, keep: plan.keep)
    }

    /// Takes up the last whole checkpoint, where there is one.
    private mutating func resume(_ task: any TrainingTask) throws {
        guard let saved = try checkpoints?.restore() else { return }
        func part(_ prefix: String) -> [String: Tensor] {
            var found: [String: Tensor] = [:]
            for (name, value) in saved.tensors where name.hasPrefix(prefix) { found[String(name.dropFirst(prefix.count))] = value }
            return found
        }
        let parameters = part("parameter.")
        guard parameters.keys.sorted() == store.names, store.names.allSatisfy({ parameters[$0]?.shape == store[$0]?.shape }) else {
            throw TrainingError.state(
                file: saved.path, problem: "it was saved by a run that trains other parameters; give the run another output folder")
        }
        for (name, value) in parameters { store[name] = value }
        optimizer.restore(part("optimizer."), step: saved.updates)
        averages = part("average.")
        try task.restore(part("task."))
        (step, bestScore) = (saved.step, saved.best)
    }
}
