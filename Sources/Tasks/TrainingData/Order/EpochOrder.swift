import Tensors

/// A sample that is to be made.
struct SampleTicket: Sendable {
    /// Which sample of the source: its random numbers follow from it.
    var key: UInt64
    var load: @Sendable () throws(DataError) -> Sample
}

/// The samples of one epoch in their order. Used by one thread at a time.
protocol EpochOrder: AnyObject {
    /// nil at the end of the epoch. A failure stands for one damaged sample.
    func next() -> Result<SampleTicket, DataError>?
    /// Passes over samples that were used before.
    func skip(_ count: Int)
}

/// A shuffled or natural order of a source that is read anywhere.
final class IndexedOrder: EpochOrder {
    private let source: any IndexedSource
    private let permutation: Permutation?
    private var position = 0

    init(_ source: any IndexedSource, shuffled: Bool, seed: UInt64, epoch: Int) {
        self.source = source
        permutation = shuffled ? Permutation(count: source.count, key: SampleRandom.key(seed: seed, epoch: epoch, .permutation)) : nil
    }

    func next() -> Result<SampleTicket, DataError>? {
        guard position < source.count else { return nil }
        let index = permutation?.callAsFunction(position) ?? position
        position += 1
        return .success(SampleTicket(key: UInt64(index)) { [source] () throws(DataError) in try source.sample(index) })
    }

    func skip(_ count: Int) { position = min(source.count, position + count) }
}

/// Shards in a shuffled order, their samples shuffled among those that a bounded buffer holds.
final class ShardedOrder: EpochOrder {
    struct Buffer: Sendable {
        var samples: Int
        var bytes: Int
    }

    private struct Waiting {
        var ticket: SampleTicket
        var byteCount: Int
    }

    private let source: any ShardedSource
    private let shards: Permutation?
    private let limits: Buffer
    private var generator: RandomGenerator
    private var shardPosition = 0
    private var reader: (any ShardReader)?
    private var shard = 0
    private var ordinal = 0
    private var buffer: [Waiting] = []
    private var bufferBytes = 0
    private var failures: [DataError] = []

    init(_ source: any ShardedSource, shuffled: Bool, buffer: Buffer, seed: UInt64, epoch: Int) {
        self.source = source
        shards = shuffled ? Permutation(count: source.shardCount, key: SampleRandom.key(seed: seed, epoch: epoch, .shards)) : nil
        limits = shuffled ? buffer : Buffer(samples: 1, bytes: 0)
        generator = SampleRandom.generator(seed: seed, epoch: epoch, .buffer)
    }

    func next() -> Result<SampleTicket, DataError>? {
        // The buffer holds at least one sample, so that one larger than it can pass.
        while failures.isEmpty, buffer.isEmpty || (buffer.count < limits.samples && bufferBytes < limits.bytes) {
            guard let arrival = arrive() else { break }
            switch arrival {
            case let .success(waiting):
                buffer.append(waiting)
                bufferBytes += waiting.byteCount
            case let .failure(error): failures.append(error)
            }
        }
        if let failure = failures.popLast() { return .failure(failure) }
        guard !buffer.isEmpty else { return nil }
        buffer.swapAt(shards == nil ? 0 : generator.below(buffer.count), buffer.count - 1)
        let waiting = buffer.removeLast()
        bufferBytes -= waiting.byteCount
        return .success(waiting.ticket)
    }

    /// Headers are read again to find what follows; pictures aren't decoded.
    func skip(_ count: Int) {
        for _ in 0..<count where next() == nil { return }
    }

    /// The next sample of the shards; nil when all are read.
    private func arrive() -> Result<Waiting, DataError>? {
        while true {
            do throws(DataError) {
                if let reader {
                    if let sample = try reader.next() { return .success(waiting(sample)) }
                    self.reader = nil
                }
                guard shardPosition < source.shardCount else { return nil }
                shard = shards?.callAsFunction(shardPosition) ?? shardPosition
                shardPosition += 1
                ordinal = 0
                reader = try source.open(shard: shard)
            } catch {
                // What is left of a damaged shard can't be found.
                reader = nil
                return .failure(error)
            }
        }
    }

    private func waiting(_ sample: ShardSample) -> Waiting {
        defer { ordinal += 1 }
        let key = UInt64(truncatingIfNeeded: shard) << 32 ^ UInt64(truncatingIfNeeded: ordinal)
        return Waiting(ticket: SampleTicket(key: key, load: sample.load), byteCount: sample.byteCount)
    }
}
