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
    /// Pictures of an epoch; nil where the data isn't counted.
    let samples: Int?
    let summary: String

    init(
        _ reader: RecipeReader, recipe: Recipe, place: RecipePlace, folder: ModelFolder, loaded: LoadedModel,
        remark: @escaping (String) -> Void
    ) throws {
        guard let text = loaded.text, loaded.textAbsence == nil, let image = loaded.image else {
            throw RoleError(model: recipe.model, role: "dual encoder", reason: loaded.textAbsence ?? "it lacks a tower")
        }
        let options = try Self.options(reader, recipe)
        guard let data = try reader.section("data") else { throw reader.fail("data", "it is missing") }
        let supply: any PairSupply
        if let pictures = try data.section("pictures") {
            let own = try Self.pictures(pictures, place, recipe, image, remark)
            (supply, samples) = (own, own.count)
            summary = own.count.map { "\($0) pictures" } ?? "pictures in shards"
        } else {
            let sets = try data.list("train").map { try Self.set($0, place) }
            supply = try FeaturePairSupply(
                sets, batchSize: recipe.batch, parts: recipe.plan.parts, others: try data.float("others", in: 0...1) ?? 0.3,
                texts: try data.int("texts", in: 1...100) ?? 1, seed: recipe.seed)
            samples = sets.first?.count
            summary = "\(sets.reduce(0) { $0 + $1.count }) pictures in \(sets.count) sets"
        }
        let tests = try data.list("evaluate").map { try Self.test($0, place) }
        task = DualEncoderTask(
            tokenizer: text, supply: supply, options: options,
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
        options.teacherWeight = try section.float("teacher", in: 0...100) ?? 0
        options.picturesFrozen = try section.flag("pictures_frozen") ?? false
        options.largestScale = try section.float("largest_scale", in: 1...1000) ?? 100
        return options
    }

    /// Pictures that are decoded as training goes: a folder, a table, shards, Chinese-CLIP's or COCO's files.
    private static func pictures(
        _ reader: RecipeReader, _ place: RecipePlace, _ recipe: Recipe, _ image: any ImageEncoder, _ remark: @escaping (String) -> Void
    ) throws -> PictureSupply {
        guard let fixed = image as? any FixedSizeImageEncoder else {
            throw reader.fail("open", "this model's pictures have no common size; train on features that its tower gave")
        }
        let source = try open(reader, place)
        var plan = LoadingPlan()
        plan.batchSize = recipe.batch
        if let languages = try reader.strings("languages") { plan.captions = .each(languages) }
        let low = Double(try reader.float("crop", in: 0.05...1) ?? 0.9)
        var steps: [any Augmentation] = []
        if low < 1 { steps.append(try RandomResizedCrop(size: fixed.shortestUsefulSide, scale: low...1, filter: .bicubic)) }
        if try reader.flag("flip") ?? false { steps.append(try HorizontalFlip()) }
        plan.views = [PictureView(steps: steps, transform: fixed.transform)]
        return PictureSupply(source, plan, seed: recipe.seed) { remark("left out: \($0)") }
    }

    private static func open(_ reader: RecipeReader, _ place: RecipePlace) throws -> any SampleSource {
        var options = DataOptions()
        options.language = try reader.string("language")
        options.root = try reader.string("root").map { place.path($0) }
        let paths = try reader.require("open").split(separator: ",").map { place.path($0.trimmingCharacters(in: .whitespaces)) }
        return try DataOpener.open(paths.joined(separator: ","), options)
    }

    private static func test(_ reader: RecipeReader, _ place: RecipePlace) throws -> RetrievalScoring {
        guard reader.has("open") else { return RetrievalScoring(try set(reader, place)) }
        let name = try reader.string("name") ?? "pictures"
        guard let source = try open(reader, place) as? any IndexedSource else {
            throw reader.fail("open", "shards can't be measured on: name a folder or a table")
        }
        return try RetrievalScoring(name: name, source)
    }

    private static func set(_ reader: RecipeReader, _ place: RecipePlace) throws -> FeatureSet {
        let features = place.path(try reader.require("features"))
        let keep = try reader.string("keep").map { try lines(place.path($0)) }
        let leave = try reader.string("leave").map { try lines(place.path($0)) }
        let weight = try reader.float("weight", in: 0...1000) ?? 1, name = try reader.string("name")
        let teacher = try reader.string("teacher").map { place.path($0) }
        func read(_ section: RecipeReader) throws -> FeatureSet {
            try FeatureSet(
                name: name, features: features, teacher: teacher, captions: place.path(try section.require("captions")),
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
