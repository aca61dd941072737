import ArgumentParser
import Evaluation
import Foundation
import PictureLibrary
import Tensors

struct RetrievalCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "retrieval", abstract: "Measures how well captions find their pictures and pictures their captions.",
        discussion: """
            Recall@k is the share of queries with a right answer among the first k, MR the mean of the recalls; ranks count from 1. \
            The numbers are those of CLIP_benchmark and Chinese-CLIP; equal scores keep the order of the data. The brackets hold 95% \
            confidence intervals from drawing pictures, with their captions, again. Where captions name their language each is \
            measured apart too.

            --data is a .jsonl file of {"file": ..., "captions": [...], "lang": ...} or {"image": ..., "caption": ...}, COCO's or \
            Karpathy's .json, or Chinese-CLIP's texts.jsonl; pictures lie beside it or in --images. With arrays (.npy, .fvecs, \
            .faiss) any model can be measured: a line for each row of texts says which row of pictures it belongs to, by its \
            number from 0 or by its name in --image-ids.

            EXAMPLES
              sensorium eval retrieval --model clip-folder --data captions.jsonl
              sensorium eval retrieval --model clip-folder --data val.en.jsonl val.zh.jsonl --recall-at 1 5 --json
              sensorium eval retrieval --image-embeddings images.npy --text-embeddings texts.npy --pairs pairs.jsonl
              sensorium eval retrieval --image-embeddings images.npy --text-embeddings texts.npy --data texts.jsonl --image-ids ids.txt
            """)

    @Option(name: .shortAndLong, help: "A model's folder, a checkpoint file or a catalogue name.", completion: .file())
    var model: String?

    @Option(
        name: .long, parsing: .upToNextOption, help: ArgumentHelp("Captions and their pictures.", valueName: "file"), completion: .file())
    var data: [String] = []

    @Option(
        name: .long, help: ArgumentHelp("Where the pictures lie (default: beside --data).", valueName: "folder"), completion: .directory)
    var images: String?

    @Option(name: .long, help: "Only pictures of this split, where the data has some.")
    var split: String?

    @Option(name: .long, help: ArgumentHelp("The pictures' embeddings, a row each.", valueName: "array"), completion: .file())
    var imageEmbeddings: String?

    @Option(name: .long, help: ArgumentHelp("The captions' embeddings, a row each.", valueName: "array"), completion: .file())
    var textEmbeddings: String?

    @Option(name: .long, help: ArgumentHelp("As --data, for arrays; captions may be left out.", valueName: "file"), completion: .file())
    var pairs: String?

    @Option(name: .long, help: ArgumentHelp("Names of the pictures' rows, one on each line.", valueName: "file"), completion: .file())
    var imageIds: String?

    @Option(name: .long, parsing: .upToNextOption, help: ArgumentHelp("The k of recall@k.", valueName: "k"))
    var recallAt: [Int] = [1, 5, 10]

    @OptionGroup var bootstrap: BootstrapOptions
    @OptionGroup var options: EvaluationOptions

    func validate() throws {
        guard data.isEmpty != (pairs == nil) else { throw ValidationError("Give either --data or --pairs.") }
        guard model != nil || (imageEmbeddings != nil && textEmbeddings != nil) else {
            throw ValidationError("Give --model, or both --image-embeddings and --text-embeddings.")
        }
        guard imageIds == nil || imageEmbeddings != nil else { throw ValidationError("--image-ids needs --image-embeddings.") }
        guard recallAt.allSatisfy({ $0 >= 1 }), !recallAt.isEmpty else { throw ValidationError("--recall-at must be at least 1.") }
    }

    func run() throws {
        let start = ContinuousClock.now
        let pictures = try imageEmbeddings.map { try EvaluationFile.vectors($0) }
        let texts = try textEmbeddings.map { try EvaluationFile.vectors($0) }
        var set = try read(rows: pictures?.dim(0), needsText: texts == nil)
        let model = try pictures == nil || texts == nil ? self.model.map { try EvaluationModel($0, options) } : nil
        if texts == nil { try model?.requireTexts() }
        var (images, failed) = (pictures ?? Tensor.zeros([0, 1]), Set<Int>()), captions = texts
        if let model, pictures == nil {
            let file = (data + (pairs.map { [$0] } ?? []))[0]
            (images, failed) = try model.embed(
                pictures: set.pictures.map { EvaluationFile.path(of: $0, in: self.images, besides: file) })
        }
        if !failed.isEmpty {
            let part = try set.part(without: failed)
            captions = try captions?.gathered(Tensor(part.captions.map(Int64.init), [part.captions.count]), axis: 0)
            set = part.set
        }
        let words = try captions ?? model?.embed(texts: set.captions.map(\.text)) ?? Tensor.zeros([0, 1])
        try show(set, images, words, start)
        if !failed.isEmpty { throw Failure(.partial) }
    }

    private func read(rows: Int?, needsText: Bool) throws -> RetrievalSet {
        var files: [(name: String, bytes: [UInt8])] = []
        for path in data + (pairs.map { [$0] } ?? []) { files.append((path, try EvaluationFile.bytes(path))) }
        var names = rows.map { (0..<$0).map(String.init) }
        if let imageIds, let rows {
            let ids = try EvaluationFile.lines(imageIds)
            guard ids.count == rows else { throw Failure(.usage, "\(imageIds) names \(ids.count) pictures; the array has \(rows) rows") }
            guard Set(ids).count == ids.count else { throw Failure(.usage, "\(imageIds) names a picture twice") }
            names = ids
        }
        return try RetrievalSet(files: files, split: split, pictures: names, needsText: needsText)
    }

    private func show(_ set: RetrievalSet, _ images: Tensor, _ texts: Tensor, _ start: ContinuousClock.Instant) throws {
        let draws = bootstrap.bootstrap
        let whole = try RetrievalReport(set, images: images, texts: texts, ks: recallAt, bootstrap: draws)
        var parts: [(language: String, set: RetrievalSet, report: RetrievalReport)] = []
        let languages = set.languages
        // One language for all is the whole.
        for language in languages where languages.count > 1 || set.captions.contains(where: { $0.language == nil }) {
            let part = try set.part(inLanguage: language)
            func rows(_ tensor: Tensor, _ rows: [Int]) throws -> Tensor {
                try tensor.gathered(Tensor(rows.map(Int64.init), [rows.count]), axis: 0)
            }
            let report = try RetrievalReport(
                part.set, images: rows(images, part.pictures), texts: rows(texts, part.captions), ks: recallAt, bootstrap: draws)
            parts.append((language, part.set, report))
        }
        guard options.json else {
            return table([(name: "all", set: set, report: whole)] + parts.map { (name: $0.language, set: $0.set, report: $0.report) })
        }
        var line = JSONLine()
        line.add("model", model)
        line.add("precision", options.precision.precision?.rawValue)
        Self.add(whole, set, to: &line)
        line.add(
            "languages",
            parts.map { part in
                var line = JSONLine()
                line.add("language", part.language)
                Self.add(part.report, part.set, to: &line)
                return line
            })
        line.add("resamples", bootstrap.resamples)
        line.add("seconds", start.duration(to: .now) / .seconds(1))
        Console.standard.line(line.text)
    }

    private static func add(_ report: RetrievalReport, _ set: RetrievalSet, to line: inout JSONLine) {
        line.add("pictures", set.pictures.count)
        line.add("captions", set.captions.count)
        for (name, scores) in [("text_to_image", report.textToImage), ("image_to_text", report.imageToText)] {
            var own = JSONLine()
            own.add("queries", scores.queries)
            own.add("candidates", scores.candidates)
            for recall in scores.recalls { own.add("recall@\(recall.k)", recall.share) }
            own.add("mean_recall", scores.meanRecall)
            own.add("mean_rank", scores.meanRank)
            own.add("median_rank", scores.medianRank)
            own.add("mean_reciprocal_rank", scores.meanReciprocalRank)
            line.add(name, own)
        }
        line.add("mean_recall", report.meanRecall)
    }

    private func table(_ reports: [(name: String, set: RetrievalSet, report: RetrievalReport)]) {
        for (name, set, report) in reports {
            Console.standard.line(
                "\(reports.count > 1 ? name + ": " : "")\(NumberText.grouped(set.pictures.count)) pictures, "
                    + "\(NumberText.grouped(set.captions.count)) captions")
            var table = Table(
                [Table.Column(title: "direction")]
                    + (recallAt.map { "R@\($0) %" } + ["MR %", "mean rank", "median rank", "MRR"]).map {
                        Table.Column(title: $0, alignment: .right)
                    })
            for (direction, scores) in [("text to image", report.textToImage), ("image to text", report.imageToText)] {
                table.add(
                    [direction] + scores.recalls.map(\.share.percent)
                        + [
                            scores.meanRecall.percent, scores.meanRank.plain, scores.medianRank.plain,
                            scores.meanReciprocalRank.text(1, 3),
                        ])
            }
            for line in table.lines(width: nil, colors: Console.standard.colors) { Console.standard.line(line) }
            Console.standard.line("MR of both directions: \(report.meanRecall.percent) %")
        }
    }
}
