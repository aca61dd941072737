import Autograd
import Catalog
import Checkpoints
import Foundation
import ModelKit
import TestSupport
import Tensors
import Testing

@testable import Training

/// A tiny ViT learning ten steps by each method, as in PyTorch with the authors' losses (tools/reference/objectives.py).
@Suite struct SelfSupervisedTests {
    private final class Supply: ViewSupply {
        let batch: ViewBatch
        init(_ batch: ViewBatch) { self.batch = batch }
        var state: [String: Tensor] { [:] }
        func restore(_ state: [String: Tensor]) throws {}
        func views(step: Int, part: Int) throws -> ViewBatch { batch }
    }

    /// The masked objective with a mask that is given.
    private struct Given: SelfSupervisedObjective {
        var inner = MaskedPictures()
        let hidden: Tensor
        var views: ClosedRange<Int> { 1...1 }
        func heads(width: Int, patch: Int) -> [String: HeadShape] { inner.heads(width: width, patch: patch) }
        func loss(_ student: ViewNetwork, slow: ViewNetwork?, views: [Tensor], step: Int, seed: UInt64) throws -> Tensor {
            try inner.loss(student, views[0], hidden: hidden)
        }
    }

    private static let steps = 10

    private func objective(_ name: String, _ golden: SafetensorsFile) throws -> any SelfSupervisedObjective {
        switch name {
        case "simclr":
            var simclr = SimCLR()
            (simclr.temperature, simclr.hidden, simclr.output) = (0.5, 16, 12)
            return simclr
        case "byol":
            var byol = BYOL(steps: Self.steps)
            (byol.share, byol.hidden, byol.output) = (0.9, 16, 12)
            return byol
        case "dino":
            var dino = DINO(steps: Self.steps)
            (dino.share, dino.hidden, dino.bottleneck, dino.prototypes) = (0.9, 16, 8, 20)
            (dino.temperatureSteps, dino.fixedSteps) = (5, 3)
            return dino
        default:
            var given = Given(hidden: try golden.tensor("in.mask"))
            (given.inner.normalised, given.inner.absolute) = (false, true)
            return given
        }
    }

    private func encoder(_ config: ConfigReader, _ store: ParameterStore, _ replaced: [String: Tensor]) throws -> any PatchImageEncoder {
        let source = store.source(replaced) { !$0.hasPrefix(SelfSupervisedTask.prefix) }
        return try #require(try Catalog.load(ModelFolder(path: "tiny", config: config, source: source)).image as? any PatchImageEncoder)
    }

    private func start(_ golden: SafetensorsFile) throws -> (ParameterStore, ConfigReader) {
        var parameters: [String: Tensor] = [:]
        for entry in golden.entries where entry.name.hasPrefix("parameter.") {
            let name = String(entry.name.dropFirst(10)), value = try golden.tensor(entry.name)
            // The reference's decoder is a convolution of one pixel.
            parameters[name] =
                name.hasPrefix(SelfSupervisedTask.prefix) && value.rank == 4 ? try value.reshaped(Array(value.shape[..<2])) : value
        }
        let config = try ConfigReader(text: #require(golden.metadata["config"]), file: "config.json")
        return (try ParameterStore(EmptySource(), added: parameters) { _ in true }, config)
    }

    private func task(
        _ name: String, _ golden: SafetensorsFile, _ store: ParameterStore, _ config: ConfigReader
    ) throws -> SelfSupervisedTask {
        let views = try (0..<5).filter { golden.entry("in.view\($0)") != nil }.map { try golden.tensor("in.view\($0)") }
        return try SelfSupervisedTask(
            objective(name, golden), encoder: encoder(config, store, [:]), supply: Supply(ViewBatch(views: views, name: name)), seed: 1
        ) { try encoder(config, $0, $1) }
    }

    @Test(arguments: ["simclr", "byol", "dino", "masked"]) func tenSteps(_ name: String) throws {
        let golden = try TenLossesTests.file(name)
        var (store, config) = try start(golden)
        let task = try task(name, golden, store, config)
        let rate = try #require(golden.metadata["rate"].flatMap { Float($0) }),
            decay = try #require(golden.metadata["decay"].flatMap { Float($0) })
        let momentum = golden.metadata["momentum"].flatMap { Float($0) }
        var optimizer = Optimizer(momentum.map { .sgd(momentum: $0) } ?? .adamW(), weightDecay: decay) { _, _ in ParameterRule() }
        for (step, wanted) in try golden.tensor("losses").floats().enumerated() {
            let found = try task.gradients(store, step: step, part: 0)
            #expect(abs(found.loss - wanted) <= 1e-4 * max(1, abs(wanted)), "loss \(step): \(found.loss), expected \(wanted)")
            if step == 0 {
                let stored = golden.entries.filter { $0.name.hasPrefix("gradient.") }
                #expect(stored.count == found.gradients.count && stored.count > 30)
                for entry in stored {
                    let part = String(entry.name.dropFirst(9)), own = try #require(found.gradients[part], "no gradient of \(part)")
                    let expected = try golden.tensor(entry.name).reshaped(own.shape)
                    let difference = TensorDifference(own, expected), largest = expected.floats().map { abs($0) }.max() ?? 0
                    #expect(difference.isWithin(1e-4 * max(1, largest)), "gradient of \(part): \(difference)")
                }
            }
            optimizer.update(&store, gradients: found.gradients, rate: rate)
            try task.afterUpdate(store, step: step)
        }
    }

    /// Slow copies and centres come back, and the result of DINO is the slow copy.
    @Test(arguments: ["byol", "dino"]) func whatIsRememberedComesBack(_ name: String) throws {
        let golden = try TenLossesTests.file(name)
        var (store, config) = try start(golden)
        let task = try task(name, golden, store, config)
        var optimizer = Optimizer(.adamW())
        func advance(_ task: SelfSupervisedTask, _ step: Int) throws -> Float {
            let found = try task.gradients(store, step: step, part: 0)
            optimizer.update(&store, gradients: found.gradients, rate: 1e-3)
            try task.afterUpdate(store, step: step)
            return found.loss
        }
        for step in 0..<3 { _ = try advance(task, step) }
        let other = try self.task(name, golden, store, config)
        try other.restore(task.state)
        #expect(try task.gradients(store, step: 3, part: 0).loss == other.gradients(store, step: 3, part: 0).loss)
        let result = task.result(store), part = "layernorm.weight"
        #expect((result[part]?.floats() == store[part]?.floats()) == (name == "byol"))
        #expect(task.state["momentum." + part]?.floats() == result[part]?.floats() || name == "byol")
    }

    @Test func aSingleViewIsRefused() throws {
        let golden = try TenLossesTests.file("simclr"), (store, config) = try start(golden)
        let one = ViewBatch(views: [try golden.tensor("in.view0")], name: "pictures")
        let task = try SelfSupervisedTask(SimCLR(), encoder: encoder(config, store, [:]), supply: Supply(one), seed: 1) {
            try encoder(config, $0, $1)
        }
        #expect(throws: TrainingError.self) { try task.gradients(store, step: 0, part: 0) }
    }
}
