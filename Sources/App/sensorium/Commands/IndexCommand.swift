import ArgumentParser
import Catalog
import Foundation
import Imaging
import MilvusIndex
import PictureLibrary
import Pipelines
import Tensors
import VectorIndex

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

            With --read-text the text in the pictures is read, too, so that searches find what stands on signs and pages: after \
            the rest, and of pictures that weren't read yet. It takes a second or so for each; `sensorium search --where "text \
            contains 'exit'"` finds it, and words of any search do.

            The vectors of a model that is new to the library can go to a Milvus server from the start, as in \
            `--index milvus://host:19530/pictures`; `sensorium move` moves those that are there.

            EXAMPLES
              sensorium index ~/Pictures
              sensorium index
              sensorium index --model clip-vit-b16-vision ~/Pictures
              sensorium index --library ~/family --quiet ~/Pictures ~/Camera
              sensorium index --read-text ~/Pictures
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
            "Where the vectors go: milvus://host:port/collection (default: where they lie, at first the library's folder).",
            valueName: "address"))
    var index: String?

    @Option(
        name: .long,
        help: ArgumentHelp(
            "Pictures put through the model at once, at most, and made durable together (default: what proves fastest and fits into memory).",
            valueName: "n"))
    var batch: Int?

    @Option(name: .long, help: ArgumentHelp("Threads that decode (default: one for each core).", valueName: "n"))
    var threads = 0

    @Flag(name: .long, help: "Read the text in pictures that weren't read yet.")
    var readText = false

    @Option(
        name: .long,
        help: "A reading model's folder or catalogue name, for --read-text (default: \(RememberedModels.standardReader)).")
    var reader: String?

    @Flag(name: .long, help: "Try files again that failed before.")
    var retry = false

    @Flag(name: .long, help: "Read every file again, whatever its time and size say.")
    var reread = false

    @Flag(name: .long, help: "Hidden files and folders too.")
    var hidden = false

    @Flag(name: .long, help: "Don't follow symbolic links.")
    var noLinks = false

    func validate() throws {
        if let index { _ = try MilvusAddress(index) }
        guard (1...4_096).contains(batch ?? 1) else { throw ValidationError("--batch must be 1 to 4096.") }
        guard readText || reader == nil else { throw ValidationError("--reader is for --read-text.") }
        guard (0...256).contains(threads) else { throw ValidationError("--threads must be 0 to 256.") }
    }

    func run() async throws {
        // Large photographs pass through many threads: measured on 12-megapixel JPEGs, a third less memory.
        BufferPool.returnLargeBlocks(of: 1 << 20)
        // Before hours of indexing: without the model nothing would be read after them.
        let reader = try readText ? LibraryReader(ModelPlace(reader ?? RememberedModels.standardReader)) : nil
        let update = try LibraryUpdate(
            of: libraryOptions.path, roots: paths.map { FilePath($0) }, model: model, precision: precision.precision, options: options(),
            find: ModelPlace.find)
        let report = ProgressReport(output)
        let summary = try await perform(update, report)
        finish(summary, report)
        guard !summary.isCancelled else { throw Failure(.interrupted) }
        var unread = 0
        if let reader { unread = try await read(with: reader, update.library, report) }
        if summary.progress.failed > 0 || summary.progress.unreachable > 0 || unread > 0 { throw Failure(.partial) }
    }

    /// - Returns: How many pictures couldn't be read.
    private func read(with reader: LibraryReader, _ library: Library, _ report: ProgressReport) async throws -> Int {
        var options = ReadingOptions()
        options.retriesFailed = retry
        let run = Task { [options] in try await library.readText(with: reader, options: options) { report.show($0) } }
        let summary = try await interruptible(run, report, remark: "stopping after this picture; Ctrl-C again stops at once")
        if output.json {
            Console.standard.line(JSONLine(summary.progress, event: summary.isCancelled ? "reading_cancelled" : "read").text)
        } else {
            output.remark((summary.isCancelled ? "Interrupted: " : "Text: ") + ProgressReport.line(summary.progress))
        }
        guard !summary.isCancelled else { throw Failure(.interrupted) }
        return summary.progress.failed
    }

    private func options() throws -> IndexingOptions {
        var options = IndexingOptions()
        options.place = try index.map { address throws(IndexError) in try MilvusAddress(address) }
        options.batchSize = batch ?? 0
        options.decodingThreads = threads
        options.includesHidden = hidden
        options.followsLinks = !noLinks
        options.retriesFailed = retry
        options.rereadsAll = reread
        return options
    }

    private func perform(_ update: LibraryUpdate, _ report: ProgressReport) async throws -> IndexSummary {
        let run = Task { try await update.run { report.show($0) } }
        return try await interruptible(run, report, remark: "stopping after this batch; Ctrl-C again stops at once")
    }

    private func interruptible<Summary: Sendable>(
        _ run: Task<Summary, any Error>, _ report: ProgressReport, remark: String
    ) async throws -> Summary {
        let quiet = output.quiet
        let interruption = Interruption {
            run.cancel()
            report.clear()
            if !quiet { Console.standard.error(remark) }
        }
        defer { withExtendedLifetime(interruption) { report.clear() } }
        return try await run.value
    }

    private func finish(_ summary: IndexSummary, _ report: ProgressReport) {
        let progress = summary.progress
        if output.json {
            Console.standard.line(JSONLine(summary).text)
            return
        }
        guard !output.quiet else { return }
        let told = ProgressReport.outcome(progress, withUnchanged: true, alwaysEmbedded: true)
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
