import ArgumentParser
import PictureLibrary

struct MoveCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "move",
        abstract: "Moves the library's vectors to a Milvus server, or back.",
        discussion: """
            Names of places are milvus://host:port/collection, milvus+tls://host:port/collection, and local for the library's \
            folder. The vectors keep their ids and scores, and answer from where they were until all have been copied; then they \
            are removed there. Everything else stays in the library, and all commands work as before.

            Options follow the address: ?index=hnsw (flat, the default, is exact; hnsw, ivf_flat and autoindex are faster from some \
            hundred thousand vectors on), consistency=strong (own changes are seen at once in any case; strong waits for those of other \
            machines, too), timeout=SECONDS, database=NAME, ca=FILE. The environment variable MILVUS_TOKEN holds user:password \
            or an API key.

            sensorium move milvus://milvus.example.org:19530/pictures?index=hnsw

            EXAMPLES
              sensorium move local
            """)

    @Argument(help: "milvus://host:port/collection, or local.")
    var place: String

    @Option(name: .long, help: ArgumentHelp("The model whose vectors move (default: the one in use).", valueName: "model"))
    var index: String?

    @OptionGroup var libraryOptions: LibraryOptions
    @OptionGroup var output: OutputOptions

    func validate() throws { _ = try VectorPlace(place) }

    func run() throws {
        let place = try VectorPlace(self.place), library = try libraryOptions.open(), report = TransferReport(output, "vectors")
        defer { report.clear() }
        let moved = try library.moveVectors(index, to: place, onProgress: report.show)
        report.clear()
        guard !output.json else {
            var line = JSONLine()
            line.add("event", "done")
            line.add("place", place.display)
            line.add("moved", moved ?? 0)
            return Console.standard.line(line.text)
        }
        output.remark(
            moved.map { "moved \(NumberText.grouped($0)) vectors to \(place.display)" } ?? "the vectors lie at \(place.display) already")
    }
}
