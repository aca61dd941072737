import Checkpoints
import Evaluation
import Foundation
import Imaging
import Tensors
import Training

/// The task `linear-probe`: a linear classifier over a frozen encoder's embeddings, or over stored features.
struct ProbeLearning: Learning {
    let task: any TrainingTask
    let samples: Int?
    let summary: String
    let start: TrainingStart

    init(_ reader: RecipeReader, recipe: Recipe, place: RecipePlace) throws {
        guard let data = try reader.section("data") else { throw reader.fail("data", "it is missing") }
        guard recipe.adapter == nil else { throw reader.fail("adapter", "a linear probe's encoder stays as it is") }
        let precision: WeightFormat? = try reader.choice("encoder_precision")
        let options = try EvaluationOptions.parse(precision.map { ["--precision", $0.rawValue] } ?? [])
        let encoder = try recipe.model.isEmpty ? nil : EvaluationModel(place.model(recipe.model).spec, options)
        var probe = LinearProbeTask.Options(batch: recipe.batch, parts: recipe.plan.parts, seed: recipe.seed)
        if let loss = try reader.section("loss") {
            probe.smoothing = try loss.float("smoothing", in: 0...0.9) ?? 0
            probe.noise = try loss.float("feature_noise", in: 0...10) ?? 0
        }
        let normalises = try data.flag("normalize") ?? false
        func input(_ name: String) throws -> LabelledInput? {
            guard let path = try data.string(name).map({ place.path($0) }) else { return nil }
            return try LabelledInput(path, labels: data.string(name + "_labels").map { place.path($0) }, model: encoder)
        }
        guard let all = try input("train") else { throw data.fail("train", "it is missing") }
        let share = try data.float("hold_out", in: 0...0.9), classes = all.set.classes
        let apart = try input("evaluate")?.relabelled(as: all)
        guard share == nil || apart == nil else { throw data.fail("hold_out", "give it or evaluate, not both") }
        var (own, kept) = (try Self.features(all.examples(normalised: normalises)), try apart?.examples(normalised: normalises))
        if let share, share > 0 {
            let rows = all.set.split(share: Double(share), seed: recipe.seed)
            guard !rows.second.isEmpty else { throw data.fail("hold_out", "no class has two pictures, so none can be held out") }
            own = try Self.features(all.examples(rows.first, normalised: normalises))
            kept = try all.examples(rows.second, normalised: normalises)
        }
        let width = own.rows.dim(1)
        task = try LinearProbeTask(training: own, evaluation: kept.map(Self.features), options: probe)
        samples = own.labels.count
        summary = "\(NumberText.grouped(own.labels.count)) pictures of \(classes.count) classes, \(kept?.labels.count ?? 0) to evaluate on"
        let head = LinearProbeTask.start(classes: classes.count, width: width)
        let name = encoder?.place.name
        start = TrainingStart(
            store: try ParameterStore(MissingBase(), added: head, isTrained: recipe.isTrained),
            words: " of a linear classifier" + (name.map { " over \($0)" } ?? ""),
            digest: try encoder.map { try $0.place.digest() } ?? "features"
        ) { store, target in
            try Self.export(store, classes, encoder: name, width: width, normalises, to: target)
        }
    }

    private static func features(_ examples: LinearProbe.Examples) throws -> LabelledFeatures {
        try LabelledFeatures(rows: examples.features, labels: examples.labels)
    }

    /// The classifier with Hugging Face's names: `classifier.weight`, `classifier.bias`, and the labels in `config.json`.
    private static func export(
        _ store: ParameterStore, _ classes: [String], encoder: String?, width: Int, _ normalises: Bool, to target: URL
    ) throws {
        try SafetensorsWriter.write(
            store.tensors(), metadata: ["format": "pt"], to: target.appendingPathComponent("model.safetensors").path)
        let names = classes.enumerated().map { "\"\($0)\": \(JSONText.quoted($1))" }.joined(separator: ", ")
        let places = classes.enumerated().map { "\(JSONText.quoted($1)): \($0)" }.joined(separator: ", ")
        let text = """
            {
              "architectures": ["LinearProbe"],
              "encoder": \(encoder.map(JSONText.quoted) ?? "null"),
              "hidden_size": \(width),
              "id2label": {\(names)},
              "label2id": {\(places)},
              "model_type": "linear_probe",
              "normalize": \(normalises),
              "num_labels": \(classes.count)
            }

            """
        try Data(text.utf8).write(to: target.appendingPathComponent("config.json"))
    }
}

/// A classifier begins without a checkpoint.
private struct MissingBase: TensorSource {
    var path: String { "the classifier" }
    var entries: [TensorEntry] { [] }
    func tensor(_ name: String) throws(CheckpointError) -> Tensor { throw .absent(file: path, key: "tensor \(name)", near: []) }
}
