import ArgumentParser
import Evaluation
import Foundation
import PictureLibrary

struct NeighbourCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "knn", abstract: "Measures a nearest-neighbour classifier on frozen embeddings.",
        discussion: """
            DINO's: each of the k nearest training pictures votes for its class with exp(cosine / temperature). Of the usual k (10, 20, \
            100, 200) those are measured that the training set has pictures for.

            EXAMPLES
              sensorium eval knn --model dinov2-small --data animals-split
              sensorium eval knn --model clip-folder --data animals-split --k 1 2 --temperature 0.1 --json
              sensorium eval knn --train train.npy --train-labels train.txt --test test.npy --test-labels test.txt
            """)

    @OptionGroup var probe: ProbeOptions

    @Option(name: .long, parsing: .upToNextOption, help: ArgumentHelp("Numbers of neighbours (default: 10 20 100 200).", valueName: "n"))
    var k: [Int] = []

    @Option(name: .long, help: ArgumentHelp("Of the votes.", valueName: "number"))
    var temperature = 0.07

    @OptionGroup var bootstrap: BootstrapOptions
    @OptionGroup var options: EvaluationOptions

    func validate() throws {
        guard k.allSatisfy({ $0 >= 1 }) else { throw ValidationError("--k must be at least 1.") }
        guard temperature > 0, temperature.isFinite else { throw ValidationError("--temperature must be above 0.") }
    }

    func run() throws {
        let start = ContinuousClock.now, model = try probe.loadedModel(options)
        let training = try probe.training(model), test = try probe.testing(model, training)
        let classifier = try NeighbourClassifier(
            features: training.features, labels: training.set.labels, classes: training.set.classes.count)
        let usual = [10, 20, 100, 200].filter { $0 <= classifier.count }
        let ks = k.isEmpty ? (usual.isEmpty ? [classifier.count] : usual) : k
        let ranks = try classifier.ranks(test.features, labels: test.set.labels, ks: ks, temperature: temperature)
        let reports = try zip(ks, ranks).map { k, ranks in
            // Fewer than five neighbours vote for fewer than five classes.
            try ClassificationReport(
                ranks: ranks, labels: test.set.labels, classes: test.set.classes, ks: k < 5 ? [1] : [1, 5], bootstrap: bootstrap.bootstrap)
        }
        if options.json {
            var line = JSONLine()
            line.add("model", probe.model)
            line.add("precision", options.precision.precision?.rawValue)
            line.add("temperature", temperature)
            line.add("training_examples", training.set.items.count)
            line.add(
                "neighbours",
                zip(ks, reports).map { k, report in
                    var line = JSONLine()
                    line.add("k", k)
                    ClassificationOutput.add(report, to: &line, perClass: false)
                    return line
                })
            line.add("resamples", bootstrap.resamples)
            line.add("seconds", start.duration(to: .now) / .seconds(1))
            Console.standard.line(line.text)
        } else {
            for (k, report) in zip(ks, reports) { Console.standard.line("k \(k): " + ClassificationOutput.text(report)) }
        }
        if training.hasFailures || test.hasFailures { throw Failure(.partial) }
    }
}
