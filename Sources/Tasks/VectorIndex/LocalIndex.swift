import Foundation
import Synchronization
import Tensors

/// Exact and quantised search over a folder of files: append-only vectors, mapped into memory, and a journal of changes.
///
/// Any number of processes may read and write the same folder: writers take turns by a lock file, readers take no lock and
/// each search runs on the state that was acknowledged last. A change is on the disk before its call returns; a process
/// killed at any moment loses at most what was not acknowledged. Damaged files are refused: settings, ids and removals when
/// the index is opened, vectors before they are first used, everything by `verify()`. A file that another program cuts off is
/// refused by the next call; cut off while a search is reading it, it ends the process (SIGBUS), as any mapped file does.
public final class LocalIndex: NearestNeighborIndex {
    let folder: Folder
    let settings: Settings
    let state: Mutex<State>
    /// Held during a change: the writer of this process. Searches don't take it.
    let writing = Mutex(Writing())

    /// Derived data of the newest generation that was searched.
    let codes = Mutex<CodeMaps?>(nil)
    let knownLists = Mutex<KnownLists?>(nil)
    /// Which rows pass the filters that were used last.
    let masks = Mutex(MaskCache())
    /// How thoroughly `search(_:k:filter:)` looks.
    public let exactness: Exactness

    struct Writing {
        /// What killed writers left behind was removed.
        var tidied = false
        /// Lists are made when all of an import is there.
        var defersLists = false
    }

    struct State {
        var opened: Folder.Opened
        var snapshot: Snapshot
        /// Row of each live id; built at first need.
        var rows: [Int64: Int]?

        mutating func needRows() throws(IndexError) {
            guard rows == nil else { return }
            var map = [Int64: Int](minimumCapacity: snapshot.liveCount)
            for chunk in snapshot.chunks {
                for index in 0..<chunk.count where chunk.isLive(index) {
                    guard map.updateValue(chunk.start + index, forKey: chunk.ids[index]) == nil else {
                        throw .corrupt(
                            file: snapshot.journalFile.path, offset: 0, field: "id \(chunk.ids[index])", found: "two live vectors",
                            expected: "one")
                    }
                }
            }
            rows = map
        }

        mutating func follow(_ records: [Journal.Record]) {
            for record in records {
                for row in record.removed { rows?.removeValue(forKey: snapshot.id(row)) }
                for (index, id) in record.ids.enumerated() { rows?[id] = record.firstRow + index }
            }
        }
    }

    public var dimension: Int { settings.dimension }
    public var metric: Metric { settings.metric }
    public var storage: VectorStorage { settings.storage }
    public var path: String { folder.path }

    private init(folder: Folder, opened: Folder.Opened, snapshot: Snapshot, exactness: Exactness) {
        self.folder = folder
        self.exactness = exactness
        settings = snapshot.settings
        state = Mutex(State(opened: opened, snapshot: snapshot))
    }

    /// Makes an empty index in a folder that is absent or empty.
    public static func create(
        at path: String, dimension: Int, metric: Metric, storage: VectorStorage = .f32, exactness: Exactness = .exact
    ) throws(IndexError) -> LocalIndex {
        guard (1...Manifest.maximumDimension).contains(dimension) else {
            throw .invalid(
                operation: "create index", field: "dimension", value: "\(dimension)", expected: "1...\(Manifest.maximumDimension)")
        }
        let folder = Folder(path: path)
        let lock = try WriterLock.acquire(folder, creating: true)
        defer { lock.release() }
        guard access(folder.manifestPath, F_OK) != 0 else {
            throw .invalid(operation: "create index", field: "folder", value: path, expected: "a folder without an index; open this one")
        }
        let settings = Settings(dimension: dimension, metric: metric, storage: storage)
        let generation = try GenerationWriter(folder, settings, generation: 1)
        try generation.publish()
        return try open(at: path, exactness: exactness)
    }

    /// Opens an index; it needs only permission to read until something is changed. `exactness` is for searches that don't say.
    public static func open(at path: String, exactness: Exactness = .exact) throws(IndexError) -> LocalIndex {
        let folder = Folder(path: path)
        let (opened, snapshot) = try folder.load()
        return LocalIndex(folder: folder, opened: opened, snapshot: snapshot, exactness: exactness)
    }

    /// Number of live vectors, changes of other processes included. Where the files can no longer be read: the last known.
    public var count: Int { (try? current())?.liveCount ?? state.withLock { $0.snapshot.liveCount } }

    /// The state that was acknowledged last.
    func current() throws(IndexError) -> Snapshot {
        try withCurrent { (state) throws(IndexError) in state.snapshot }
    }

    func withCurrent<Result>(_ body: (inout State) throws(IndexError) -> Result) throws(IndexError) -> Result where Result: Sendable {
        let outcome: Swift.Result<Result, IndexError> = state.withLock { state in
            do throws(IndexError) {
                try refresh(&state)
                return .success(try body(&state))
            } catch {
                return .failure(error)
            }
        }
        return try outcome.get()
    }

    private func refresh(_ state: inout State) throws(IndexError) {
        guard state.opened.isCurrent(folder) else { return try reload(&state) }
        let manifest = try folder.readManifest(state.opened)
        let known = state.snapshot.commit
        // Maps don't notice when a file gets shorter: touching what is gone would end the process.
        try folder.checkVectors(known.rows, state.snapshot)
        if manifest.commit == known || (manifest.rollsForward && manifest.commit.sequence < known.sequence) { return }
        guard manifest.commit.sequence > known.sequence else { return try reload(&state) }
        let records = try folder.follow(&state.snapshot, to: manifest)
        if state.rows != nil { state.follow(records) }
    }

    private func reload(_ state: inout State) throws(IndexError) {
        (state.opened, state.snapshot) = try folder.load()
        state.rows = nil
        guard state.snapshot.settings == settings else {
            throw .invalid(
                operation: "read index", field: "settings of \(folder.path)", value: "\(state.snapshot.settings)",
                expected: "\(settings): the index was replaced by another; open it again")
        }
    }
}
