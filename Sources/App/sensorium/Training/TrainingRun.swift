import Catalog
import Checkpoints
import Foundation
import Imaging
import ModelKit
import Tensors
import Training
import TrainingData

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
        if recipe.task == .linearProbe {
            let probe = try ProbeLearning(reader, recipe: recipe, place: place)
            try reader.finish()
            (learning, start) = (probe, probe.start)
        } else {
            let model = try place.model(recipe.model)
            let beginning: Beginning? = try reader.choice("initialise")
            let folder = try beginning == .random ? RandomStart.folder(model.path, seed: recipe.seed) : model.folder()
            learning = try Self.learning(reader, recipe, place, folder)
            try reader.finish()
            start = try TrainingStart(recipe, model, folder, added: learning.added)
        }
        guard recipe.epochs == nil || learning.samples != nil else {
            throw TrainingError.recipe(file: file, field: "epochs", problem: "the samples of shards aren't counted: give steps")
        }
        recipe.setSteps(samples: learning.samples ?? 0)
        if !recipe.plan.precision.isFast {
            Console.standard.error("this processor has no instructions for bf16: `precision: bf16` saves memory here, f32 is faster")
        }
        let store = start.store
        guard !store.names.isEmpty else {
            throw TrainingError.recipe(file: file, field: "train", problem: "no parameter of \(recipe.model) fits its patterns")
        }
        // Another output folder or another rhythm of saving doesn't make it another run.
        let identity = changed.filter { $0.key != "output" }.sorted { $0.key < $1.key }.map { "\($0.key)=\($0.value)" }.joined(
            separator: "\n")
        let checkpoints = try CheckpointFolder(
            path: output, identity: ContentHash(of: Array("\(text)\n\(identity)\n\(start.digest)\(learning.identity)".utf8)).hex,
            export: start.export)
        trainer = Trainer(store, recipe.makeOptimizer(), recipe.plan, checkpoints: checkpoints)
        task = learning.task
        self.recipe = recipe
        summary =
            "\(learning.summary); \(NumberText.grouped(store.count))\(start.words) in \(store.names.count) tensors; \(recipe.plan.schedule.total) steps of \(recipe.batch * recipe.plan.parts)"
    }

    /// Weights that training begins with, where they aren't the model's own.
    private enum Beginning: String, CaseIterable { case random }

    private static func learning(
        _ reader: RecipeReader, _ recipe: Recipe, _ place: RecipePlace, _ folder: ModelFolder
    ) throws -> any Learning {
        let remark = { @Sendable (text: String) in Console.standard.error(text) }
        switch recipe.task {
        case .contrastive:
            return try ContrastiveLearning(
                reader, recipe: recipe, place: place, folder: folder, loaded: Catalog.load(folder), remark: remark)
        case .simclr, .byol, .dino, .masked:
            return try SelfSupervisedLearning(reader, recipe: recipe, place: place, folder: folder, remark: remark)
        case .linearProbe: return try ProbeLearning(reader, recipe: recipe, place: place)
        }
    }
}

/// What a task of a recipe brings along.
protocol Learning {
    var task: any TrainingTask { get }
    /// Samples of an epoch; nil where they aren't counted.
    var samples: Int? { get }
    var summary: String { get }
    /// Parameters that the start doesn't have, at their first values: trained, kept for a restart, and left out of exported models.
    var added: [String: Tensor] { get }
    /// What makes it another run beside recipe and start: other models that it uses.
    var identity: String { get }
}

extension Learning {
    var added: [String: Tensor] { [:] }
    var identity: String { "" }
}

/// Paths of a recipe are resolved beside it.
struct RecipePlace {
    private let folder: URL

    init(_ file: String) { folder = URL(fileURLWithPath: file).deletingLastPathComponent() }

    /// A model beside the recipe, or one of the catalogue.
    func model(_ name: String) throws -> ModelPlace {
        try ModelPlace(FileManager.default.fileExists(atPath: path(name)) ? path(name) : name)
    }

    /// The data that a section names.
    func source(_ reader: RecipeReader, _ field: String = "open") throws -> any SampleSource {
        var options = DataOptions()
        options.language = try reader.string("language")
        options.root = try reader.string("root").map { path($0) }
        let paths = try reader.require(field).split(separator: ",").map { path($0.trimmingCharacters(in: .whitespaces)) }
        return try DataOpener.open(paths.joined(separator: ","), options)
    }

    func path(_ text: String) -> String {
        if text.hasPrefix("~") { return (text as NSString).expandingTildeInPath }
        return text.hasPrefix("/") ? text : folder.appendingPathComponent(text).standardizedFileURL.path
    }
}
