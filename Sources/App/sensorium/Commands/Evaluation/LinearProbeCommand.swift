import ArgumentParser
import Evaluation
import Foundation
import PictureLibrary
import Tensors

struct LinearProbeCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "linear-probe", abstract: "Measures a linear classifier on frozen embeddings.",
        discussion: """
            Logistic regression as scikit-learn fits it (L-BFGS, a squared penalty), its C chosen on the validation split as CLIP's \
            authors did, then fitted on both splits together and measured on the test split. Without a validation split a fifth of each \
            training class is held out. Embeddings are taken as the model gives them, as CLIP's authors took them; --normalize scales \
            them to length 1, as CLIP_benchmark does.

            EXAMPLES
              sensorium eval linear-probe --model dinov2-small --data animals-split
              sensorium eval linear-probe --model clip-folder --data animals-split --c 0.316 --json
              sensorium eval linear-probe --train train.npy --train-labels train.txt --test test.npy --test-labels test.txt
            """)

    @OptionGroup var probe: ProbeOptions

    @Option(name: .long, help: ArgumentHelp("The validation split, as --train.", valueName: "place"), completion: .file())
    var val: String?

    @Option(name: .long, help: ArgumentHelp("For an array: the class of each row on a line.", valueName: "file"), completion: .file())
    var valLabels: String?

    @Option(name: .long, help: ArgumentHelp("Inverse strength of the penalty; nothing is tried then.", valueName: "number"))
    var c: Double?

    @Option(name: .long, help: ArgumentHelp("Iterations of a fit.", valueName: "n"))
    var maxIterations = 1_000

    @Flag(name: .long, help: "Scale embeddings to length 1.")
    var normalize = false

    @OptionGroup var bootstrap: BootstrapOptions
    @OptionGroup var options: EvaluationOptions

    func validate() throws {
        if let c, !(c > 0 && c.isFinite) { throw ValidationError("--c must be above 0.") }
        guard (1...1_000_000).contains(maxIterations) else { throw ValidationError("--max-iterations must be 1 to 1000000.") }
        guard c == nil || val == nil else { throw ValidationError("Give --c or --val, not both.") }
    }

    func run() throws {
        let start = ContinuousClock.now, model = try probe.loadedModel(options)
        let training = try probe.training(model), test = try probe.testing(model, training)
        let fitted = try fit(training, model)
        if !fitted.model.converged {
            Console.standard.complain("the last fit didn't converge in \(fitted.model.iterations) iterations; see --max-iterations")
        }
        let report = try ClassificationReport(
            ranks: fitted.model.ranks(test.examples(normalised: normalize).features, labels: test.set.labels), labels: test.set.labels,
            classes: test.set.classes, bootstrap: bootstrap.bootstrap)
        if options.json {
            Console.standard.line(line(report, fitted, training, start.duration(to: .now) / .seconds(1)).text)
        } else {
            Console.standard.line(
                ClassificationOutput.text(report) + " of \(NumberText.grouped(report.examples)) test pictures "
                    + "(C \(NumberText.fixed(fitted.c, 6)), \(NumberText.grouped(training.set.items.count)) training pictures, "
                    + "\(training.set.classes.count) classes)")
        }
        if training.hasFailures || test.hasFailures { throw Failure(.partial) }
    }

    private func fit(_ training: LabelledInput, _ model: EvaluationModel?) throws -> LinearProbe {
        let classes = training.set.classes.count
        if let c {
            return try LinearProbe(
                training: training.examples(normalised: normalize), classes: classes, c: c, maximumIterations: maxIterations)
        }
        let first: LinearProbe.Examples, second: LinearProbe.Examples
        if let place = val ?? probe.part("val") {
            first = try training.examples(normalised: normalize)
            second = try LabelledInput(place, labels: valLabels, model: model).relabelled(as: training).examples(normalised: normalize)
        } else {
            let rows = training.set.split(share: 0.2, seed: bootstrap.seed)
            guard !rows.second.isEmpty else {
                throw Failure(.usage, "no class has two training pictures, so none can be held out to choose C by: give --val or --c")
            }
            (first, second) = (
                try training.examples(rows.first, normalised: normalize), try training.examples(rows.second, normalised: normalize)
            )
        }
        let shows = Console.standard.errorIsTerminal
        defer { if shows { Console.standard.draw("\r\u{1B}[K") } }
        return try LinearProbe(training: first, validation: second, classes: classes, maximumIterations: maxIterations) { trial in
            guard shows else { return }
            Console.standard.draw("\r\u{1B}[KC \(trial.c): \(NumberText.fixed(trial.accuracy * 100, 1)) % of the validation split")
        }
    }

    private func line(_ report: ClassificationReport, _ fitted: LinearProbe, _ training: LabelledInput, _ seconds: Double) -> JSONLine {
        var line = JSONLine()
        line.add("model", probe.model)
        line.add("precision", options.precision.precision?.rawValue)
        ClassificationOutput.add(report, to: &line)
        line.add("training_examples", training.set.items.count)
        line.add("c", fitted.c)
        line.add("objective", fitted.model.objective)
        line.add("iterations", fitted.model.iterations)
        line.add("converged", fitted.model.converged)
        line.add(
            "trials",
            fitted.trials.map { trial in
                var line = JSONLine()
                line.add("c", trial.c)
                line.add("validation_accuracy", trial.accuracy)
                line.add("converged", trial.converged)
                return line
            })
        line.add("resamples", bootstrap.resamples)
        line.add("seconds", seconds)
        return line
    }
}
