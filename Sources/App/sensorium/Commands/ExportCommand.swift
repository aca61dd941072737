import ArgumentParser
import Catalog
import Checkpoints
import Imaging
import PictureLibrary
import Pipelines
import VectorIndex

struct ExportCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "export",
        abstract: "Writes the library's vectors, and what it knows of the pictures, for other programs.",
        discussion: """
            The output's extension says its format: .npy (NumPy), .fvecs, or .faiss (a flat index with ids). --metadata writes what \
            is known of the pictures, row by row, as .jsonl or .parquet. Without it the paths go to another file (--paths) or to the \
            standard output, a line for each row.

            A name without extension is a folder in clip-retrieval's layout, which `clip-retrieval back` serves as it is: \
            img_emb/img_emb_0.npy, metadata/metadata_0.parquet and image.index; with --captions also text_emb/text_emb_0.npy and \
            text.index, where pictures without a caption have zeros. `sensorium import` reads all of these.

            EXAMPLES
              sensorium export --output vectors.npy > paths.txt
              sensorium export --output vectors.faiss --paths paths.txt
              sensorium export --output vectors.npy --metadata vectors.jsonl
              sensorium export --output library-folder --captions --index sensorium-clip-base
              sensorium export --index sensorium-clip-base --output vectors.fvecs --paths paths.txt
            """)

    @Option(
        name: .shortAndLong, help: ArgumentHelp("The file to write (.npy, .fvecs or .faiss), or a new folder.", valueName: "file"),
        completion: .file())
    var output: String

    @Option(name: .long, help: ArgumentHelp("Where the paths go (default: the standard output).", valueName: "file"), completion: .file())
    var paths: String?

    @Option(
        name: .long, help: ArgumentHelp("Where what is known of the pictures goes: .jsonl or .parquet.", valueName: "file"),
        completion: .file())
    var metadata: String?

    @Flag(name: .long, help: "Embed the captions, too (for a folder; a model with a text tower).")
    var captions = false

    @Option(
        name: .long,
        help: ArgumentHelp("The model whose vectors are written, by its name or digest in `sensorium status`.", valueName: "model"))
    var index: String?

    @OptionGroup var libraryOptions: LibraryOptions
    @OptionGroup var options: OutputOptions

    private var isFolder: Bool { VectorFileFormat(path: output) == nil }

    func validate() throws {
        guard !isFolder || output.hasSuffix("/") || FilePath(output).pathExtension == nil else {
            throw ValidationError("--output must end in .npy, .fvecs, .faiss or .index, or be a folder's name without extension.")
        }
        if isFolder, metadata != nil || paths != nil {
            throw ValidationError("A folder has its metadata inside: leave --metadata and --paths out.")
        }
        if captions, !isFolder { throw ValidationError("--captions is for a folder.") }
        if let metadata, !metadata.hasSuffix(".jsonl"), !metadata.hasSuffix(".parquet") {
            throw ValidationError("--metadata must end in .jsonl or .parquet.")
        }
    }

    func run() throws {
        let library = try libraryOptions.open(), report = TransferReport(options, "rows")
        defer { report.clear() }
        let summary =
            isFolder
            ? try library.exportFolder(
                to: output, embedder: index, captions: captions ? embedder(library) : nil, onProgress: report.show)
            : try library.exportVectors(to: output, embedder: index, metadata: metadata, onProgress: report.show)
        report.clear()
        try write(summary.paths)
        guard options.json else {
            let captioned = summary.captions.map { ", \(NumberText.grouped($0)) of them with captions" } ?? ""
            return options.remark("wrote \(NumberText.grouped(summary.paths.count)) rows to \(output)\(captioned)")
        }
        var line = JSONLine()
        line.add("event", "done")
        line.add("output", output)
        line.add("rows", summary.paths.count)
        line.add("dimension", summary.dimension)
        line.add("captions", summary.captions)
        Console.standard.line(line.text)
    }

    private func embedder(_ library: Library) throws -> ModelEmbedder {
        guard let identity = try index.map({ name throws(LibraryError) in try library.identity(of: name) }) ?? library.activeIdentity()
        else {
            throw LibraryError.noActiveIndex(path: library.path.display)
        }
        return try LibraryEmbedders(library: library.path, find: ModelPlace.find).embedder(of: identity)
    }

    private func write(_ rows: [FilePath]) throws {
        if let paths {
            let file = try AtomicFile(path: paths)
            for path in rows { try file.write(path.bytes + [10]) }
            try file.commit()
        } else if !isFolder, metadata == nil, !options.json {
            for path in rows { Console.standard.line(bytes: path.bytes) }
        }
    }
}
