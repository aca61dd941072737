import Catalog
import Checkpoints
import Foundation
import ModelKit
import Tensors
import Training
import TrainingData

/// The task `contrastive`: its data, its loss, its scores.
struct ContrastiveLearning: Learning {
    let task: any TrainingTask
    let samples: Int?
    let summary: String
    let identity: String

    init(
        _ reader: RecipeReader, recipe: Recipe, place: RecipePlace, folder: ModelFolder, loaded: LoadedModel,
        remark: @escaping (String) -> Void
    ) throws {
        guard let text = loaded.text, loaded.textAbsence == nil, let image = loaded.image else {
            throw RoleError(model: recipe.model, role: "dual encoder", reason: loaded.textAbsence ?? "it lacks a tower")
        }
        var options = try Self.options(reader, recipe)
        let lessons = try Self.teacher(reader, place, &options), teacher = try lessons?.load()
        var isTaught = teacher != nil
        identity = try lessons.map { try $0.digest() } ?? ""
        guard let data = try reader.section("data") else { throw reader.fail("data", "it is missing") }
        let supply: any PairSupply
        if let pictures = try data.section("pictures") {
            let own = try Self.pictures(pictures, place, recipe, image, teacher, remark)
            (supply, samples) = (own, own.count)
            summary = own.count.map { "\($0) pictures" } ?? "pictures in shards"
        } else {
            let sets = try data.list("train").map { try Self.set($0, place) }
            isTaught = isTaught || sets.contains { !$0.teachers.isEmpty }
            supply = try FeaturePairSupply(
                sets, batchSize: recipe.batch, parts: recipe.plan.parts, others: try data.float("others", in: 0...1) ?? 0.3,
                texts: try data.int("texts", in: 1...100) ?? 1, seed: recipe.seed)
            samples = sets.first?.count
            summary = "\(sets.reduce(0) { $0 + $1.count }) pictures in \(sets.count) sets"
        }
        guard isTaught || options.distillation.isEmpty else {
            throw reader.fail("teacher", "name its model, or the files of its vectors beside the data's features")
        }
        let tests = try data.list("evaluate").map { try Self.test($0, place) }
        options.momentum = try Self.momentum(reader, options, steps: samples.map { $0 / (recipe.batch * recipe.plan.parts) })
        task = DualEncoderTask(
            tokenizer: text, supply: supply, options: options, teacher: try teacher.map { try LiveTeacher($0) },
            scoring: { model in try Self.scores(model, tokenizer: text, tests) },
            build: { store, variables in
                try Catalog.rebuild(folder.network(over: store.source(variables)))
            })
    }

    private static func options(_ reader: RecipeReader, _ recipe: Recipe) throws -> DualEncoderOptions {
        var options = DualEncoderOptions()
        options.seed = recipe.seed
        options.adapterDropout = recipe.adapter?.dropout ?? 0
        guard let section = try reader.section("loss") else { return options }
        options.loss = try section.choice("kind") ?? .softmax
        options.chunk = try section.int("chunk", in: 1...1_000_000)
        options.dropout = try section.float("dropout", in: 0...0.9) ?? 0
        options.droppedTokens = try section.float("dropped_tokens", in: 0...0.95) ?? 0
        options.featureNoise = try section.float("feature_noise", in: 0...10) ?? 0
        options.textTextWeight = try section.float("text_text", in: 0...100) ?? 0
        options.pairWeight = try section.float("pairs", in: 0...100) ?? 1
        options.picturesFrozen = try section.flag("pictures_frozen") ?? false
        options.textsFrozen = try section.flag("texts_frozen") ?? false
        options.largestScale = try section.float("largest_scale", in: 1...1000) ?? 100
        return options
    }

    /// What is learnt from a teacher, and the teacher where it is a model; vectors that are stored come with the data.
    private static func teacher(
        _ reader: RecipeReader, _ place: RecipePlace, _ options: inout DualEncoderOptions
    ) throws -> ModelPlace? {
        guard let section = try reader.section("teacher") else { return nil }
        let weights = 0...Float(100_000)
        options.distillation.cosine = try section.float("cosine", in: weights) ?? 0
        options.distillation.square = try section.float("square", in: weights) ?? 0
        options.distillation.affinity = try section.float("affinity", in: weights) ?? 0
        options.distillation.relations = try section.float("relations", in: weights) ?? 0
        options.distillation.temperature = try section.float("temperature", in: 1e-4...1e4)
        guard !options.distillation.isEmpty else {
            throw reader.fail("teacher", "give cosine, square, affinity or relations a weight above 0")
        }
        return try section.string("model").map { try place.model($0) }
    }

    /// - Parameter steps: of an epoch.
    private static func momentum(
        _ reader: RecipeReader, _ options: DualEncoderOptions, steps: Int?
    ) throws -> MomentumDistillation? {
        guard let section = try reader.section("momentum") else { return nil }
        guard options.loss == .softmax else { throw reader.fail("momentum", "it goes with the softmax loss alone") }
        var momentum = MomentumDistillation()
        momentum.share = try section.float("share", in: 0...1) ?? momentum.share
        momentum.queue = try section.int("queue", in: 0...1 << 22) ?? momentum.queue
        momentum.alpha = try section.float("alpha", in: 0...1) ?? momentum.alpha
        momentum.rise = try section.int("rise") ?? steps ?? 0
        return momentum
    }

    /// Pictures that are decoded as training goes: a folder, a table, shards, Chinese-CLIP's or COCO's files.
    private static func pictures(
        _ reader: RecipeReader, _ place: RecipePlace, _ recipe: Recipe, _ image: any ImageEncoder, _ teacher: LoadedModel?,
        _ remark: @escaping (String) -> Void
    ) throws -> PictureSupply {
        guard let fixed = image as? any FixedSizeImageEncoder else {
            throw reader.fail("open", "this model's pictures have no common size; train on features that its tower gave")
        }
        let source = try place.source(reader)
        var plan = LoadingPlan()
        plan.batchSize = recipe.batch
        if let languages = try reader.strings("languages") { plan.captions = .each(languages) }
        let low = Double(try reader.float("crop", in: 0.05...1) ?? 0.9)
        let flip = try reader.flag("flip") ?? false
        func view(_ encoder: any FixedSizeImageEncoder, twin: Int? = nil) throws -> PictureView {
            var steps: [any Augmentation] = []
            if low < 1 { steps.append(try RandomResizedCrop(size: encoder.shortestUsefulSide, scale: low...1, filter: .bicubic)) }
            if flip { steps.append(try HorizontalFlip()) }
            return PictureView(steps: steps, transform: encoder.transform, twin: twin)
        }
        plan.views = [try view(fixed)]
        if let teacher {
            guard let seen = teacher.image as? any FixedSizeImageEncoder else {
                throw reader.fail("open", "\(teacher.family)'s pictures have no common size, so it can't teach")
            }
            // The same part of the picture, as large as the teacher wants it.
            plan.views.append(try view(seen, twin: 0))
        }
        return PictureSupply(source, plan, seed: recipe.seed) { remark("left out: \($0)") }
    }

    private static func test(_ reader: RecipeReader, _ place: RecipePlace) throws -> RetrievalScoring {
        guard reader.has("open") else { return RetrievalScoring(try set(reader, place)) }
        let name = try reader.string("name") ?? "pictures"
        guard let source = try place.source(reader) as? any IndexedSource else {
            throw reader.fail("open", "shards can't be measured on: name a folder or a table")
        }
        return try RetrievalScoring(name: name, source)
    }

    private static func set(_ reader: RecipeReader, _ place: RecipePlace) throws -> FeatureSet {
        guard let features = try reader.strings("features")?.map(place.path) else { throw reader.fail("features", "it is missing") }
        let keep = try reader.string("keep").map { try lines(place.path($0)) }
        let leave = try reader.string("leave").map { try lines(place.path($0)) }
        let weight = try reader.float("weight", in: 0...1000) ?? 1, name = try reader.string("name")
        let teachers = try reader.strings("teacher")?.map(place.path) ?? []
        func read(_ section: RecipeReader) throws -> FeatureSet {
            try FeatureSet(
                name: name, features: features, teachers: teachers, captions: place.path(try section.require("captions")),
                language: try section.string("language") ?? "en", weight: weight
            ) { (keep?.contains($0) ?? true) && !(leave?.contains($0) ?? false) }
        }
        // One file of captions for all languages, or one each.
        let parts = try reader.list("texts")
        guard let first = parts.first else { return try read(reader) }
        return try parts.dropFirst().reduce(read(first)) { try $0.adding(captions: read($1)) }
    }

    private static func lines(_ file: String) throws -> Set<String> {
        guard let text = try? String(contentsOfFile: file, encoding: .utf8) else { throw TrainingError.data("\(file): it can't be read") }
        return Set(text.split(whereSeparator: \.isNewline).map(String.init))
    }

    /// The scores of every set; `score` is the mean of the first one's recalls at 10.
    private static func scores(
        _ model: LoadedModel, tokenizer: any TextEncoder, _ sets: [RetrievalScoring]
    ) throws -> [String: Float] {
        var all: [String: Float] = [:]
        for (place, set) in sets.enumerated() {
            let scores = try set.scores(model, tokenizer: tokenizer)
            let main = scores.filter { $0.key.hasSuffix("r@10") }.sorted { $0.key < $1.key }.map(\.value)
            if place == 0, !main.isEmpty { all["score"] = main.reduce(0, +) / Float(main.count) }
            all.merge(scores) { $1 }
        }
        return all
    }
}
