import ArgumentParser
import Evaluation
import Foundation
import PictureLibrary
import Tensors

struct AlignmentCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "alignment", abstract: "Measures how alike two models see the same pictures or captions.",
        discussion: """
            A and B are models, or arrays (.npy, .fvecs, .faiss) whose rows i belong together. The measures, and what is done to the \
            numbers before, are those of "The Platonic Representation Hypothesis" (Huh et al. 2024) and its published code: outliers are \
            clamped, rows scaled to length 1. Models see the pictures of --data (a folder, or a file of captions as `eval retrieval` \
            reads it), or the first caption of each: --captions says which of the two reads, by default those without a picture \
            tower. A language model stands for a caption by the mean of its last states.

            EXAMPLES
              sensorium eval alignment clip-folder dinov2-small --data ~/Pictures --neighbors 2
              sensorium eval alignment clip-folder clip-folder --data captions.jsonl --captions b --neighbors 2 --metric mutual_knn cka
              sensorium eval alignment dinov2-small smollm2-135m-instruct --data captions.jsonl --neighbors 2 --metric mutual_knn
              sensorium eval alignment images.npy other.npy --json
            """)

    enum Readers: String, ExpressibleByArgument, CaseIterable { case a, b, both, none }

    @Argument(help: "A model's folder, a checkpoint file, a catalogue name, or an array.", completion: .file())
    var a: String

    @Argument(help: "Likewise.", completion: .file())
    var b: String

    @Option(
        name: .long, parsing: .upToNextOption,
        help: ArgumentHelp("A folder of pictures, or captions and their pictures.", valueName: "place"), completion: .file())
    var data: [String] = []

    @Option(
        name: .long, help: ArgumentHelp("Where the pictures lie (default: beside --data).", valueName: "folder"), completion: .directory)
    var images: String?

    @Option(name: .long, help: "Which of the two reads captions rather than pictures.")
    var captions: Readers?

    @Option(name: .long, help: "Captions of this language only.")
    var language: String?

    @Option(name: .long, parsing: .upToNextOption, help: "What to measure (default: all that fits).")
    var metric: [AlignmentMetric] = []

    @Option(name: [.customShort("k"), .long], help: ArgumentHelp("Neighbours of the neighbour measures.", valueName: "n"))
    var neighbors = 10

    @Option(name: .long, help: ArgumentHelp("Directions that svcca keeps.", valueName: "n"))
    var components = 10

    @Option(name: .long, help: ArgumentHelp("The quantile to which outliers are clamped; 1 leaves them.", valueName: "q"))
    var outliers = 0.95

    @Flag(name: .long, help: "Rows as they are, not scaled to length 1.")
    var raw = false

    @OptionGroup var options: EvaluationOptions

    func validate() throws {
        guard neighbors >= 1, components >= 1 else { throw ValidationError("--neighbors and --components must be at least 1.") }
        guard outliers > 0, outliers <= 1 else { throw ValidationError("--outliers must be above 0 and at most 1.") }
    }

    /// Pictures and, where the data has some, a caption for each.
    private struct Rows {
        var pictures: [String]
        var captions: [String]?
    }

    /// Embeddings of one side, and the pictures that have no row of it.
    private typealias Side = (rows: Tensor, missing: Set<Int>)

    func run() throws {
        let start = ContinuousClock.now
        let rows = data.isEmpty ? nil : try read()
        let first = try embed(a, reads: captions.map { $0 == .a || $0 == .both }, rows)
        let second = try embed(b, reads: captions.map { $0 == .b || $0 == .both }, rows)
        let missing = first.missing.union(second.missing)
        let alignment = try Alignment(
            Self.rows(of: first, without: missing), Self.rows(of: second, without: missing),
            preparation: Alignment.Preparation(outlierQuantile: outliers, normalises: !raw))
        let found = try measure(alignment)
        show(found, alignment.count, start.duration(to: .now) / .seconds(1))
        if !missing.isEmpty { throw Failure(.partial) }
    }

    private func read() throws -> Rows {
        if data.count == 1, EvaluationFile.isFolder(data[0]) {
            let pictures = LabelledSet.pictures(in: data[0])
            guard !pictures.isEmpty else { throw Failure(.usage, "\(data[0]) holds no pictures") }
            return Rows(pictures: pictures)
        }
        var files: [(name: String, bytes: [UInt8])] = []
        for path in data { files.append((path, try EvaluationFile.bytes(path))) }
        var set = try RetrievalSet(files: files)
        if let language { set = try set.part(inLanguage: language).set }
        var texts = [String?](repeating: nil, count: set.pictures.count)
        for caption in set.captions { for picture in caption.pictures where texts[picture] == nil { texts[picture] = caption.text } }
        let all = texts.compactMap { $0 }
        return Rows(
            pictures: set.pictures.map { EvaluationFile.path(of: $0, in: images, besides: data[0]) },
            captions: all.count == set.pictures.count ? all : nil)
    }

    private func embed(_ side: String, reads: Bool?, _ rows: Rows?) throws -> Side {
        if EvaluationFile.isArray(side) { return (try EvaluationFile.vectors(side), []) }
        let model = try EvaluationModel(side, options)
        guard let rows else { throw Failure(.usage, "\(side) is a model: give it pictures or captions with --data") }
        guard reads ?? (model.loaded.image == nil) else {
            let (found, failed) = try model.embed(pictures: rows.pictures)
            return (found, failed)
        }
        guard let captions = rows.captions else {
            throw Failure(.usage, "\(side) reads captions, which not every picture of \(data.joined(separator: ", ")) has")
        }
        return (try model.embed(texts: captions), [])
    }

    /// Those of pictures that both sides have.
    private static func rows(of side: Side, without missing: Set<Int>) throws -> Tensor {
        guard !missing.isEmpty else { return side.rows }
        let pictures = (0..<side.rows.dim(0) + side.missing.count).filter { !side.missing.contains($0) }
        let kept = pictures.indices.filter { !missing.contains(pictures[$0]) }
        return try side.rows.gathered(Tensor(kept.map(Int64.init), [kept.count]), axis: 0)
    }

    private func measure(_ alignment: Alignment) throws -> [(AlignmentMetric, Double)] {
        if !metric.isEmpty {
            return try metric.map { ($0, try alignment.measure($0, neighbours: neighbors, components: components)) }
        }
        return try AlignmentMetric.allCases.compactMap { one -> (AlignmentMetric, Double)? in
            do { return (one, try alignment.measure(one, neighbours: neighbors, components: components)) } catch let error
                as EvaluationError
            {
                Console.standard.complain("left out: \(error)")
                return nil
            }
        }
    }

    private func show(_ found: [(AlignmentMetric, Double)], _ rows: Int, _ seconds: Double) {
        guard options.json else {
            for (metric, value) in found { Console.standard.line("\(metric.rawValue)\t\(NumberText.fixed(value, 4))") }
            return
        }
        var line = JSONLine()
        line.add("a", a)
        line.add("b", b)
        line.add("precision", options.precision.precision?.rawValue)
        line.add("rows", rows)
        line.add("neighbors", neighbors)
        for (metric, value) in found { line.add(metric.rawValue, value) }
        line.add("seconds", seconds)
        Console.standard.line(line.text)
    }
}

extension AlignmentMetric: ExpressibleByArgument {}
