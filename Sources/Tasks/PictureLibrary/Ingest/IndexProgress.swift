import Imaging
import MilvusIndex
import Pipelines

/// How to index.
public struct IndexingOptions: Sendable {
    /// Pictures put through the network at once, at most; 0 finds the fastest size that memory allows.
    public var batchSize = 0
    /// Threads that decode; 0 is one for each core.
    public var decodingThreads = 0
    /// Threads that read files: several, for they wait for disks.
    public var readingThreads = 4
    public var includesHidden = false
    public var followsLinks = true
    /// Files that failed and haven't changed are tried again too.
    public var retriesFailed = false
    /// Every file is read again, whatever its time and size say.
    public var rereadsAll = false
    /// The folders lie inside those that the library is to remember.
    var isPartial = false
    /// Where the vectors of a model go that has none yet; nil leaves them in the library's folder, or where they lie.
    public var place: MilvusAddress?
    /// Largest file that is read (bytes).
    public var largestFile = 1 << 30
    /// Bytes of files that wait for a decoder, and which pictures count as large.
    var decodingLimits = DecodingQueue.Limits()
    /// The whole content of a file, and its stamp.
    var readFile: @Sendable (inout FoundFile, _ limit: Int) throws(FileProblem) -> [UInt8] = {
        (file: inout FoundFile, limit: Int) throws(FileProblem) in try PictureFile.read(&file, limit: limit)
    }
    /// Bytes that may still be used.
    package var availableMemory: @Sendable () -> Int = AvailableMemory.bytes
    /// Stages at which a test can make the run fail as if the process had died.
    package var interruption: (@Sendable (Stage) throws -> Void)?
    /// Seconds on a clock that only goes forward.
    package var clock: @Sendable () -> Double = monotonicSeconds
    /// Seconds since 1970.
    package var date: @Sendable () -> Double = secondsSince1970

    package enum Stage: String, Sendable, CaseIterable {
        case loaded, embedded, vectorsStored, committed, walked, switched
    }

    /// The largest batch that is chosen when none is given: on processors larger ones gain next to nothing and take much memory.
    package static let largestChosenBatch = 8
    /// Embedded pictures that are made durable together when no batch is given.
    static let committedTogether = 32
    /// Embedded pictures don't wait longer than this to be made durable (seconds).
    static let longestUncommitted = 1.0

    var commitSize: Int { batchSize > 0 ? batchSize : Self.committedTogether }

    public init() {}
}

/// Where a run stands. Counts are of files.
public struct IndexProgress: Sendable, Equatable {
    /// Found so far; the total once `isWalking` is false.
    public var found = 0
    public var isWalking = true
    /// Put through the model.
    public var embedded = 0
    /// As they were at the last run.
    public var unchanged = 0
    /// Same bytes as another file, which was embedded.
    public var duplicates = 0
    /// Known files at a new place.
    public var moved = 0
    /// Unreadable files, those that failed before and haven't changed included.
    public var failed = 0
    /// Indexed before and gone now.
    public var missing = 0
    /// Pictures and folders that can't be reached now and were kept as they were.
    public var unreachable = 0
    /// Seconds since the start.
    public var elapsed = 0.0

    public init() {}

    public var done: Int { embedded + unchanged + duplicates + moved + failed }
    /// Files per second that took work, unchanged ones left out; 0 at first.
    public var rate: Double { elapsed > 0 ? Double(done - unchanged) / elapsed : 0 }
    /// Seconds left, nil while that can't be told.
    public var remaining: Double? { !isWalking && rate > 0 ? Double(max(0, found - done)) / rate : nil }
}

/// What a run tells while it goes on. Called from the run's thread, one at a time.
public enum IndexEvent: Sendable {
    case progress(IndexProgress)
    /// One file or folder couldn't be indexed.
    case problem(FilePath, FileProblem)
}

/// How a run ended.
public struct IndexSummary: Sendable, Equatable {
    public var progress: IndexProgress
    /// Stopped by cancellation; a later run goes on from here.
    public var isCancelled: Bool
    /// Whether searches now use this embedder's vectors. False while an earlier embedder's index is still the more complete.
    public var isActive: Bool
    /// Indexed pictures that this embedder hasn't yet: 0 when its index is complete.
    public var pending: Int
}
