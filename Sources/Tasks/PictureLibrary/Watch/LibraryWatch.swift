import Foundation
import Imaging

/// Keeps a library up to date while folders change. It begins with a whole run, which finds what changed while nobody watched, and then
/// runs over the folders in which something changes, once they have been quiet for a moment.
public struct LibraryWatch: Sendable {
    public struct Options: Sendable {
        /// Seconds without a change before a run: a picture that is being copied changes again and again.
        public var settle = 2.0
        /// Seconds after which a run comes though changes go on.
        public var longestSettling = 60.0
        /// Seconds between whole runs, for disks that tell of no changes (network drives); nil for none.
        public var wholeRunEvery: Double? = 3_600
        /// Seconds before another try where another process was changing the library.
        public var retry = 5.0
        public var indexing = IndexingOptions()

        public init() {}
    }

    public enum Event: Sendable {
        /// Ready: whatever changes from now on is noticed.
        case watching(folders: Int, unwatched: Int)
        /// A run begins over some folders.
        case began(folders: [FilePath], isWhole: Bool)
        case indexing(IndexEvent)
        case ended(IndexSummary, isWhole: Bool)
        /// Another process is changing the library: what was to be done is done later.
        case postponed(LibraryError)
    }

    /// Runs over folders: `LibraryUpdate`, or what a test puts in its place.
    public typealias Index =
        @Sendable (_ roots: [FilePath], _ options: IndexingOptions, _ onEvent: @escaping @Sendable (IndexEvent) -> Void) async throws ->
        IndexSummary

    private let roots: [FilePath]
    private let options: Options
    private let events: FolderEvents
    private let index: Index

    /// - Parameters:
    ///   - library: The library's own folder, which isn't watched.
    ///   - roots: Folders, absolute.
    /// - Throws: `LibraryError.watch` where the system can't watch.
    public init(library: FilePath, roots: [FilePath], options: Options = Options(), index: @escaping Index) throws(LibraryError) {
        (self.roots, self.options, self.index) = (roots, options, index)
        events = try FolderEvents(
            roots, excluding: [library],
            options: FolderWalk.Options(includesHidden: options.indexing.includesHidden, followsLinks: options.indexing.followsLinks))
    }

    /// Watches until the task is cancelled; a run that goes on ends after its batch.
    public func run(onEvent: @escaping @Sendable (Event) -> Void) async throws {
        try await withTaskCancellationHandler {
            try await watch(onEvent)
        } onCancel: {
            events.wake()
        }
    }

    private func watch(_ onEvent: @escaping @Sendable (Event) -> Void) async throws {
        let counts = events.counts
        onEvent(.watching(folders: counts.watched, unwatched: counts.unwatched))
        var changed = Set(roots), isWhole = true, nextWhole = Double.infinity, nextTry = -Double.infinity
        while !Task.isCancelled {
            if !changed.isEmpty, monotonicSeconds() >= nextTry {
                do {
                    try await update(changed, isWhole: isWhole, onEvent)
                    if isWhole { nextWhole = options.wholeRunEvery.map { monotonicSeconds() + $0 } ?? .infinity }
                    (changed, isWhole, nextTry) = ([], false, -.infinity)
                } catch let error as LibraryError {
                    guard case .locked = error else { throw error }
                    onEvent(.postponed(error))
                    nextTry = monotonicSeconds() + options.retry
                }
                if Task.isCancelled { return }
            }
            let next = changed.isEmpty ? nextWhole : min(nextTry, nextWhole)
            changed.formUnion(await settled(next - monotonicSeconds()))
            if monotonicSeconds() >= nextWhole {
                events.watchAll()
                (changed, isWhole) = (Set(roots), true)
            }
        }
    }

    /// What changed, once nothing more does for a moment.
    private func settled(_ seconds: Double) async -> Set<FilePath> {
        var changed = await wait(seconds)
        let first = monotonicSeconds()
        while !changed.isEmpty, !Task.isCancelled, monotonicSeconds() - first < options.longestSettling {
            let more = await wait(options.settle)
            if more.isEmpty { break }
            changed.formUnion(more)
        }
        return changed
    }

    /// On a thread of its own: waiting mustn't hold one of those that tasks share.
    private func wait(_ seconds: Double) async -> Set<FilePath> {
        await withCheckedContinuation { continuation in
            let events = events
            WorkThread.start("watch", { events.wait(atMost: seconds.isFinite ? max(0, seconds) : nil) }) {
                continuation.resume(returning: $0)
            }
        }
    }

    private func update(_ changed: Set<FilePath>, isWhole: Bool, _ onEvent: @escaping @Sendable (Event) -> Void) async throws {
        let folders = isWhole ? roots : Self.reachable(changed, in: roots)
        onEvent(.began(folders: folders, isWhole: isWhole))
        var indexing = options.indexing
        indexing.isPartial = !isWhole
        let summary = try await index(folders, indexing) { onEvent(.indexing($0)) }
        onEvent(.ended(summary, isWhole: isWhole))
    }

    /// The changed folders, for one that is gone the nearest above it that isn't, without those that lie inside another.
    static func reachable(_ changed: Set<FilePath>, in roots: [FilePath]) -> [FilePath] {
        let folders = changed.map { folder in
            var folder = folder
            while !roots.contains(folder), !folder.isFolder { folder = folder.folder }
            return folder
        }
        return Library.distinct(folders)
    }
}
