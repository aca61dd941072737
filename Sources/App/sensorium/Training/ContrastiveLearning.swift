import Catalog
import Checkpoints
import Foundation
import ModelKit
import Tensors
import Training

/// The task `contrastive`: its data, its loss, its scores.
struct ContrastiveLearning {
    let task: DualEncoderTask
    /// Pictures of an epoch.
    let samples: Int
    let summary: String

    init(_ reader: RecipeReader, recipe: Recipe, place: RecipePlace, folder: ModelFolder, loaded: LoadedModel) throws {
        guard let text = loaded.text, loaded.textAbsence == nil, loaded.image != nil else {
            throw RoleError(model: recipe.model, role: "dual encoder", reason: loaded.textAbsence ?? "it lacks a tower")
        }
        let options = try Self.options(reader, recipe)
        let data = try reader.section("data")
        guard let data else { throw reader.fail("data", "it is missing") }
        let sets = try data.list("train").map { try Self.set($0, place) }
        let tests = try data.list("evaluate").map { try Self.set($0, place) }
        let supply = try FeaturePairSupply(
            sets, batchSize: recipe.batch, parts: recipe.plan.parts, others: try data.float("others", in: 0...1) ?? 0.3,
            texts: try data.int("texts", in: 1...100) ?? 1, seed: recipe.seed)
        samples = sets[0].count
        summary = "\(sets.reduce(0) { $0 + $1.count }) pictures in \(sets.count) sets"
        task = DualEncoderTask(
            tokenizer: text, supply: supply, options: options,
            scoring: { model in try Self.scores(model, tokenizer: text, tests) },
            build: { store, variables in
                // Without its folder a model comes without tokenizer and transform, which are loaded once.
                try Catalog.rebuild(ModelFolder(path: folder.path, config: folder.config, source: store.source(variables)))
            })
    }

    private static func options(_ reader: RecipeReader, _ recipe: Recipe) throws -> DualEncoderOptions {
        var options = DualEncoderOptions()
        options.seed = recipe.seed
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

    private static func set(_ reader: RecipeReader, _ place: RecipePlace) throws -> FeatureSet {
        let features = place.path(try reader.require("features"))
        let keep = try reader.string("keep").map { try Self.lines(place.path($0)) }
        let leave = try reader.string("leave").map { try Self.lines(place.path($0)) }
        let weight = try reader.float("weight", in: 0...1000) ?? 1
        let name = try reader.string("name")
        func read(_ section: RecipeReader) throws -> FeatureSet {
            try FeatureSet(
                name: name, features: features, captions: place.path(try section.require("captions")),
                language: try section.string("language") ?? "en",
                weight: weight
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

    /// Recall at 1, 5 and 10 of pictures by each text, for each set and language; `score` is the mean of recalls at 10 of the first set.
    private static func scores(_ model: LoadedModel, tokenizer: any TextEncoder, _ sets: [FeatureSet]) throws -> [String: Float] {
        guard let image = model.image as? any StagedImageEncoder, let text = model.text else { return [:] }
        var scores: [String: Float] = [:], main: [Float] = []
        for (place, set) in sets.enumerated() {
            var rows: [Tensor] = []
            for start in stride(from: 0, to: set.count, by: 256) {
                let part = try set.features.sliced(0, start..<min(set.count, start + 256)).asType(.f32).contiguous()
                rows.append(try image.embed(features: part).unitLength())
            }
            let pictures = try Tensor.concatenated(rows).transposed()
            for language in Set(set.captions.flatMap(\.keys)).sorted() {
                var texts: [(String, Int)] = []
                for (row, captions) in set.captions.enumerated() { texts += (captions[language] ?? []).map { ($0, row) } }
                texts.sort { ($0.0.utf8.count, $0.0, $0.1) < ($1.0.utf8.count, $1.0, $1.1) }
                var hits = [0, 0, 0]
                for start in stride(from: 0, to: texts.count, by: 256) {
                    let part = texts[start..<min(texts.count, start + 256)]
                    let vectors = try text.embed(tokenizer.tokenize(part.map(\.0))).unitLength()
                    let similarity = try vectors.matmul(pictures).floats()
                    for (index, (_, own)) in part.enumerated() {
                        let row = similarity[index * set.count..<(index + 1) * set.count], wanted = row[row.startIndex + own]
                        let better = row.count { $0 > wanted }
                        for (at, k) in [1, 5, 10].enumerated() where better < k { hits[at] += 1 }
                    }
                }
                for (at, k) in [1, 5, 10].enumerated() {
                    let recall = 100 * Float(hits[at]) / Float(max(1, texts.count))
                    scores["\(set.name).\(language).r@\(k)"] = recall
                    if place == 0, k == 10 { main.append(recall) }
                }
            }
        }
        if !main.isEmpty { scores["score"] = main.reduce(0, +) / Float(main.count) }
        return scores
    }
}
