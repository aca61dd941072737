import ArgumentParser
import Catalog
import Imaging
import ModelKit
import PictureLibrary
import Pipelines

struct ImportCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "import",
        abstract: "Adds vectors that another program made, with what it knows of the pictures.",
        discussion: """
            Reads a folder in clip-retrieval's layout (img_emb/*.npy or a flat image.index, metadata/*.parquet), as \
            `clip-retrieval inference` and `sensorium export` write it, or a file of vectors: .npy, .fvecs, or a flat index of FAISS \
            with or without ids. Beside a file, metadata of the same name is looked for: .jsonl, .parquet, or .txt with a path in each \
            line. Columns that count: image_path or url, caption, description, tags, width, height, format, sha256, taken, latitude, \
            longitude, and vector_id or id where the vectors have ids.

            Searches find the pictures at once. --model names the model that made the vectors, so that words and other pictures can be \
            compared with them; a folder that sensorium wrote names it itself. The pictures need not be there: \
            what shows them says so then. --pictures is the folder in which relative paths begin; the files beneath it are looked at, \
            and it becomes a folder of the library.

            EXAMPLES
              sensorium import clip-retrieval-folder --model clip-folder
              sensorium import vectors.fvecs --metadata paths.txt --model sensorium-clip-base
              sensorium import vectors.faiss --metadata vectors.jsonl --pictures ~/Pictures
            """)

    @Argument(help: "A folder in clip-retrieval's layout, or a file of vectors: .npy, .fvecs, .faiss or .index.", completion: .file())
    var source: String

    @Option(
        name: .long, help: ArgumentHelp("What is known of the pictures, row by row: .jsonl, .parquet or .txt (paths).", valueName: "file"),
        completion: .file())
    var metadata: String?

    @Option(name: .long, help: "The model that made the vectors: its folder, a checkpoint file or a catalogue name.")
    var model: String?

    @OptionGroup var precision: PrecisionOption

    @Option(
        name: .long, help: ArgumentHelp("Where the pictures lie (default: their files aren't looked at).", valueName: "folder"),
        completion: .directory)
    var pictures: String?

    @OptionGroup var libraryOptions: LibraryOptions
    @OptionGroup var output: OutputOptions

    func run() throws {
        let source = try ImportSource(FilePath(self.source), metadata: metadata.map { FilePath($0) })
        let found = try modelSource(source), identity = try found.map { try ModelEmbedder($0).identity }
        if let identity { try source.check(identity) }
        let library = try libraryOptions.open(create: true)
        if found == nil {
            output.remark("no model is named: words are looked up in captions only, and other pictures can't be compared (--model)")
        }
        if source.metric == .l2 { output.remark("the vectors were to be compared by Euclidean distance; here they are by cosine") }
        let report = TransferReport(output, "rows")
        defer { report.clear() }
        let summary = try library.importVectors(
            source, identity: identity, pictures: pictures.map { FilePath($0) }, onProgress: report.show)
        report.clear()
        if let found, let identity {
            var remembered = RememberedModels(library: library.path, find: ModelPlace.find)
            try remembered.remember(found, identity, isInUse: summary.isActive)
        }
        finish(summary)
    }

    /// The model that was named, or the one that the source names, if it is here and still the same.
    private func modelSource(_ source: ImportSource) throws -> (any ModelSource)? {
        if let model { return try ModelPlace.find(model, precision.precision) }
        guard let (spec, digest) = source.model, let found = try? ModelPlace.find(spec, precision.precision),
            let embedder = try? ModelEmbedder(found), embedder.identity.digest == digest
        else { return nil }
        return found
    }

    private func finish(_ summary: ImportSummary) {
        if output.json { return Console.standard.line(JSONLine(summary).text) }
        let counts = [
            ("added", summary.added), ("replaced", summary.replaced), ("known already", summary.known), ("files found", summary.found),
            ("files changed since", summary.changed),
        ]
        let told = counts.filter { $0.1 > 0 || $0.0 == "added" }.map { "\(NumberText.grouped($0.1)) \($0.0)" }.joined(separator: ", ")
        output.remark("imported \(NumberText.grouped(summary.rows)) rows: \(told)")
        guard !summary.isActive else { return }
        output.remark(
            "searches use the earlier model's vectors until all pictures have this one's (\(NumberText.grouped(summary.pending)) to go)")
    }
}
