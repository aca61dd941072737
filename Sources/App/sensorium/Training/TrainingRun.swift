import Catalog
import Checkpoints
import Foundation
import Imaging
import ModelKit
import Tensors
import Training

/// A recipe with its model and data, ready to run.
struct TrainingRun {
    let recipe: Recipe
    let trainer: Trainer
    let task: any TrainingTask
    /// Where log, report and checkpoints go.
    let output: String
    let summary: String

    /// - Parameter changes: `field=value`, as `--set` has them.
    init(recipe file: String, changes: [String]) throws {
        var changed: [String: String] = [:]
        for change in changes {
            let parts = change.split(separator: "=", maxSplits: 1).map(String.init)
            guard parts.count == 2 else { throw Failure(.usage, "--set \(change): field=value is expected") }
            changed[parts[0]] = parts[1]
        }
        let text = try RecipeReader.text(of: file), reader = try RecipeReader.parse(text, file: file, changes: changed)
        var recipe = try Recipe(reader, file: file, text: text)
        let place = RecipePlace(file)
        output = changed["output"] ?? place.path(recipe.output)
        let learning: any Learning, start: TrainingStart
        switch recipe.task {
        case .contrastive:
            let model = try place.model(recipe.model), folder = try model.folder()
            learning = try ContrastiveLearning(
                reader, recipe: recipe, place: place, folder: folder, loaded: model.load(), remark: { Console.standard.error($0) })
            try reader.finish()
            start = try TrainingStart(recipe, model, folder)
        case .linearProbe:
            let probe = try ProbeLearning(reader, recipe: recipe, place: place)
            try reader.finish()
            (learning, start) = (probe, probe.start)
        }
        guard recipe.epochs == nil || learning.samples != nil else {
            throw TrainingError.recipe(file: file, field: "epochs", problem: "the samples of shards aren't counted: give steps")
        }
        recipe.setSteps(samples: learning.samples ?? 0)
        let store = start.store
        guard !store.names.isEmpty else {
            throw TrainingError.recipe(file: file, field: "train", problem: "no parameter of \(recipe.model) fits its patterns")
        }
        // Another output folder or another rhythm of saving doesn't make it another run.
        let identity = changed.filter { $0.key != "output" }.sorted { $0.key < $1.key }.map { "\($0.key)=\($0.value)" }.joined(
            separator: "\n")
        let checkpoints = try CheckpointFolder(
            path: output, identity: ContentHash(of: Array("\(text)\n\(identity)\n\(start.digest)".utf8)).hex, export: start.export)
        trainer = Trainer(store, recipe.makeOptimizer(), recipe.plan, checkpoints: checkpoints)
        task = learning.task
        self.recipe = recipe
        summary =
            "\(learning.summary); \(NumberText.grouped(store.count))\(start.words) in \(store.names.count) tensors; \(recipe.plan.schedule.total) steps of \(recipe.batch * recipe.plan.parts)"
    }
}

/// Paths of a recipe are resolved beside it.
struct RecipePlace {
    private let folder: URL

    init(_ file: String) { folder = URL(fileURLWithPath: file).deletingLastPathComponent() }

    /// A model beside the recipe, or one of the catalogue.
    func model(_ name: String) throws -> ModelPlace {
        try ModelPlace(FileManager.default.fileExists(atPath: path(name)) ? path(name) : name)
    }

    func path(_ text: String) -> String {
        if text.hasPrefix("~") { return (text as NSString).expandingTildeInPath }
        return text.hasPrefix("/") ? text : folder.appendingPathComponent(text).standardizedFileURL.path
    }
}
