import ArgumentParser
import Catalog
import Foundation
import Imaging
import PictureLibrary
import Pipelines
import Tensors

/// What to look for, as the command line says it.
struct QueryOptions: ParsableArguments {
    @Argument(help: "Words and pictures, weighted as in \"2: sunset\", added with + and taken away with -.", completion: .file())
    var terms: [String] = []

    @Option(name: .long, help: ArgumentHelp("A picture to look for; may be given several times.", valueName: "file"), completion: .file())
    var image: [String] = []

    @Option(name: [.customShort("k"), .customLong("limit")], help: ArgumentHelp("Most hits.", valueName: "n"))
    var limit = 20

    @Option(name: .long, help: ArgumentHelp("Leave out hits below this similarity (or score, without vectors).", valueName: "x"))
    var minScore: Double?

    @Option(
        name: .long,
        help: ArgumentHelp(
            "End where pictures are no more similar to the query than chance has it (auto), or below a similarity.",
            valueName: "auto|off|x"))
    var cutoff = "off"

    @Option(
        name: .customLong("where"),
        help: ArgumentHelp("A filter, as \"width >= 1000 and format = jpeg and taken > 2020\".", valueName: "filter"))
    var filter: String?

    @Option(name: .long, help: ArgumentHelp("Pictures with this colour: #rrggbb, #rgb or a name.", valueName: "colour"))
    var color: String?

    @Option(
        name: .customLong("in"), help: ArgumentHelp("Only pictures in this folder or beneath it.", valueName: "folder"),
        completion: .directory)
    var folder: String?

    @Option(
        name: .long,
        help: ArgumentHelp("How much rankings count, as \"meaning=1,words=0.5,text=2,color=0\"; 0 leaves one out.", valueName: "weights"))
    var weights: String?

    @Option(name: .long, help: ArgumentHelp("The weights of words and text in one, as --weights words=x,text=x.", valueName: "x"))
    var textWeight: Double?

    func validate() throws {
        guard (1...Query.largestLimit).contains(limit) else { throw ValidationError("-k must be 1 to \(Query.largestLimit).") }
        if let textWeight {
            guard weights == nil else { throw ValidationError("--text-weight is part of --weights: give one of them.") }
            guard (0...RankingWeights.largest).contains(textWeight) else {
                throw ValidationError("--text-weight must be 0 to \(Int(RankingWeights.largest)).")
            }
        }
        if terms.isEmpty && image.isEmpty && color == nil && filter == nil && folder == nil {
            throw ValidationError("Say what to look for: words, --image, --color, --where or --in.")
        }
    }

    func query() throws -> Query {
        var query = Query(limit: limit, minScore: minScore)
        query.cutoff = try Cutoff(cutoff)
        if let weights { query.weights = try RankingWeights(weights) }
        if let textWeight { (query.weights[.words], query.weights[.text]) = (textWeight, textWeight) }
        if !terms.isEmpty || !image.isEmpty { query.terms = try QueryExpression.parse(terms, images: image) }
        query.filter = try filter.map { expression throws(WhereError) in try WhereFilter(expression) }
        query.color = try color.map { text throws(LibraryError) in try ColorQuery(text) }
        query.folder = folder.map { FilePath($0) }
        return query
    }
}

extension Searcher {
    /// - Parameter model: one that the user named.
    init(library: Library, model: String?, precision: WeightFormat?) {
        self.init(
            library: library,
            embedders: LibraryEmbedders(library: library.path, model: model, precision: precision, find: ModelPlace.find))
    }
}

extension SearchAnswer {
    /// What to tell of words that weren't compared with the pictures.
    var remark: String? {
        wordsAreTextBecause.map {
            "words are looked up in titles, tags and names (\($0)); with --model and a dual encoder they are compared with the pictures"
        }
    }
}

extension CutoffReport {
    /// Where the hits ended, and why there.
    var remark: String {
        guard let threshold else { return reason ?? "" }
        let similarity = NumberText.fixed(threshold, 3),
            left = "\(cut) hit\(cut == 1 ? "" : "s") below the similarity \(similarity) left out"
        guard let calibration else { return left }
        return
            "\(left): no better than chance (of \(calibration.sample) pictures the median is \(NumberText.fixed(calibration.median, 3)), "
            + "unrelated queries spread by \(NumberText.fixed(calibration.spread, 3)))"
    }
}
