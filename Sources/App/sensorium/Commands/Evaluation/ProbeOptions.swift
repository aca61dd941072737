import ArgumentParser
import Evaluation
import Tensors

/// Where the examples of a classifier on frozen embeddings come from.
struct ProbeOptions: ParsableArguments {
    @Option(name: .shortAndLong, help: "A model's folder, a checkpoint file or a catalogue name.", completion: .file())
    var model: String?

    @Option(
        name: .long, help: ArgumentHelp("A folder that holds train and test, and val where there is one.", valueName: "folder"),
        completion: .directory)
    var data: String?

    @Option(name: .long, help: ArgumentHelp("Instead of --data: \(LabelledInput.help)", valueName: "place"), completion: .file())
    var train: String?

    @Option(name: .long, help: ArgumentHelp("Likewise.", valueName: "place"), completion: .file())
    var test: String?

    @Option(name: .long, help: ArgumentHelp("For an array: the class of each row on a line.", valueName: "file"), completion: .file())
    var trainLabels: String?

    @Option(name: .long, help: ArgumentHelp("For an array: the class of each row on a line.", valueName: "file"), completion: .file())
    var testLabels: String?

    func validate() throws {
        if data != nil {
            guard train == nil, test == nil else { throw ValidationError("Give --data or --train and --test, not both.") }
        } else {
            guard train != nil, test != nil else { throw ValidationError("Give --data, or --train and --test.") }
        }
    }

    /// A part of `--data`; nil where there is no such folder.
    func part(_ name: String) -> String? {
        guard let place = data.map({ $0 + "/" + name }), EvaluationFile.isFolder(place) else { return nil }
        return place
    }

    func loadedModel(_ options: EvaluationOptions) throws -> EvaluationModel? { try model.map { try EvaluationModel($0, options) } }

    func training(_ model: EvaluationModel?) throws -> LabelledInput {
        guard let place = train ?? part("train") else { throw Failure(.usage, "\(data ?? "") holds no folder train") }
        return try LabelledInput(place, labels: trainLabels, model: model)
    }

    /// With the classes of the training set.
    func testing(_ model: EvaluationModel?, _ training: LabelledInput) throws -> LabelledInput {
        guard let place = test ?? part("test") else { throw Failure(.usage, "\(data ?? "") holds no folder test") }
        let input = try LabelledInput(place, labels: testLabels, model: model)
        return try input.relabelled(as: training)
    }
}

extension LabelledInput {
    func relabelled(as other: LabelledInput) throws -> LabelledInput {
        guard features.dim(1) == other.features.dim(1) else {
            throw Failure(.usage, "rows of \(features.dim(1)) numbers, but the training set's have \(other.features.dim(1))")
        }
        return LabelledInput(
            set: try set.relabelled(other.set.classes, as: "the training set"), features: features, hasFailures: hasFailures)
    }

    init(set: LabelledSet, features: Tensor, hasFailures: Bool) {
        (self.set, self.features, self.hasFailures) = (set, features, hasFailures)
    }

    func examples(_ rows: [Int]? = nil, normalised: Bool) throws -> LinearProbe.Examples {
        let features = normalised ? features.unitLength() : features
        guard let rows else { return LinearProbe.Examples(features: features, labels: set.labels) }
        return LinearProbe.Examples(
            features: try features.gathered(Tensor(rows.map(Int64.init), [rows.count]), axis: 0), labels: rows.map { set.labels[$0] })
    }
}
