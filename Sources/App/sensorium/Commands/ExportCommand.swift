import ArgumentParser
import Checkpoints
import Imaging
import PictureLibrary
import VectorIndex

struct ExportCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "export",
        abstract: "Writes the library's vectors for other programs.",
        discussion: """
            The output's extension says its format: .npy (NumPy), .fvecs, or .faiss (a flat index with ids). The paths go to \
            another file or to the standard output, a line for each row.

            EXAMPLES
              sensorium export --output vectors.npy > paths.txt
              sensorium export --output vectors.faiss --paths paths.txt
              sensorium export --index sensorium-clip-base --output vectors.fvecs --paths paths.txt
            """)

    @Option(name: .shortAndLong, help: ArgumentHelp("The file to write: .npy, .fvecs or .faiss.", valueName: "file"), completion: .file())
    var output: String

    @Option(name: .long, help: ArgumentHelp("Where the paths go (default: the standard output).", valueName: "file"), completion: .file())
    var paths: String?

    @Option(
        name: .long,
        help: ArgumentHelp("The model whose vectors are written, by its name or digest in `sensorium status`.", valueName: "model"))
    var index: String?

    @OptionGroup var libraryOptions: LibraryOptions

    @Flag(name: .long, help: "No remarks.")
    var quiet = false

    func validate() throws {
        guard VectorFileFormat(path: output) != nil else { throw ValidationError("--output must end in .npy, .fvecs, .faiss or .index.") }
    }

    func run() throws {
        let rows = try libraryOptions.open().exportVectors(to: output, embedder: index)
        if let paths {
            let file = try AtomicFile(path: paths)
            for path in rows { try file.write(path.bytes + [10]) }
            try file.commit()
        } else {
            for path in rows { Console.standard.line(bytes: path.bytes) }
        }
        if !quiet { Console.standard.error("wrote \(NumberText.grouped(rows.count)) rows to \(output)") }
    }
}
