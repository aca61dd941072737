import ArgumentParser
import Evaluation
import Foundation
import ModelKit
import PictureLibrary
import Pipelines
import Tensors

struct ZeroShotCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "zero-shot", abstract: "Measures how well a model tells classes apart by their names alone.",
        discussion: """
            Each class stands for the mean of its sentences' embeddings, normalised before and after, as in CLIP_benchmark and \
            open_clip. A class is named by its folder (or in the file of labels) unless --classes gives better words: a class on each \
            line, after a tab the words. Top-k is left out where there are fewer than k classes.

            EXAMPLES
              sensorium eval zero-shot --model clip-folder --data animals
              sensorium eval zero-shot --model clip-folder --data animals --templates templates.txt --classes classes.tsv --json
              sensorium eval zero-shot --data images.npy --labels labels.txt --classes classes.txt --class-embeddings classes.npy
            """)

    @Option(name: .shortAndLong, help: "A model's folder, a checkpoint file or a catalogue name.", completion: .file())
    var model: String?

    @Option(name: .long, help: ArgumentHelp(LabelledInput.help, valueName: "place"), completion: .file())
    var data: String

    @Option(name: .long, help: ArgumentHelp("For an array: the class of each row on a line.", valueName: "file"), completion: .file())
    var labels: String?

    @Option(
        name: .long, help: ArgumentHelp("The classes in their order; after a tab the words for one.", valueName: "file"),
        completion: .file())
    var classes: String?

    @Option(
        name: .long, help: ArgumentHelp("Sentences with {} where the words go, one on each line.", valueName: "file"), completion: .file())
    var templates: String?

    @Option(name: .long, help: "The language of the sentences (default: by the words' script).")
    var language: ClassifyCommand.Language?

    @Option(name: .long, help: ArgumentHelp("The classes' vectors, in the order of --classes.", valueName: "array"), completion: .file())
    var classEmbeddings: String?

    @Flag(name: .long, help: "The recall of each class too.")
    var perClass = false

    @OptionGroup var bootstrap: BootstrapOptions
    @OptionGroup var options: EvaluationOptions

    func validate() throws {
        guard model != nil || classEmbeddings != nil else { throw ValidationError("Give --model or --class-embeddings.") }
        guard classEmbeddings == nil || classes != nil else { throw ValidationError("--class-embeddings needs --classes.") }
        guard templates == nil || language == nil else { throw ValidationError("Give --templates or --language, not both.") }
    }

    func run() throws {
        let start = ContinuousClock.now
        let model = try self.model.map { try EvaluationModel($0, options) }
        let named = try classes.map { try Self.classes($0) }
        let input = try LabelledInput(data, labels: labels, classes: named?.map(\.name), model: model)
        let vectors = try classEmbeddings.map { try EvaluationFile.vectors($0) } ?? embed(named?.map(\.words) ?? input.set.classes, model)
        guard vectors.dim(0) == input.set.classes.count else {
            throw Failure(.usage, "there are \(vectors.dim(0)) vectors for \(input.set.classes.count) classes")
        }
        let ranks = try ZeroShot.ranks(images: input.features, classVectors: vectors, labels: input.set.labels)
        let report = try ClassificationReport(
            ranks: ranks, labels: input.set.labels, classes: input.set.classes, bootstrap: bootstrap.bootstrap)
        if options.json {
            var line = JSONLine()
            line.add("model", self.model)
            line.add("precision", options.precision.precision?.rawValue)
            ClassificationOutput.add(report, to: &line)
            line.add("resamples", bootstrap.resamples)
            line.add("seconds", start.duration(to: .now) / .seconds(1))
            Console.standard.line(line.text)
        } else {
            show(report)
        }
        if input.hasFailures { throw Failure(.partial) }
    }

    private func show(_ report: ClassificationReport) {
        Console.standard.line(
            ClassificationOutput.text(report) + " of \(NumberText.grouped(report.examples)) pictures in "
                + "\(NumberText.grouped(report.classes.count)) classes")
        guard perClass else { return }
        var table = Table([
            Table.Column(title: "class", gives: .end), Table.Column(title: "pictures", alignment: .right),
            Table.Column(title: "recall %", alignment: .right),
        ])
        for found in report.classes {
            table.add([found.name, NumberText.grouped(found.examples), NumberText.fixed(found.recall * 100, 1)])
        }
        for line in table.lines(width: nil, colors: Console.standard.colors) { Console.standard.line(line) }
    }

    private func embed(_ names: [String], _ model: EvaluationModel?) throws -> Tensor {
        guard let model else { throw Failure(.usage, "give --model, which embeds the classes' names") }
        let encoder = try model.textEncoder()
        // CLIP_benchmark's files say {c}.
        let lines = try templates.map { try EvaluationFile.lines($0).map { $0.replacing("{c}", with: "{}") } }
        let given = try lines.map { try PromptTemplates($0) } ?? language?.templates
        return try ZeroShot.classVectors(names, templates: { given ?? PromptTemplates.fitting($0) }, encoder: encoder)
    }

    private static func classes(_ path: String) throws -> [(name: String, words: String)] {
        let classes = try EvaluationFile.lines(path).map { line in
            let parts = line.split(separator: "\t", maxSplits: 1).map { $0.trimmingCharacters(in: .whitespaces) }
            return (name: parts[0], words: parts.count == 2 ? parts[1] : parts[0])
        }
        guard Set(classes.map(\.name)).count == classes.count else { throw Failure(.usage, "\(path) names a class twice") }
        return classes
    }
}
