import Evaluation
import Foundation
import Imaging
import Tensors
import Training
import TrainingData

/// Pictures of classes that an encoder is measured on while it learns: those of one side find their classes among the nearest of the other.
struct NeighbourScoring {
    let name: String
    private let training, test: any IndexedSource
    private let transform: ImageTransform
    private let k: Int

    /// - Parameter k: neighbours that vote.
    init(name: String, training: any IndexedSource, test: any IndexedSource, transform: ImageTransform, k: Int) throws {
        guard training.classNames == test.classNames else {
            throw Failure(.usage, "\(name): \(training.path) and \(test.path) have different classes")
        }
        (self.name, self.training, self.test) = (name, training, test)
        (self.transform, self.k) = (transform, min(k, training.count))
    }

    /// Shares in hundredths: of pictures whose class is found, and its mean over the classes.
    /// - Parameter embed: from pixels to vectors.
    func scores(_ embed: (Tensor) throws -> Tensor) throws -> [String: Float] {
        let (features, labels) = try embedded(training, embed), (queries, wanted) = try embedded(test, embed)
        let classes = max(labels.max() ?? 0, wanted.max() ?? 0) + 1
        let ranks = try NeighbourClassifier(features: features, labels: labels, classes: classes).ranks(queries, labels: wanted, ks: [k])
        let report = try ClassificationReport(
            ranks: ranks[0], labels: wanted, classes: (0..<classes).map(String.init), ks: [1], bootstrap: Bootstrap(resamples: 0))
        return [
            "\(name).knn": Float(100 * report.top[0].share.value), "\(name).knn_per_class": Float(100 * report.meanPerClassRecall.value),
        ]
    }

    private func embedded(_ source: any IndexedSource, _ embed: (Tensor) throws -> Tensor) throws -> (Tensor, [Int]) {
        var plan = LoadingPlan()
        (plan.shuffles, plan.dropsLast, plan.requiresCaptions, plan.requiresLabels, plan.damagedShare) = (false, false, false, true, 0)
        plan.views = [PictureView(transform: transform)]
        let loader = try BatchLoader(source, plan, seed: 0)
        var rows: [Tensor] = [], labels: [Int] = []
        while let batch = try loader.nextBatch() {
            rows.append(try embed(batch.pictures[0]))
            labels += batch.examples.compactMap(\.label)
        }
        return (try Tensor.concatenated(rows), labels)
    }
}
