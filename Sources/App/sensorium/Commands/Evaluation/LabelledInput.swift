import Evaluation
import Foundation
import Imaging
import PictureLibrary
import Tensors
import TrainingData

/// Pictures of classes as the options name them, with their embeddings.
struct LabelledInput {
    let set: LabelledSet
    /// `[n, dimension]`, as the model gives them.
    let features: Tensor
    let hasFailures: Bool

    static let help = "A folder with a folder for each class, a csv or jsonl table, a file of picture<TAB>class, or an array."

    /// - Parameters:
    ///   - place: a folder with a folder for each class, a csv or jsonl table, a file of `picture<TAB>class`, or an array.
    ///   - labels: for an array: a file with the class of each row on a line.
    ///   - classes: their order, where it is known.
    init(_ place: String, labels: String?, classes: [String]? = nil, model: EvaluationModel?) throws {
        var set: LabelledSet, failed: Set<Int> = []
        if EvaluationFile.isArray(place) {
            guard let labels else { throw Failure(.usage, "\(place) is an array: give a file with the class of each row") }
            features = try EvaluationFile.vectors(place)
            set = try LabelledSet(lines: EvaluationFile.bytes(labels), file: labels, rows: true, classes: classes)
            guard set.items.count == features.dim(0) else {
                throw Failure(.usage, "\(labels) holds \(set.items.count) labels; \(place) has \(features.dim(0)) rows")
            }
        } else {
            guard labels == nil else { throw Failure(.usage, "a file of labels belongs to an array, which \(place) isn't") }
            guard let model else { throw Failure(.usage, "give --model, which embeds the pictures of \(place)") }
            let paths: [String]
            if EvaluationFile.isFolder(place) {
                set = try LabelledSet(folder: place)
                if let classes { set = try set.relabelled(classes, as: "--classes") }
                paths = set.items
            } else if [".csv", ".jsonl"].contains(where: { place.lowercased().hasSuffix($0) }) {
                set = try Self.table(place)
                if let classes { set = try set.relabelled(classes, as: "--classes") }
                paths = set.items
            } else {
                set = try LabelledSet(lines: EvaluationFile.bytes(place), file: place, rows: false, classes: classes)
                paths = set.items.map { EvaluationFile.path(of: $0, besides: place) }
            }
            (features, failed) = try model.embed(pictures: paths)
            if !failed.isEmpty { set = try set.part(set.items.indices.filter { !failed.contains($0) }) }
        }
        self.set = set
        hasFailures = !failed.isEmpty
    }

    /// A table with a column for the picture and one for its class, as training reads them.
    private static func table(_ place: String) throws -> LabelledSet {
        guard let source = try DataOpener.open(place) as? any IndexedSource else { throw Failure(.usage, "\(place) is no table") }
        var items: [String] = [], labels: [Int] = []
        for index in 0..<source.count {
            let sample = try source.sample(index)
            guard case let .file(path) = sample.picture, let label = sample.label else {
                throw Failure(.usage, "\(place): \(sample.id) has no class: a column label, class or category is expected")
            }
            items.append(path.display)
            labels.append(label)
        }
        let count = (labels.max() ?? -1) + 1
        guard count <= 1 << 17 else {
            throw Failure(.usage, "\(place): class \(count - 1): numbers of classes begin at 0 and have no wide gaps")
        }
        return try LabelledSet(
            items: items, labels: labels, classes: source.classNames.isEmpty ? (0..<count).map(String.init) : source.classNames)
    }
}

/// What is shown of a classifier.
enum ClassificationOutput {
    static func add(_ report: ClassificationReport, to line: inout JSONLine, perClass: Bool = true) {
        line.add("examples", report.examples)
        for accuracy in report.top { line.add("top\(accuracy.k)", accuracy.share) }
        line.add("mean_per_class_recall", report.meanPerClassRecall)
        guard perClass else { return }
        line.add(
            "classes",
            report.classes.map { found in
                var line = JSONLine()
                line.add("class", found.name)
                line.add("examples", found.examples)
                line.add("recall", found.recall)
                return line
            })
    }

    static func text(_ report: ClassificationReport) -> String {
        (report.top.map { "top-\($0.k) \($0.share.percent) %" } + ["mean per class \(report.meanPerClassRecall.percent) %"])
            .joined(separator: ", ")
    }
}
