import ArgumentParser
import Catalog
import Foundation
import Imaging
import ModelKit
import Pipelines
import PictureLibrary
import Tensors
import VectorIndex

struct ClassifyCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "classify",
        abstract: "Says which of some labels fits each picture best.",
        discussion: """
            With a dual encoder (CLIP, Chinese-CLIP, SigLIP) any words can be labels: each is put into sentences of its language, \
            as "a photo of the large {}", and compared with the picture. With a trained classifier and no labels its own \
            classes are told. A picture tower alone can be given the labels' vectors (--label-vectors).

            On a terminal the result is a table; elsewhere each line is "score<TAB>label<TAB>path", best first.

            EXAMPLES
              sensorium classify --model clip-folder --labels "cat,dog" a.jpg b.png
              sensorium classify --model clip-folder --labels "猫,狗" --language zh a.jpg
              sensorium classify --model clip-folder --labels-file labels.tsv --top 3 a.jpg
              sensorium classify --model clip-folder --captions-file captions.txt a.jpg
              sensorium classify --model clip-folder --labels "cat,dog" --template "a drawing of a {}" a.jpg
              sensorium classify --model resnet18-v2 --top 5 a.jpg
            """)

    enum Language: String, ExpressibleByArgument, CaseIterable {
        case en, zh
        var templates: PromptTemplates { self == .en ? .english : .chinese }
    }

    @Argument(help: "Pictures.", completion: .file())
    var images: [String]

    @Option(name: .long, help: "A model's folder, a checkpoint file or a catalogue name.")
    var model: String

    @OptionGroup var precision: PrecisionOption

    @Option(name: .long, help: "Labels, with commas between.")
    var labels: String?

    @Option(
        name: .long, help: ArgumentHelp("Labels, one on each line; after a tab (.csv: a comma) a sentence of its own.", valueName: "file"),
        completion: .file())
    var labelsFile: String?

    @Option(name: .long, help: ArgumentHelp("Sentences to choose from, one on each line.", valueName: "file"), completion: .file())
    var captionsFile: String?

    @Option(
        name: .long, help: ArgumentHelp("The vectors of the labels, in their order (.npy, .fvecs, .faiss).", valueName: "file"),
        completion: .file())
    var labelVectors: String?

    @Option(name: .long, help: "A sentence with {} where the label goes; may be given several times.")
    var template: [String] = []

    @Option(name: .long, help: "The language of the sentences (default: by the label's script).")
    var language: Language?

    @Option(name: .long, help: ArgumentHelp("Labels told of each picture.", valueName: "n"))
    var top = 5

    @Option(name: .long, help: ArgumentHelp("Pictures that go through the model together.", valueName: "n"))
    var batch = 16

    @OptionGroup var output: OutputOptions

    func validate() throws {
        guard [labels, labelsFile, captionsFile].count(where: { $0 != nil }) <= 1 else {
            throw ValidationError("Give only one of --labels, --labels-file and --captions-file.")
        }
        guard template.isEmpty || language == nil else { throw ValidationError("Give --template or --language, not both.") }
        guard labelVectors == nil || labels != nil || labelsFile != nil else {
            throw ValidationError("--label-vectors needs --labels or --labels-file.")
        }
        guard (1...100_000).contains(top) else { throw ValidationError("--top must be 1 to 100000.") }
        guard (1...4_096).contains(batch) else { throw ValidationError("--batch must be 1 to 4096.") }
    }

    func run() throws {
        let place = try ModelPlace(model, precision: precision.precision)
        let classify = try classifier(place.load(), place)
        var failed = 0
        let paths = images.map { FilePath($0) }
        var table = Table([
            Table.Column(title: "path", gives: .front), Table.Column(title: "label", gives: .end),
            Table.Column(title: "score", alignment: .right), Table.Column(title: "similarity", alignment: .right),
        ])
        for start in stride(from: 0, to: paths.count, by: batch) {
            let part = paths[start..<min(paths.count, start + batch)]
            var (read, pictures) = ([FilePath](), [Picture]())
            for (path, result) in zip(part, PictureLoader.load(part, shortestUsefulSide: nil, prepare: { $0 })) {
                do {
                    pictures.append(try result.get())
                    read.append(path)
                } catch {
                    Console.standard.complain("\(error)")
                    failed += 1
                }
            }
            if pictures.isEmpty { continue }
            for (path, scores) in zip(read, try classify(pictures)) { show(scores.prefix(top), path, &table) }
        }
        if Console.standard.isTerminal, !output.json {
            for line in table.lines(width: Console.standard.width, colors: Console.standard.colors) { Console.standard.line(line) }
        }
        if failed > 0 { throw Failure(.partial) }
    }

    private func show(_ scores: ArraySlice<LabelScore>, _ path: FilePath, _ table: inout Table) {
        for (place, score) in scores.enumerated() {
            if output.json {
                var line = JSONLine()
                line.add("path", path)
                line.add("rank", place + 1)
                line.add("label", score.label)
                line.add("score", Double(score.score))
                line.add("similarity", Double(score.similarity))
                Console.standard.line(line.text)
            } else if Console.standard.isTerminal {
                table.add([
                    place == 0 ? path.display : "", score.label, NumberText.fixed(Double(score.score), 4),
                    NumberText.fixed(Double(score.similarity), 4),
                ])
            } else {
                let label = TextWidth.printable(score.label)
                Console.standard.line(bytes: Array("\(NumberText.fixed(Double(score.score), 4))\t\(label)\t".utf8) + path.bytes)
            }
        }
    }

    /// What the options and the model make together.
    private func classifier(_ model: LoadedModel, _ place: ModelPlace) throws -> ([Picture]) throws -> [[LabelScore]] {
        guard let list = try labelList() else {
            let trained = try TrainedClassifier(model)
            return { try trained.classify($0, count: top) }
        }
        guard let image = model.image else {
            throw RoleError(model: place.name, role: "zero-shot classifier", reason: "the checkpoint holds no picture tower")
        }
        let vectors = try labelVectors.map { try read(vectors: $0, list, image.dimension) } ?? embedded(list, model, place)
        let zeroShot = ZeroShotClassifier(
            image: image, labels: list.labels, vectors: vectors, similarity: model.similarity ?? Similarity(scale: 100))
        return { try zeroShot.classify($0) }
    }

    private func embedded(_ list: LabelList, _ model: LoadedModel, _ place: ModelPlace) throws -> Tensor {
        guard let text = model.text, model.textAbsence == nil else {
            let reason = model.textAbsence ?? "it has no text tower; give the labels' vectors with --label-vectors"
            throw RoleError(model: place.name, role: "zero-shot classifier", reason: reason)
        }
        return try list.vectors(text)
    }

    private func read(vectors file: String, _ list: LabelList, _ dimension: Int) throws -> Tensor {
        let reader: VectorFileReader
        do throws(IndexError) { reader = try VectorFileReader(path: file) } catch {
            throw Failure(.usage, "the labels' vectors can't be read: \(error)")
        }
        guard reader.count == list.labels.count, reader.dimension == dimension else {
            throw Failure(
                .usage,
                "\(file) holds \(reader.count) vectors of \(reader.dimension) numbers; \(list.labels.count) of \(dimension) are wanted")
        }
        return try reader.rows(0..<reader.count)
    }

    private func labelList() throws -> LabelList? {
        let given: PromptTemplates?
        do throws(PromptError) { given = template.isEmpty ? language?.templates : try PromptTemplates(template) } catch {
            throw Failure(.usage, error.description)
        }
        func templates(_ label: String) -> PromptTemplates { given ?? PromptTemplates.fitting(label) }
        if let labels { return try LabelList(commaSeparated: labels, templates: templates) }
        if let labelsFile { return try LabelList(file: labelsFile, templates: templates) }
        if let captionsFile { return try LabelList(captions: captionsFile) }
        return nil
    }
}
