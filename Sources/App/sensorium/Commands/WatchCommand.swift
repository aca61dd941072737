import ArgumentParser
import Catalog
import Foundation
import Imaging
import PictureLibrary
import Synchronization
import Tensors

struct WatchCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "watch",
        abstract: "Keeps the library up to date while pictures come, change, move and go.",
        discussion: """
            Begins with what `sensorium index` does, which finds what changed while nobody watched. From then on the system tells of \
            changes, and once the folders are quiet, those that changed are indexed. Searching goes on meanwhile; the model is in \
            memory only while it works.

            Network drives tell of no changes that other machines make: everything is looked through every hour (`--every`). Ctrl-C \
            ends it after the batch in work. Another `sensorium index` on the same library is waited for.

            EXAMPLES
              sensorium watch
              sensorium watch ~/Pictures ~/Camera
              sensorium watch --settle 10 --every 15m ~/Camera
              sensorium watch --json ~/Pictures
            """)

    @Argument(help: "Folders (default: the folders of earlier runs).", completion: .directory)
    var folders: [String] = []

    @OptionGroup var libraryOptions: LibraryOptions
    @OptionGroup var output: OutputOptions

    @Option(name: .long, help: "A model's folder, a checkpoint file or a catalogue name (default: the library's).")
    var model: String?

    @OptionGroup var precision: PrecisionOption

    @Option(name: .long, help: ArgumentHelp("Seconds without a change before folders are indexed.", valueName: "seconds"))
    var settle = 2.0

    @Option(
        name: .long,
        help: ArgumentHelp("Time between two looks at everything: 90s, 15m, 2h, or never.", valueName: "time"), transform: Self.interval)
    var every: Interval = .seconds(3_600)

    @Flag(name: .long, help: "Hidden files and folders too.")
    var hidden = false

    @Flag(name: .long, help: "Don't follow symbolic links.")
    var noLinks = false

    enum Interval: Equatable, Sendable { case seconds(Double), never }

    static func interval(_ text: String) throws -> Interval {
        if text == "never" { return .never }
        let units: [Character: Double] = ["s": 1, "m": 60, "h": 3_600, "d": 86_400]
        guard let last = text.last, let unit = units[last] ?? (last.isNumber ? 1 : nil),
            let number = Double(units[last] == nil ? Substring(text) : text.dropLast()), (1...1e9).contains(number * unit)
        else { throw ValidationError("\(text): give a time as 90s, 15m or 2h, at least 1s, or never") }
        return .seconds(number * unit)
    }

    func validate() throws {
        guard (0...3_600).contains(settle) else { throw ValidationError("--settle must be 0 to 3600 seconds.") }
    }

    func run() async throws {
        BufferPool.returnLargeBlocks(of: 1 << 20)
        let path = libraryOptions.path, options = options
        let watch = try LibraryWatch(library: path, roots: roots(path, options.indexing), options: options) {
            [model, precision] roots, indexing, onEvent in
            // Made anew each time: the library may have changed its model, and between runs no model takes memory.
            let update = try LibraryUpdate(
                of: path, roots: roots, model: model, precision: precision.precision, options: indexing, find: ModelPlace.find)
            return try await update.run(onEvent: onEvent)
        }
        try await follow(watch)
    }

    /// The folders to watch. Says what is wrong with them or the model before anything is watched, makes the library where there is
    /// none, and lets the model go.
    private func roots(_ path: FilePath, _ indexing: IndexingOptions) throws -> [FilePath] {
        let given = folders.map { FilePath($0).absolute() }
        let update = try LibraryUpdate(
            of: path, roots: given, model: model, precision: precision.precision, options: indexing, find: ModelPlace.find)
        let roots = given.isEmpty ? try update.library.roots() : given
        guard !roots.isEmpty else { throw LibraryError.nothingToIndex(path: path.display) }
        return roots
    }

    private var options: LibraryWatch.Options {
        var options = LibraryWatch.Options()
        options.settle = settle
        if case let .seconds(seconds) = every { options.wholeRunEvery = seconds } else { options.wholeRunEvery = nil }
        options.indexing.includesHidden = hidden
        options.indexing.followsLinks = !noLinks
        return options
    }

    private func follow(_ watch: LibraryWatch) async throws {
        let report = WatchReport(output)
        let run = Task { try await watch.run { report.show($0) } }
        let interruption = Interruption { run.cancel() }
        defer { withExtendedLifetime(interruption) { report.clear() } }
        try await run.value
    }
}

/// Tells of a watch's events: lines for people, or JSON lines.
private final class WatchReport: Sendable {
    private let output: OutputOptions
    private let progress: ProgressReport

    init(_ output: OutputOptions) { (self.output, progress) = (output, ProgressReport(output)) }

    func clear() { progress.clear() }

    func show(_ event: LibraryWatch.Event) {
        if case .indexing(let event) = event { return progress.show(event) }
        progress.clear()
        if output.json { return Console.standard.line(Self.json(event).text) }
        switch event {
        case .watching(let folders, let unwatched): tell(folders, unwatched)
        case .began, .indexing: return
        case .ended(let summary, let isWhole): tell(summary, isWhole: isWhole)
        case .postponed(let error): output.remark("\(error)")
        }
    }

    private func tell(_ folders: Int, _ unwatched: Int) {
        output.remark("watching \(NumberText.grouped(folders)) folders; Ctrl-C ends")
        guard unwatched > 0 else { return }
        Console.standard.complain(
            "the system allows no watch of \(NumberText.grouped(unwatched)) more folders, whose changes are found at the looks at everything: "
                + "`sysctl fs.inotify.max_user_watches=1000000` allows more")
    }

    private func tell(_ summary: IndexSummary, isWhole: Bool) {
        let told = ProgressReport.outcome(summary.progress, withUnchanged: false, alwaysEmbedded: false)
        guard isWhole || !told.isEmpty else { return }
        output.remark((isWhole ? "looked at everything: " : "") + (told.isEmpty ? "nothing changed" : told))
    }

    private static func json(_ event: LibraryWatch.Event) -> JSONLine {
        var line = JSONLine()
        switch event {
        case .watching(let folders, let unwatched):
            line.add("event", "watching")
            line.add("folders", folders)
            line.add("unwatched", unwatched)
        case .began(let folders, let isWhole):
            line.add("event", "began")
            line.add("whole", isWhole)
            line.add("folders", folders.map(\.display))
        case .ended(let summary, let isWhole):
            line.add("event", "ended")
            line.add("whole", isWhole)
            line.add("summary", json: JSONLine(summary).text)
        case .postponed(let error):
            line.add("event", "postponed")
            line.add("reason", error.description)
        case .indexing: break
        }
        return line
    }
}
