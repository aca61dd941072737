/// Samples in files. Either an `IndexedSource` or a `ShardedSource`.
public protocol SampleSource: Sendable {
    /// The file or folder, for messages.
    var path: String { get }
    /// Names of the classes by label; empty where there are none.
    var classNames: [String] { get }
    /// What was wrong when the source was opened and is left out: bad lines, captions without a picture, pictures without a caption.
    var problems: DataProblems { get }
    /// The same text for the same samples in the same order. A run that goes on with other data wouldn't be the same run.
    var fingerprint: String { get }
}

extension SampleSource {
    public var classNames: [String] { [] }
    public var problems: DataProblems { DataProblems() }
}

/// Samples that can be read in any order.
public protocol IndexedSource: SampleSource {
    var count: Int { get }
    /// The sample at `index` in `0..<count`. Safe to call from any number of threads.
    /// Throws when what belongs to this sample is damaged.
    func sample(_ index: Int) throws(DataError) -> Sample
    /// The sample's identifier, found with as little work as the format allows.
    func id(_ index: Int) throws(DataError) -> String
}

extension IndexedSource {
    public func id(_ index: Int) throws(DataError) -> String { try sample(index).id }
}

/// Samples in archives that are read from their beginning to their end.
public protocol ShardedSource: SampleSource {
    var shardCount: Int { get }
    /// Starts to read a shard.
    func open(shard: Int) throws(DataError) -> any ShardReader
}

/// Reads one shard. Used by one thread at a time.
public protocol ShardReader: AnyObject {
    /// The next sample; nil at the end. After an error the rest of the shard can't be read.
    func next() throws(DataError) -> ShardSample?
}

/// A sample of a shard, found but not yet read.
public struct ShardSample: Sendable {
    /// Bytes that it holds in memory until it is loaded.
    public let byteCount: Int
    /// Reads it; safe to call from any thread.
    public let load: @Sendable () throws(DataError) -> Sample

    public init(byteCount: Int, load: @escaping @Sendable () throws(DataError) -> Sample) {
        self.byteCount = byteCount
        self.load = load
    }
}
