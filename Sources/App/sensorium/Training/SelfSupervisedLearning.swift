import Catalog
import Checkpoints
import Foundation
import Imaging
import ModelKit
import Tensors
import Training
import TrainingData

/// The tasks `simclr`, `byol`, `dino` and `masked`: pictures without labels, seen in several ways.
struct SelfSupervisedLearning: Learning {
    let task: any TrainingTask
    let samples: Int?
    let summary: String
    let added: [String: Tensor]

    init(_ reader: RecipeReader, recipe: Recipe, place: RecipePlace, folder: ModelFolder, remark: @escaping (String) -> Void) throws {
        guard let encoder = try Catalog.load(folder).image as? any PatchImageEncoder else {
            throw RoleError(model: recipe.model, role: "encoder of patches", reason: "ViT and DINOv2 learn from pictures alone")
        }
        guard let data = try reader.section("data") else { throw reader.fail("data", "it is missing") }
        guard let pictures = try data.section("pictures") else { throw data.fail("pictures", "it is missing") }
        let source = try place.source(pictures)
        samples = (source as? any IndexedSource)?.count
        var counted = recipe
        counted.setSteps(samples: samples ?? 0)
        let views = try Self.views(reader, recipe.task, encoder)
        let objective = try Self.objective(reader, counted, epoch: (samples ?? 0) / (recipe.batch * recipe.plan.parts), encoder)
        let tests = try data.list("evaluate").map { try Self.test($0, place, encoder) }
        var plan = LoadingPlan()
        (plan.batchSize, plan.requiresCaptions, plan.views) = (recipe.batch, false, views)
        var added = SelfSupervisedTask.heads(objective, encoder: encoder, seed: recipe.seed)
        let isMasked = recipe.task == .masked
        if isMasked, !folder.has(encoder.maskToken.name) {
            added[encoder.maskToken.name] = .zeros(encoder.maskToken.shape)
        }
        self.added = added
        summary = samples.map { "\($0) pictures" } ?? "pictures in shards"
        task = SelfSupervisedTask(
            objective, encoder: encoder,
            supply: PictureSupply(source, plan, seed: recipe.seed) { remark("left out: \($0)") }, seed: recipe.seed,
            scoring: { try Self.scores($0, tests, isMasked: isMasked) },
            build: { store, replaced in
                let source = store.source(replaced) { !$0.hasPrefix(SelfSupervisedTask.prefix) }
                let model = try Catalog.rebuild(ModelFolder(path: folder.path, config: folder.config, source: source))
                guard let built = model.image as? any PatchImageEncoder else {
                    throw RoleError(model: recipe.model, role: "encoder of patches", reason: "it was one before")
                }
                return built
            })
    }

    /// The scores of every set; `score` is the first one's.
    private static func scores(_ encoder: any PatchImageEncoder, _ tests: [NeighbourScoring], isMasked: Bool) throws -> [String: Float] {
        var all: [String: Float] = [:]
        for (place, test) in tests.enumerated() {
            // Nothing teaches the class token of an encoder whose patches are hidden.
            let scores = try test.scores { pixels in
                isMasked ? try encoder.patches(pixels: pixels, hidden: nil).mean([1]) : try encoder.embed(pixels: pixels)
            }
            if place == 0 { all["score"] = scores[test.name + ".knn"] }
            all.merge(scores) { $1 }
        }
        return all
    }

    private static func test(_ reader: RecipeReader, _ place: RecipePlace, _ encoder: any PatchImageEncoder) throws -> NeighbourScoring {
        func indexed(_ field: String) throws -> any IndexedSource {
            guard let source = try place.source(reader, field) as? any IndexedSource else {
                throw reader.fail(field, "shards can't be measured on: name a folder of classes or a table")
            }
            return source
        }
        return try NeighbourScoring(
            name: reader.string("name") ?? "pictures", training: indexed("open"), test: indexed("test"), transform: encoder.transform,
            k: reader.int("k", in: 1...1000) ?? 20)
    }

    /// What the network is shown of each picture, as the method's authors do.
    private static func views(_ reader: RecipeReader, _ task: Recipe.Task, _ encoder: any PatchImageEncoder) throws -> [PictureView] {
        let section = try reader.section("views"), transform = encoder.transform
        let size = try section?.int("size", in: encoder.patchSide...4096) ?? encoder.pictureSide
        let usual: Float = task == .masked ? 0.67 : task == .dino ? 0.25 : 0.08
        let scale = Double(try section?.float("crop", in: 0.01...1) ?? usual)...1
        let own: PictureView.Statistics = (transform.mean ?? [0, 0, 0], transform.deviation ?? [1, 1, 1])
        switch task {
        case .simclr:
            let strength = Double(try section?.float("strength", in: 0...2) ?? 1)
            return [PictureView](repeating: try .simCLR(size: size, scale: scale, strength: strength, statistics: own), count: 2)
        case .byol, .dino:
            var all = [
                try PictureView.dino(size: size, scale: scale, blur: 1, statistics: own),
                try PictureView.dino(size: size, scale: scale, blur: 0.1, solarize: 0.2, statistics: own),
            ]
            guard task == .dino else { return all }
            let side = try section?.int("local_size", in: encoder.patchSide...4096) ?? size / 2
            let local = try PictureView.dino(size: side, scale: min(0.05, scale.lowerBound)...scale.lowerBound, blur: 0.5, statistics: own)
            all += [PictureView](repeating: local, count: try section?.int("local", in: 0...60) ?? 6)
            return all
        default: return [try .supervised(size: size, scale: scale, statistics: own)]
        }
    }

    /// - Parameter epoch: its steps, where they are counted.
    private static func objective(
        _ reader: RecipeReader, _ recipe: Recipe, epoch: Int, _ encoder: any PatchImageEncoder
    ) throws -> any SelfSupervisedObjective {
        let section = try reader.section("objective"), steps = recipe.plan.schedule.total, widths = 1...1 << 17
        let hidden = try section?.int("hidden", in: widths)
        switch recipe.task {
        case .byol:
            var byol = BYOL(steps: steps)
            byol.share = try section?.float("share", in: 0...1) ?? byol.share
            byol.hidden = hidden ?? byol.hidden
            byol.output = try section?.int("output", in: widths) ?? byol.output
            return byol
        case .dino:
            var dino = DINO(steps: steps)
            dino.share = try section?.float("share", in: 0...1) ?? dino.share
            dino.hidden = hidden ?? dino.hidden
            dino.bottleneck = try section?.int("bottleneck", in: widths) ?? dino.bottleneck
            dino.prototypes = try section?.int("prototypes", in: widths) ?? dino.prototypes
            dino.centring = try section?.float("centring", in: 0...1) ?? dino.centring
            dino.temperatures.0 = try section?.float("first_temperature", in: 1e-3...10) ?? dino.temperatures.0
            dino.temperatures.1 = try section?.float("temperature", in: 1e-3...10) ?? dino.temperatures.1
            dino.temperatureSteps = try section?.int("temperature_steps") ?? steps * 3 / 10
            dino.fixedSteps = try section?.int("fixed_steps") ?? epoch
            return dino
        case .masked:
            var masked = MaskedPictures()
            masked.hidden = try section?.float("hidden_share", in: 0.01...0.99) ?? masked.hidden
            masked.unit = try section?.int("unit", in: encoder.patchSide...4096) ?? 2 * encoder.patchSide
            masked.normalised = try section?.flag("normalised") ?? masked.normalised
            masked.absolute = try section?.flag("absolute") ?? masked.absolute
            return masked
        default:
            var simclr = SimCLR()
            simclr.temperature = try section?.float("temperature", in: 1e-3...100) ?? simclr.temperature
            simclr.hidden = hidden
            simclr.output = try section?.int("output", in: widths) ?? simclr.output
            return simclr
        }
    }
}
