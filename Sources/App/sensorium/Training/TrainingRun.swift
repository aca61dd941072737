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
        let model = try ModelPlace(
            FileManager.default.fileExists(atPath: place.path(recipe.model)) ? place.path(recipe.model) : recipe.model)
        let folder = try model.folder()
        let learning = try ContrastiveLearning(
            reader, recipe: recipe, place: place, folder: folder, loaded: model.load(), remark: { Console.standard.error($0) })
        try reader.finish()
        guard recipe.epochs == nil || learning.samples != nil else {
            throw TrainingError.recipe(file: file, field: "epochs", problem: "the samples of shards aren't counted: give steps")
        }
        recipe.setSteps(samples: learning.samples ?? 0)
        let store = try ParameterStore(folder.source, isTrained: recipe.isTrained)
        guard !store.names.isEmpty else {
            throw TrainingError.recipe(file: file, field: "train", problem: "no parameter of \(recipe.model) fits its patterns")
        }
        // Another output folder or another rhythm of saving doesn't make it another run.
        let identity = changed.filter { $0.key != "output" }.sorted { $0.key < $1.key }.map { "\($0.key)=\($0.value)" }.joined(
            separator: "\n")
        let digest = try model.digest()
        let checkpoints = try CheckpointFolder(
            path: output, identity: ContentHash(of: Array("\(text)\n\(identity)\n\(digest)".utf8)).hex
        ) { store, target in
            try Self.export(store, folder, to: target)
        }
        trainer = Trainer(store, recipe.makeOptimizer(), recipe.plan, checkpoints: checkpoints)
        task = learning.task
        self.recipe = recipe
        summary =
            "\(learning.summary); \(NumberText.grouped(store.count)) of \(model.name)'s parameters in \(store.names.count) tensors; \(recipe.plan.schedule.total) steps of \(recipe.batch * recipe.plan.parts)"
    }

    /// The model as a folder that loads: all weights, and the files beside them.
    private static func export(_ store: ParameterStore, _ folder: ModelFolder, to target: URL) throws {
        try SafetensorsWriter.write(
            store.tensors(), metadata: ["format": "pt"], to: target.appendingPathComponent("model.safetensors").path)
        guard let source = folder.directory else { return }
        for name in try FileManager.default.contentsOfDirectory(atPath: source.path)
        where ["json", "txt", "model"].contains((name as NSString).pathExtension) && !name.hasSuffix("index.json") {
            try FileManager.default.copyItem(at: source.appendingPathComponent(name), to: target.appendingPathComponent(name))
        }
    }
}

/// Paths of a recipe are resolved beside it.
struct RecipePlace {
    private let folder: URL

    init(_ file: String) { folder = URL(fileURLWithPath: file).deletingLastPathComponent() }

    func path(_ text: String) -> String {
        if text.hasPrefix("~") { return (text as NSString).expandingTildeInPath }
        return text.hasPrefix("/") ? text : folder.appendingPathComponent(text).standardizedFileURL.path
    }
}
