import Evaluation
import Foundation
import Tensors
import Testing

/// Classifiers against the numbers of CLIP_benchmark, DINO and scikit-learn on the same arrays.
@Suite struct ClassificationTests {
    @Test func zeroShotIsThatOfCLIPBenchmark() throws {
        let golden = try EvaluationGolden("zero_shot"), labels = try golden.labels("labels")
        // Of five sentences for each class: the mean of unit vectors, made one again.
        let vectors = try golden.tensor("sentences").unitLength().reshaped([12, 5, 16]).mean([1]).unitLength()
        let (own, published) = (vectors.floats(), try golden.tensor("classifier").floats())
        #expect(zip(own, published).allSatisfy { abs($0 - $1) < 1e-6 } && own.count == published.count)
        let ranks = try ZeroShot.ranks(images: golden.tensor("pictures"), classVectors: vectors, labels: labels)
        let report = try ClassificationReport(ranks: ranks, labels: labels, classes: (0..<12).map(String.init))
        let expected = try ["acc1", "acc5", "mean_per_class_recall"].map { try #require(golden.numbers[$0]?.double) }
        let found = report.top.map(\.share.value) + [report.meanPerClassRecall.value]
        for (value, expected) in zip(found, expected) { #expect(abs(value - expected) < 1e-9, "\(found), published \(expected)") }
        #expect(report.classes.count == 11 && report.classes.map(\.examples).reduce(0, +) == 300)
        #expect(report.top[0].share.interval?.contains(report.top[0].share.value) ?? false)
    }

    @Test func neighboursVoteAsInDINO() throws {
        let golden = try EvaluationGolden("neighbours")
        let classifier = try NeighbourClassifier(features: golden.tensor("train"), labels: golden.labels("train_labels"), classes: 9)
        let labels = try golden.labels("test_labels")
        #expect(golden.results.count == 10)
        for result in golden.results {
            let k = try #require(result["k"]?.int), temperature = try #require(result["temperature"]?.double)
            let ranks = try classifier.ranks(golden.tensor("test"), labels: labels, ks: [k], temperature: temperature)[0]
            let report = try ClassificationReport(
                ranks: ranks, labels: labels, classes: (0..<9).map(String.init), bootstrap: Bootstrap(resamples: 0))
            let found = report.top.map(\.share.value)
            #expect(abs(found[0] - (result["top1"]?.double ?? .nan)) < 1e-9, "k \(k), temperature \(temperature): \(found)")
            // The published code counts min(5, k) classes.
            if k >= 5 { #expect(abs(found[1] - (result["top5"]?.double ?? .nan)) < 1e-9, "k \(k), temperature \(temperature): \(found)") }
        }
        #expect(throws: EvaluationError.self) { try classifier.ranks(golden.tensor("test"), labels: labels, ks: [301]) }
        #expect(throws: EvaluationError.self) { try classifier.ranks(golden.tensor("test"), labels: labels, ks: [5], temperature: 0) }
    }

    @Test func logisticRegressionReachesScikitLearnsMinimum() throws {
        let golden = try EvaluationGolden("linear")
        #expect(golden.results.count == 10)
        for result in golden.results {
            let name = try #require(result["name"]?.string), c = try #require(result["c"]?.double)
            let classes = try #require(result["classes"]?.int), objective = try #require(result["objective"]?.double)
            let (x, labels) = (try golden.tensor("\(name)_train"), try golden.labels("\(name)_train_labels"))
            let fit = try LogisticRegression(features: x, labels: labels, classes: classes, c: c, tolerance: 1e-7)
            #expect(
                fit.objective < objective * (1 + 1e-5) && fit.objective > objective * (1 - 1e-5),
                "\(name), C \(c): \(fit.objective), \(objective)")
            let coefficients = try golden.tensor("\(name)_\(c)_coefficients").floats(), own = fit.weights.floats()
            #expect(own.count == coefficients.count)
            let worst = zip(own, coefficients).map { abs($0 - $1) }.max() ?? .infinity
            #expect(worst < 2e-3 * (1 + (coefficients.map(abs).max() ?? 0)), "\(name), C \(c): weights differ by \(worst)")
            // As CLIP calls it, which ends earlier.
            let usual = try LogisticRegression(features: x, labels: labels, classes: classes, c: c)
            #expect(usual.converged && usual.objective < objective * 1.001)
            let (test, truth) = (try golden.tensor("\(name)_test"), try golden.labels("\(name)_test_labels"))
            let report = try ClassificationReport(
                ranks: usual.ranks(test, labels: truth), labels: truth, classes: (0..<classes).map(String.init),
                bootstrap: Bootstrap(resamples: 0))
            let expected = try #require(result["usual_accuracy"]?.double)
            #expect(abs(report.top[0].share.value - expected) < 1e-9, "\(name), C \(c): \(report.top[0].share.value), \(expected)")
            let exact = try ClassificationReport(
                ranks: fit.ranks(test, labels: truth), labels: truth, classes: (0..<classes).map(String.init),
                bootstrap: Bootstrap(resamples: 0))
            #expect(abs(exact.meanPerClassRecall.value - (result["balanced"]?.double ?? .nan)) < 1e-9)
        }
    }

    @Test func thePenaltyIsChosenOnTheValidationSplit() throws {
        let golden = try EvaluationGolden("linear")
        let (x, labels) = (try golden.tensor("many_train"), try golden.labels("many_train_labels"))
        let training = LinearProbe.Examples(features: try x.sliced(0, 0..<180), labels: Array(labels[..<180]))
        let validation = LinearProbe.Examples(features: try x.sliced(0, 180..<240), labels: Array(labels[180...]))
        let probe = try LinearProbe(training: training, validation: validation, classes: 6)
        // Seven decades apart, then at most two for each of four halvings.
        #expect((8...15).contains(probe.trials.count) && probe.trials.prefix(7).map(\.c) == [1e-6, 1e-4, 1e-2, 1, 1e2, 1e4, 1e6])
        let best = try #require(probe.trials.map(\.accuracy).max())
        let winner = try #require(probe.trials.filter { $0.accuracy == best }.map(\.c).min())
        #expect(probe.c == winner)
        for trial in probe.trials.prefix(3) {
            let model = try LogisticRegression(features: training.features, labels: training.labels, classes: 6, c: trial.c)
            let right = try model.ranks(validation.features, labels: validation.labels).count { $0 == 1 }
            #expect(trial.accuracy == Double(right) / 60)
        }
        // The last fit is of both splits.
        let whole = try LogisticRegression(features: x, labels: labels, classes: 6, c: probe.c)
        #expect(abs(whole.objective - probe.model.objective) < 1e-9 * whole.objective)
    }

    @Test func whatCannotBeToldApartIsRefused() throws {
        let rows = Tensor.ones([4, 3])
        #expect { try LogisticRegression(features: rows, labels: [1, 1, 1, 1], classes: 2, c: 1) } throws: {
            "\($0)".contains("only one class")
        }
        #expect { try NeighbourClassifier(features: rows, labels: [0, 0, 0, 0], classes: 1) } throws: { "\($0)".contains("only one class") }
        #expect { try ClassificationReport(ranks: [1, 1], labels: [0, 0], classes: ["a"]) } throws: { "\($0)".contains("only one class") }
        #expect { try LogisticRegression(features: rows, labels: [0, 1], classes: 2, c: 1) } throws: { "\($0)".contains("4 rows") }
        #expect { try LogisticRegression(features: rows, labels: [0, 1, 0, 1], classes: 2, c: 0) } throws: { "\($0)".contains("above 0") }
        #expect { try NeighbourClassifier(features: .full([2, 3], .infinity), labels: [0, 1], classes: 2) } throws: {
            "\($0)".contains("isn't finite")
        }
        #expect(throws: EvaluationError.self) { try ZeroShot.ranks(images: rows, classVectors: .ones([2, 3]), labels: [0, 1, 2, 0]) }
    }

    /// Four classes have no fifth.
    @Test func topFiveNeedsFiveClasses() throws {
        let report = try ClassificationReport(ranks: [1, 2, 1, 4], labels: [0, 1, 2, 3], classes: ["a", "b", "c", "d"])
        #expect(report.top.map(\.k) == [1] && report.top[0].share.value == 0.5 && report.meanPerClassRecall.value == 0.5)
    }
}
