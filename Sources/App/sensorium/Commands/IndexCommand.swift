import ArgumentParser
import Foundation
import Imaging
import Pipelines
import PictureLibrary
import Tensors

struct IndexCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "index",
        abstract: "Builds the library or brings it up to date.",
        discussion: """
            Finds pictures in the folders, reads what is written about them, and puts them through a model. What hasn't changed \
            since the last run is left as it is; moved files are recognised by their content; equal files are embedded once. \
            Pictures that can't be read are named and passed over (`sensorium status --errors` lists them).

            Ctrl-C ends the run after the batch in work; the next run goes on from there. A second Ctrl-C ends it at once, \
            which loses that batch and nothing else. Without a folder, the folders of earlier runs are brought up to date.

            EXAMPLES
              sensorium index ~/Pictures
              sensorium index
              sensorium index --model clip-vit-b16-vision ~/Pictures
              sensorium index --library ~/family --quiet ~/Pictures ~/Camera
            """)

    @Argument(help: "Folders or pictures (default: the folders of earlier runs).", completion: .file())
    var paths: [String] = []

    @OptionGroup var libraryOptions: LibraryOptions
    @OptionGroup var output: OutputOptions

    @Option(
        name: .long,
        help: "A model's folder, a checkpoint file or a catalogue name (default: the library's, at first \(RememberedModels.standard)).")
    var model: String?

    @OptionGroup var precision: PrecisionOption

    @Option(
        name: .long,
        help: ArgumentHelp(
            "Pictures put through the model at once, at most, and made durable together (default: what proves fastest and fits into memory).",
            valueName: "n"))
    var batch: Int?

    @Option(name: .long, help: ArgumentHelp("Threads that decode (default: one for each core).", valueName: "n"))
    var threads = 0

    @Flag(name: .long, help: "Try files again that failed before.")
    var retry = false

    @Flag(name: .long, help: "Read every file again, whatever its time and size say.")
    var reread = false

    @Flag(name: .long, help: "Hidden files and folders too.")
    var hidden = false

    @Flag(name: .long, help: "Don't follow symbolic links.")
    var noLinks = false

    func validate() throws {
        guard (1...4_096).contains(batch ?? 1) else { throw ValidationError("--batch must be 1 to 4096.") }
        guard (0...256).contains(threads) else { throw ValidationError("--threads must be 0 to 256.") }
    }

    func run() async throws {
        // Large photographs pass through many threads: measured on 12-megapixel JPEGs, a third less memory.
        BufferPool.returnLargeBlocks(of: 1 << 20)
        var remembered = RememberedModels(library: libraryOptions.path)
        let place = try remembered.placeForIndexing(given: model, precision: precision.precision)
        // Before the library is made: a wrong model or folder shouldn't leave an empty one behind.
        let embedder = try place.embedder()
        try checkFolders()
        let library = try libraryOptions.open(create: true)
        try remembered.remember(place, embedder.identity)
        let report = ProgressReport(output)
        let summary = try await index(library, embedder, report)
        finish(summary, report)
        guard !summary.isCancelled else { throw Failure(.interrupted) }
        if summary.progress.failed > 0 || summary.progress.unreachable > 0 { throw Failure(.partial) }
    }

    /// A library that knows them may be told of folders that are away; a new one has nothing of theirs.
    private func checkFolders() throws {
        let library = libraryOptions.path
        guard !Library.exists(at: library) else { return }
        guard !paths.isEmpty else { throw LibraryError.nothingToIndex(path: library.display) }
        for path in paths where access(path, F_OK) != 0 {
            throw LibraryError.unreachableRoot(path: FilePath(path).absolute().display, reason: String(cString: strerror(errno)))
        }
    }

    private var options: IndexingOptions {
        var options = IndexingOptions()
        options.batchSize = batch ?? 0
        options.decodingThreads = threads
        options.includesHidden = hidden
        options.followsLinks = !noLinks
        options.retriesFailed = retry
        options.rereadsAll = reread
        return options
    }

    private func index(_ library: Library, _ embedder: any Embedder, _ report: ProgressReport) async throws -> IndexSummary {
        let (roots, options) = (paths.map { FilePath($0) }, options)
        let run = Task { try await library.index(roots: roots, embedder: embedder, options: options) { report.show($0) } }
        let quiet = output.quiet
        let interruption = Interruption {
            run.cancel()
            report.clear()
            if !quiet { Console.standard.error("stopping after this batch; Ctrl-C again stops at once") }
        }
        defer { withExtendedLifetime(interruption) { report.clear() } }
        return try await run.value
    }

    private func finish(_ summary: IndexSummary, _ report: ProgressReport) {
        let progress = summary.progress
        if output.json {
            var line = ProgressReport.json(progress, event: summary.isCancelled ? "cancelled" : "done")
            line.add("active", summary.isActive)
            line.add("pending", summary.pending)
            Console.standard.line(line.text)
            return
        }
        guard !output.quiet else { return }
        let counts = [
            ("embedded", progress.embedded), ("unchanged", progress.unchanged), ("copies", progress.duplicates), ("moved", progress.moved),
            ("failed", progress.failed), ("gone", progress.missing), ("out of reach", progress.unreachable),
        ]
        let told = counts.filter { $0.1 > 0 || $0.0 == "embedded" }.map { "\(NumberText.grouped($0.1)) \($0.0)" }.joined(separator: ", ")
        let time = NumberText.duration(progress.elapsed)
        let console = Console.standard
        console.error("\(summary.isCancelled ? "Interrupted" : "Done"): \(NumberText.grouped(progress.found)) files in \(time): \(told)")
        if progress.failed > 0 { console.error("`sensorium status --errors` says why \(NumberText.grouped(progress.failed)) failed") }
        if !summary.isActive {
            console.error(
                "searches use the earlier model's vectors until all pictures have this one's (\(NumberText.grouped(summary.pending)) to go)"
            )
        }
    }
}
