import Autograd
import Checkpoints
import Foundation
import Tensors
import Testing

@testable import Training

/// A small network that learns to multiply: enough to follow a run bit for bit.
private final class Regression: TrainingTask {
    var calls = 0
    /// The step at which the data turns bad, if any.
    var badStep: Int?

    func gradients(_ store: ParameterStore, step: Int, part: Int) throws -> StepGradients {
        calls += 1
        var generator = RandomGenerator(seed: UInt64(step * 7 + part))
        var x = Tensor.randomNormal([16, 4], using: &generator)
        if step == badStep { x = try x * Tensor(Float.nan) }
        let wanted = try x.sum([1], keepDims: true)
        let variables = store.variables()
        let hidden = try WeightMatrix(variables["up.weight"]!).apply(x, bias: variables["up.bias"], activation: .tanh)
        let loss = try Losses.meanSquare(WeightMatrix(variables["down.weight"]!).apply(hidden), wanted)
        let value = loss.scalar, found = try loss.gradients()
        return StepGradients(loss: value, gradients: variables.compactMapValues { found[$0] }, batch: "batch \(step).\(part)", samples: 16)
    }

    func evaluate(_ store: ParameterStore) throws -> [String: Float] { ["score": -(store["up.weight"]?.floats()[0] ?? 0)] }
}

@Suite struct RunTests {
    private func store() throws -> ParameterStore {
        var generator = RandomGenerator(seed: 1)
        return try ParameterStore(
            EmptySource(),
            added: [
                "up.weight": .randomNormal([8, 4], deviation: 0.4, using: &generator), "up.bias": .zeros([8]),
                "down.weight": .randomNormal([1, 8], deviation: 0.4, using: &generator),
            ]
        ) { _ in true }
    }

    private func plan(_ steps: Int) -> TrainingPlan {
        var plan = TrainingPlan(schedule: Schedule(.cosine, rate: 0.02, warmUp: 3, total: steps, final: 0.1))
        (plan.parts, plan.clip, plan.averaging, plan.saveEvery, plan.evaluateEvery, plan.best) = (2, 1, 0.9, 5, 5, "score")
        return plan
    }

    private func folder(_ name: String = #function) throws -> URL {
        let place = FileManager.default.temporaryDirectory.appendingPathComponent("sensorium-run-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: place, withIntermediateDirectories: true)
        return place
    }

    private func checkpoints(_ place: URL, identity: String = "a") throws -> CheckpointFolder {
        try CheckpointFolder(path: place.path, identity: identity) { store, folder in
            try SafetensorsWriter.write(store.tensors(), to: folder.appendingPathComponent("model.safetensors").path)
        }
    }

    private static let kinds: [OptimizerKind] = [
        .sgd(momentum: 0.9, nesterov: true), .adamW(), .lion(), .lamb(),
    ]

    @Test(arguments: kinds) func aRunStoppedThreeTimesIsTheSame(_ kind: OptimizerKind) throws {
        let whole = try folder(), broken = try folder()
        defer {
            try? FileManager.default.removeItem(at: whole)
            try? FileManager.default.removeItem(at: broken)
        }
        var losses: [Float] = [], again: [Int: Float] = [:]
        var first = try Trainer(store(), Optimizer(kind, weightDecay: 0.01), plan(20), checkpoints: checkpoints(whole))
        try first.run(Regression(), events: { if case let .step(record) = $0 { losses.append(record.loss) } })
        // Stopped between checkpoints, at one, and by an error that saves nothing (as a kill does).
        for stop in [3, 10, 13] {
            var trainer = try Trainer(store(), Optimizer(kind, weightDecay: 0.01), plan(20), checkpoints: checkpoints(broken))
            var done = 0
            if stop == 13 {
                struct Killed: Error {}
                #expect(throws: Killed.self) {
                    try trainer.run(
                        Regression(),
                        events: { event in
                            if case let .step(record) = event {
                                again[record.step] = record.loss
                                if record.step >= stop { throw Killed() }
                            }
                        })
                }
            } else {
                #expect(throws: TrainingError.self) {
                    try trainer.run(Regression(), isCancelled: { done >= stop }) { event in
                        if case let .step(record) = event {
                            again[record.step] = record.loss
                            done = record.step
                        }
                    }
                }
            }
        }
        var last = try Trainer(store(), Optimizer(kind, weightDecay: 0.01), plan(20), checkpoints: checkpoints(broken))
        try last.run(Regression(), events: { if case let .step(record) = $0 { again[record.step] = record.loss } })
        #expect((1...20).map { again[$0] } == losses.map { Optional($0) })
        for name in first.store.names {
            #expect(first.store[name]?.floats() == last.store[name]?.floats(), "\(name)")
            #expect(first.averaged[name]?.floats() == last.averaged[name]?.floats(), "average of \(name)")
        }
        #expect(losses.last! < losses.first!)
    }

    @Test func productsAreOfThePlansPrecision() throws {
        func losses(_ precision: ProductPrecision) throws -> [Float] {
            var plan = plan(20), losses: [Float] = []
            plan.precision = precision
            var trainer = try Trainer(store(), Optimizer(.adamW()), plan)
            try trainer.run(Regression(), events: { if case let .step(record) = $0 { losses.append(record.loss) } })
            return losses
        }
        let exact = try losses(.f32), rounded = try losses(.bf16)
        #expect(exact != rounded)
        for (a, b) in zip(exact, rounded) { #expect(abs(a - b) < 2e-2 * max(1, a)) }
    }

    @Test func aLossThatIsNotANumberKeepsTheLastCheckpoint() throws {
        let place = try folder()
        defer { try? FileManager.default.removeItem(at: place) }
        let task = Regression()
        task.badStep = 7
        var trainer = try Trainer(store(), Optimizer(.adamW()), plan(20), checkpoints: checkpoints(place))
        do {
            try trainer.run(task)
            Issue.record("it went on")
        } catch let error as TrainingError {
            #expect("\(error)".contains("step 8") && "\(error)".contains("batch 7.0") && "\(error)".contains("step-00000005"))
        }
        let kept = try SafetensorsFile(path: place.appendingPathComponent("step-00000005/model.safetensors").path)
        #expect(try kept.tensor("up.weight").countNotFinite() == 0)
    }

    @Test func whatCantBeSavedLeavesTheLastWholeCheckpoint() throws {
        let place = try folder()
        defer { try? FileManager.default.removeItem(at: place) }
        let full = try CheckpointFolder(path: place.path, identity: "a") { store, folder in
            try SafetensorsWriter.write(store.tensors(), to: folder.appendingPathComponent("model.safetensors").path)
            // The second time the disk is full.
            if try FileManager.default.contentsOfDirectory(atPath: place.path).contains(where: { $0.hasPrefix("step-") }) {
                throw CheckpointError.unwritable(file: folder.path + "/model.safetensors", reason: "No space left on device")
            }
        }
        var plan = plan(20)
        (plan.best, plan.evaluateEvery) = (nil, 0)
        var trainer = try Trainer(store(), Optimizer(.adamW()), plan, checkpoints: full)
        #expect(throws: CheckpointError.self) { try trainer.run(Regression()) }
        #expect(try FileManager.default.contentsOfDirectory(atPath: place.path) == ["step-00000005"])
    }

    @Test func anotherRunsCheckpointIsRefused() throws {
        let place = try folder()
        defer { try? FileManager.default.removeItem(at: place) }
        var trainer = try Trainer(store(), Optimizer(.adamW()), plan(5), checkpoints: checkpoints(place))
        try trainer.run(Regression())
        var other = try Trainer(store(), Optimizer(.adamW()), plan(5), checkpoints: checkpoints(place, identity: "b"))
        #expect(throws: TrainingError.self) { try other.run(Regression()) }
        let fewer = try ParameterStore(EmptySource(), added: ["up.weight": .zeros([8, 4])]) { _ in true }
        var third = try Trainer(fewer, Optimizer(.adamW()), plan(5), checkpoints: checkpoints(place))
        #expect(throws: TrainingError.self) { try third.run(Regression()) }
    }

    @Test func schedulesAreTheReference() {
        // transformers.get_cosine_schedule_with_warmup(warm-up 2, total 6) and get_linear_schedule_with_warmup, times 1.
        let cosine = Schedule(.cosine, rate: 1, warmUp: 2, total: 6), linear = Schedule(.linear, rate: 1, warmUp: 2, total: 6)
        for (found, wanted) in zip((0...6).map { cosine($0) }, [0, 0.5, 1, 0.853553, 0.5, 0.146447, 0] as [Float]) {
            #expect(abs(found - wanted) < 1e-5)
        }
        for (found, wanted) in zip((0...6).map { linear($0) }, [0, 0.5, 1, 0.75, 0.5, 0.25, 0] as [Float]) {
            #expect(abs(found - wanted) < 1e-6)
        }
    }
}
