/// How far an export, an import or a move of vectors has come.
public struct TransferProgress: Sendable, Equatable {
    /// Vectors, or pictures.
    public var done: Int
    public var total: Int
    /// Seconds since the start.
    public var elapsed: Double

    public init(done: Int, total: Int, elapsed: Double) { (self.done, self.total, self.elapsed) = (done, total, elapsed) }
}

/// Counts what is done and tells of it.
struct TransferMeter {
    private let total: Int
    private let start = monotonicSeconds()
    private let onProgress: (TransferProgress) -> Void
    private(set) var done = 0

    init(total: Int, _ onProgress: @escaping (TransferProgress) -> Void) { (self.total, self.onProgress) = (total, onProgress) }

    mutating func add(_ count: Int) {
        done += count
        onProgress(TransferProgress(done: done, total: total, elapsed: monotonicSeconds() - start))
    }
}
