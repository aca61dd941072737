import Autograd
import Catalog
import Foundation
import Layers
import ModelKit
import TestSupport
import Tensors
import Testing

@testable import Training

@Suite struct DualEncoderTests {
    private final class Supply: PairSupply {
        let batch: PairBatch
        init(_ batch: PairBatch) { self.batch = batch }
        var state: [String: Tensor] { [:] }
        func restore(_ state: [String: Tensor]) throws {}
        func batch(step: Int, part: Int) throws -> PairBatch { batch }
    }

    private let texts = ["a red bicycle", "两个人在海边", "a dog on the grass", "white clouds", "美丽的日落", "a cat", "children play", "a dog"]
    /// The first picture has two texts.
    private let owners = [0, 0, 1, 2, 3, 4, 5, 1]

    private func batch(of pictures: PairBatch.Pictures) -> PairBatch {
        PairBatch(pictures: pictures, owners: owners, texts: texts, identities: [3, 1, 4, 15, 9, 2], name: "batch")
    }

    private func task(
        _ folder: ModelFolder, _ batch: PairBatch, _ options: DualEncoderOptions, teacher: LiveTeacher? = nil
    ) throws -> DualEncoderTask {
        let loaded = try Catalog.load(folder)
        return DualEncoderTask(tokenizer: try #require(loaded.text), supply: Supply(batch), options: options, teacher: teacher) {
            store, variables in
            try TenLossesTests.build(folder, store, variables)
        }
    }

    private func folder(_ place: String) throws -> ModelFolder {
        try ModelFolder(path: Golden.root.appendingPathComponent("Sources/Models/DualEncoder/\(place)").path)
    }

    private func pixels(side: Int = 32) throws -> PairBatch.Pictures {
        var generator = RandomGenerator(seed: 4)
        return .prepared((0..<6).map { _ in Tensor.randomNormal([3, side, side], using: &generator) })
    }

    @Test(arguments: [DualEncoderOptions.Loss.softmax, .sigmoid]) func cachedGradientsAreThoseOfTheWholeGraph(
        _ loss: DualEncoderOptions.Loss
    ) throws {
        let folder = try folder("CLIP/golden/vit"), batch = try batch(of: pixels())
        let store = try ParameterStore(folder.source) { _ in true }
        var options = DualEncoderOptions()
        (options.loss, options.textTextWeight, options.dropout, options.droppedTokens) = (loss, 0.5, 0, 0)
        let whole = try task(folder, batch, options).gradients(store, step: 0, part: 0)
        options.chunk = 2
        let parts = try task(folder, batch, options).gradients(store, step: 0, part: 0)
        #expect(abs(whole.loss - parts.loss) < 1e-5)
        #expect(Set(whole.gradients.keys) == Set(parts.gradients.keys) && whole.gradients.count > 60)
        for (name, gradient) in whole.gradients {
            let difference = try TensorDifference(#require(parts.gradients[name]), gradient)
            #expect(difference.isWithin(2e-5 * max(1, gradient.floats().map { abs($0) }.max() ?? 1)), "\(name): \(difference)")
        }
    }

    @Test func aStudentThatIsItsTeacherHasNothingToLearn() throws {
        let folder = try folder("CLIP/golden/vit")
        var batch = try batch(of: pixels())
        if case let .prepared(all) = batch.pictures { batch.shownToTeacher = all }
        let store = try ParameterStore(folder.source) { _ in true }, teacher = try LiveTeacher(Catalog.load(folder))
        var options = DualEncoderOptions()
        (options.pairWeight, options.chunk) = (0, 2)
        options.distillation.cosine = 1
        (options.distillation.square, options.distillation.affinity, options.distillation.relations) = (1, 1, 1)
        let same = try task(folder, batch, options, teacher: teacher).gradients(store, step: 0, part: 0)
        #expect(abs(same.loss) < 1e-5)
        for (name, gradient) in same.gradients { #expect(gradient.floats().allSatisfy { abs($0) < 1e-4 }, "\(name)") }
        // One that was moved away from it has.
        var moved = store, generator = RandomGenerator(seed: 3)
        let part = "text_projection.weight", value = try #require(store[part])
        moved[part] = try value + Tensor.randomNormal(value.shape, deviation: 0.1, using: &generator)
        #expect(try task(folder, batch, options, teacher: teacher).gradients(moved, step: 0, part: 0).loss > 1e-3)
    }

    @Test func aTeacherWithoutPicturesIsRefused() throws {
        let folder = try folder("CLIP/golden/vit"), batch = try batch(of: pixels())
        let store = try ParameterStore(folder.source) { _ in true }
        var options = DualEncoderOptions()
        options.distillation.relations = 1
        let task = try task(folder, batch, options, teacher: LiveTeacher(Catalog.load(folder)))
        #expect(throws: TrainingError.self) { try task.gradients(store, step: 0, part: 0) }
    }

    /// The queue of momentum distillation fills, is shared by chunks, and comes back.
    @Test func slowCopiesAndTheirQueueComeBack() throws {
        let folder = try folder("CLIP/golden/vit"), batch = try batch(of: pixels())
        var options = DualEncoderOptions(), momentum = MomentumDistillation()
        (momentum.queue, momentum.rise, momentum.share) = (12, 2, 0.5)
        options.momentum = momentum
        var cached = options
        cached.chunk = 2
        let task = try task(folder, batch, options), other = try self.task(folder, batch, cached)
        var store = try ParameterStore(folder.source) { _ in true }, optimizer = Optimizer(.adamW())
        for step in 0..<3 {
            let found = try task.gradients(store, step: step, part: 0), parts = try other.gradients(store, step: step, part: 0)
            #expect(abs(found.loss - parts.loss) < 1e-5)
            optimizer.update(&store, gradients: found.gradients, rate: 1e-3)
            try task.afterUpdate(store, step: step)
            try other.afterUpdate(store, step: step)
        }
        #expect(try #require(task.state["queue.images"]).dim(0) == 12)
        let again = try self.task(folder, batch, options)
        try again.restore(task.state)
        let next = try again.gradients(store, step: 3, part: 0), wanted = try task.gradients(store, step: 3, part: 0)
        #expect(next.loss == wanted.loss)
        for (name, gradient) in wanted.gradients { #expect(next.gradients[name]?.floats() == gradient.floats(), "\(name)") }
        let part = "logit_scale", start = try #require(try ParameterStore(folder.source) { _ in true }[part]).scalar
        let now = try #require(store[part]).scalar, slow = try #require(task.state["momentum." + part]).scalar
        #expect(abs(slow - start) < abs(now - start) && slow != start)
        var broken = task.state
        broken["queue.texts"] = Tensor.zeros([1, 2])
        #expect(throws: TrainingError.self) { try again.restore(broken) }
    }

    @Test func noiseIsTheSameEachTime() throws {
        let folder = try folder("CLIP/golden/vit"), batch = try batch(of: pixels())
        let store = try ParameterStore(folder.source) { _ in true }
        var options = DualEncoderOptions()
        (options.dropout, options.droppedTokens, options.chunk) = (0.2, 0.5, 3)
        let task = try task(folder, batch, options)
        let first = try task.gradients(store, step: 3, part: 0), second = try task.gradients(store, step: 3, part: 0)
        let other = try task.gradients(store, step: 4, part: 0)
        #expect(first.loss == second.loss && first.loss != other.loss)
        for (name, gradient) in first.gradients { #expect(second.gradients[name]?.floats() == gradient.floats(), "\(name)") }
    }

    @Test func aFrozenTowerHasNoGradient() throws {
        let folder = try folder("CLIP/golden/vit"), batch = try batch(of: pixels())
        let store = try ParameterStore(folder.source) { !$0.hasPrefix("vision_model.") && !$0.hasPrefix("visual_projection.") }
        var options = DualEncoderOptions()
        options.picturesFrozen = true
        let found = try task(folder, batch, options).gradients(store, step: 0, part: 0)
        #expect(!found.gradients.isEmpty && found.gradients.keys.allSatisfy { !$0.hasPrefix("vi") })
    }

    /// FLIP: gradients through the patches that stayed; a tower that can't do it says so.
    @Test(arguments: ["CLIP/golden/vit", "ChineseCLIP/golden/vit", "SigLIP/golden/siglip"]) func patchesAreLeftOut(_ place: String) throws {
        let folder = try folder(place), batch = try batch(of: pixels())
        let store = try ParameterStore(folder.source) { $0.hasPrefix("vision_model.") }
        var options = DualEncoderOptions()
        options.textsFrozen = true
        let whole = try task(folder, batch, options).gradients(store, step: 0, part: 0)
        options.droppedTokens = 0.5
        let half = try task(folder, batch, options).gradients(store, step: 0, part: 0)
        #expect(whole.loss != half.loss && half.gradients.keys == whole.gradients.keys)
    }

    @Test func aTowerThatKeepsEveryPatchSaysSo() throws {
        let folder = try folder("SensoriumCLIP/golden/dinov2"), batch = try batch(of: pixels(side: 28))
        let store = try ParameterStore(folder.source) { $0.hasPrefix("head.") }
        var options = DualEncoderOptions()
        options.droppedTokens = 0.5
        #expect(throws: TrainingError.self) { try task(folder, batch, options).gradients(store, step: 0, part: 0) }
        options.droppedTokens = 0
        #expect(throws: Never.self) { try task(folder, batch, options).gradients(store, step: 0, part: 0) }
    }

    @Test(arguments: [nil, 2]) func aFrozenTextTowerIsWithoutNoise(_ chunk: Int?) throws {
        let folder = try folder("CLIP/golden/vit"), batch = try batch(of: pixels())
        let store = try ParameterStore(folder.source) { $0.hasPrefix("vision_model.") || $0.hasPrefix("visual_projection.") }
        var options = DualEncoderOptions()
        (options.textsFrozen, options.chunk) = (true, chunk)
        let calm = try task(folder, batch, options).gradients(store, step: 0, part: 0)
        #expect(calm.gradients.count == store.names.count)
        options.textsFrozen = false
        // Without noise it is only cheaper.
        let open = try task(folder, batch, options).gradients(store, step: 0, part: 0)
        #expect(calm.loss == open.loss && calm.gradients.mapValues { $0.floats() } == open.gradients.mapValues { $0.floats() })
    }

    @Test func headsLearnFromStoredFeatures() throws {
        let folder = try folder("SensoriumCLIP/golden/clip")
        var generator = RandomGenerator(seed: 5)
        let batch = batch(of: .features(Tensor.randomNormal([6, 28], using: &generator).unitLength()))
        let store = try ParameterStore(folder.source) { $0.hasPrefix("head.") || $0.hasPrefix("text") || $0 == "logit_scale" }
        let task = try task(folder, batch, DualEncoderOptions())
        var plan = TrainingPlan(schedule: Schedule(.constant, rate: 3e-3, total: 25))
        plan.saveEvery = 0
        var losses: [Float] = []
        var trainer = Trainer(store, Optimizer(.adamW()), plan)
        try trainer.run(task, events: { if case let .step(record) = $0 { losses.append(record.loss) } })
        #expect(losses.last! < 0.4 * losses.first!, "\(losses)")
    }

    @Test func picturesFollowATeacher() throws {
        let folder = try folder("SensoriumCLIP/golden/clip")
        var generator = RandomGenerator(seed: 6)
        var batch = batch(of: .features(Tensor.randomNormal([6, 28], using: &generator).unitLength()))
        let taught = Tensor.randomNormal([6, 24], using: &generator).unitLength()
        batch.taught = Taught(pictures: taught)
        let store = try ParameterStore(folder.source) { $0.hasPrefix("head.") }
        var options = DualEncoderOptions()
        options.distillation.cosine = 5
        var plan = TrainingPlan(schedule: Schedule(.constant, rate: 5e-3, total: 60))
        plan.saveEvery = 0
        var trainer = Trainer(store, Optimizer(.adamW()), plan)
        func distance() throws -> Float {
            guard case let .features(features) = batch.pictures else { return .nan }
            let image = try #require(try TenLossesTests.build(folder, trainer.store, [:]).image as? any StagedImageEncoder)
            return try Losses.cosine(image.embed(features: features), taught).scalar
        }
        let before = try distance()
        try trainer.run(task(folder, batch, options))
        #expect(try distance() < 0.2 * before)
        batch.taught = Taught(pictures: Tensor.ones([6, 3]))
        #expect(throws: TrainingError.self) { try task(folder, batch, options).gradients(store, step: 0, part: 0) }
    }

    @Test func onePictureIsNoBatch() throws {
        let folder = try folder("CLIP/golden/vit")
        var generator = RandomGenerator(seed: 4)
        let one = PairBatch(
            pictures: .prepared([Tensor.randomNormal([3, 32, 32], using: &generator)]), owners: [0], texts: ["a"], identities: [0],
            name: "captions.jsonl")
        let store = try ParameterStore(folder.source) { _ in true }
        #expect(throws: TrainingError.self) { try task(folder, one, DualEncoderOptions()).gradients(store, step: 0, part: 0) }
    }

    /// Values by hand: with logits [[a, b], [c, d]] the loss is the mean of four cross-entropies.
    @Test func lossesAreTheFormulas() throws {
        let images = try Tensor([1, 0, 0, 1] as [Float], [2, 2]), texts = try Tensor([0.8, 0.6, 0, 1] as [Float], [2, 2])
        let logits: [[Double]] = [[0.8 * 2, 0], [0.6 * 2, 2]]
        func entropy(_ row: [Double], _ own: Int) -> Double { log(row.map { exp($0) }.reduce(0, +)) - row[own] }
        let rows = entropy(logits[0], 0) + entropy(logits[1], 1)
        let columns = entropy([logits[0][0], logits[1][0]], 0) + entropy([logits[0][1], logits[1][1]], 1)
        let softmax = try Losses.contrastive(images, texts, scale: Tensor(Float(2)))
        #expect(abs(Double(softmax.scalar) - (rows + columns) / 4) < 1e-6)
        let same = try Losses.contrastive(images, texts, scale: Tensor(Float(2)), groups: [7, 7])
        var spread = 0.0, down = 0.0
        for own in 0..<2 {
            let column: [Double] = [logits[0][own], logits[1][own]]
            for other in 0..<2 {
                spread += entropy(logits[own], other) / 2
                down += entropy(column, other) / 2
            }
        }
        #expect(abs(Double(same.scalar) - (spread + down) / 4) < 1e-6)
        let sigmoid = try Losses.sigmoid(images, texts, scale: Tensor(Float(2)), bias: Tensor(Float(-1)))
        var expected = 0.0
        for i in 0..<2 {
            for j in 0..<2 {
                let sign: Double = i == j ? 1 : -1
                expected += log(1 + exp(-sign * (logits[i][j] - 1))) / 2
            }
        }
        #expect(abs(Double(sigmoid.scalar) - expected) < 1e-6)
    }
}
