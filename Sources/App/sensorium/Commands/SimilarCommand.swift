import ArgumentParser
import Imaging
import PictureLibrary

struct SimilarCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "similar",
        abstract: "Finds pictures that look like one of the library.",
        discussion: """
            Answers from the library's vectors alone, so no model is loaded. For a picture outside the library use \
            `sensorium search --image`.

            EXAMPLES
              sensorium similar ~/Pictures/bike.jpg
              sensorium similar --copies --min-score 0.9 ~/Pictures/bike.jpg
              sensorium similar -k 5 --json ~/Pictures/bike.jpg
            """)

    @Argument(help: "A picture of the library.", completion: .file())
    var path: String

    @Option(name: [.customShort("k"), .customLong("limit")], help: ArgumentHelp("Most hits.", valueName: "n"))
    var limit = 20

    @Option(name: .long, help: ArgumentHelp("Leave out hits below this similarity.", valueName: "x"))
    var minScore: Double?

    @Option(name: .customLong("where"), help: ArgumentHelp("A filter, as for `sensorium search`.", valueName: "filter"))
    var filter: String?

    @Option(
        name: .customLong("in"), help: ArgumentHelp("Only pictures in this folder or beneath it.", valueName: "folder"),
        completion: .directory)
    var folder: String?

    @Flag(name: .long, help: "Other files with the same bytes too, first.")
    var copies = false

    @OptionGroup var libraryOptions: LibraryOptions
    @OptionGroup var output: OutputOptions

    func validate() throws {
        guard (1...Query.largestLimit).contains(limit) else { throw ValidationError("-k must be 1 to \(Query.largestLimit).") }
    }

    func run() throws {
        let condition = try filter.map { expression throws(WhereError) in try WhereFilter(expression) }
        let hits = try libraryOptions.open().similar(
            to: FilePath(path), limit: limit, filter: condition, folder: folder.map { FilePath($0) }, minScore: minScore,
            includesCopies: copies)
        HitOutput(output: output).show(hits)
        try HitOutput(output: output).finish(hits)
    }
}
