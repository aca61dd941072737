import Foundation
import Synchronization
import Tensors

/// Batches of a run, made ahead by threads. What it gives doesn't depend on the number of threads or on time, and a loader that starts
/// from the position of a batch goes on with the batch behind it.
///
///     let loader = try BatchLoader(source, plan, seed: 1)
///     while let delivery = try loader.next() { ... }
public final class BatchLoader: Sendable {
    private struct Progress {
        var position: DataPosition
        var pending: [Prepared] = []
        var damaged: [DataError] = []
        /// The end of an epoch was met while its last batch was given.
        var isAtEnd = false
        var problems = DataProblems()
    }

    public let source: any SampleSource
    public let plan: LoadingPlan
    private let work: LoadingWork
    private let progress: Mutex<Progress>

    /// Starts the threads.
    /// - Parameter position: of a batch of the run that is continued; its seed is then that of the run.
    /// Throws when the plan makes no sense or the position is of other data.
    public convenience init(_ source: any SampleSource, _ plan: LoadingPlan, seed: UInt64) throws(DataError) {
        try self.init(source, plan, from: DataPosition(seed: seed))
    }

    public init(_ source: any SampleSource, _ plan: LoadingPlan, from position: DataPosition) throws(DataError) {
        try plan.check()
        try position.check(source)
        guard source is any IndexedSource || source is any ShardedSource else {
            throw DataError(source.path, "this source can be read neither by index nor by shard")
        }
        self.source = source
        self.plan = plan
        var position = position
        position.source = source.fingerprint
        progress = Mutex(Progress(position: position))
        work = LoadingWork(source, plan, from: position)
        work.start()
    }

    deinit { work.close() }

    /// Ends the run: `next` gives nil from now on, and the threads stop after the picture that they have.
    public func cancel() { work.close() }

    /// Damaged samples met so far.
    public var problems: DataProblems { progress.withLock { $0.problems } }

    /// The next batch, or the end of an epoch. nil at the end of the run and after `cancel`. Waits for the threads.
    /// Throws when more samples are damaged than the plan allows, when an epoch gives no batch, and when pictures or features of one
    /// batch differ in size. The loader is cancelled then.
    public func next() throws(DataError) -> Delivery? {
        let result = progress.withLock { progress in
            Result { () throws(DataError) in try advance(&progress) }
        }
        if case .failure = result { cancel() }
        return try result.get()
    }

    /// The next batch, whatever its epoch.
    public func nextBatch() throws(DataError) -> Batch? {
        while let delivery = try next() {
            if case let .batch(batch) = delivery { return batch }
        }
        return nil
    }

    private func advance(_ progress: inout Progress) throws(DataError) -> Delivery? {
        if progress.isAtEnd { return .endOfEpoch(try finishEpoch(&progress)) }
        while let made = work.take() {
            switch made {
            case let .sample(sample):
                progress.position.drawn += 1
                progress.pending.append(sample)
                if progress.pending.count == plan.batchSize { return .batch(try batch(&progress)) }
            case let .damaged(error):
                progress.position.drawn += 1
                progress.position.damaged += 1
                progress.damaged.append(error)
                progress.problems.add(error)
                try checkShare(progress, error)
            case .endOfEpoch:
                if progress.pending.isEmpty || plan.dropsLast { return .endOfEpoch(try finishEpoch(&progress)) }
                progress.isAtEnd = true
                return .batch(try batch(&progress))
            case .endOfRun:
                work.close()
                return nil
            }
        }
        return nil
    }

    private func batch(_ progress: inout Progress) throws(DataError) -> Batch {
        let samples = progress.pending, damaged = progress.damaged
        (progress.pending, progress.damaged) = ([], [])
        let index = progress.position.batch
        progress.position.batch += 1
        let views = samples[0].views.indices.map { view in samples.map { $0.views[view] } }
        var pictures: [Tensor] = []
        for (view, tensors) in views.enumerated() { pictures.append(try stacked(tensors, samples, "view \(view) of the picture")) }
        let features = samples.compactMap(\.features)
        guard features.isEmpty || features.count == samples.count else {
            throw DataError(source.path, "some samples of a batch have pictures and some features: train on one or the other")
        }
        return Batch(
            epoch: progress.position.epoch, index: index, examples: samples.map(\.example), pictures: pictures,
            features: features.isEmpty ? nil : try stacked(features, samples, "features"), damaged: damaged, position: progress.position)
    }

    /// `[samples, ...]` of tensors of one shape.
    private func stacked(_ tensors: [Tensor], _ samples: [Prepared], _ what: String) throws(DataError) -> Tensor {
        let shape = tensors[0].shape
        if let other = tensors.firstIndex(where: { $0.shape != shape }) {
            throw DataError(
                source.path,
                "the \(what) is \(shape) for \(samples[0].example.id) and \(tensors[other].shape) for \(samples[other].example.id): "
                    + "one batch needs one size, so crop or resize to a fixed one")
        }
        let bytes = tensors[0].count * tensors[0].dtype.size
        return Tensor.make([tensors.count] + shape, .f32) { target in
            for (index, tensor) in tensors.enumerated() {
                tensor.withBytes { UnsafeMutableRawBufferPointer(rebasing: target[(index * bytes)...]).copyMemory(from: $0) }
            }
        }
    }

    private func finishEpoch(_ progress: inout Progress) throws(DataError) -> EpochReport {
        let ended = progress.position
        guard ended.batch > 0 else {
            throw DataError(
                source.path,
                "an epoch of \(ended.drawn - ended.damaged) samples (and \(ended.damaged) damaged ones) gives no batch of \(plan.batchSize): "
                    + "make batches smaller, or keep the last one")
        }
        progress.pending = []
        progress.isAtEnd = false
        progress.position.nextEpoch()
        return EpochReport(
            epoch: ended.epoch, batches: ended.batch, drawn: ended.drawn, damaged: ended.damaged, position: progress.position)
    }

    private func checkShare(_ progress: Progress, _ error: DataError) throws(DataError) {
        // Of shards nobody knows how many samples there are; a thousand are given the benefit of the doubt.
        let total = (source as? any IndexedSource)?.count ?? max(progress.position.drawn, 1_000)
        guard Double(progress.position.damaged) <= plan.damagedShare * Double(total) else {
            throw DataError(
                source.path,
                "\(progress.position.damaged) of \(progress.position.drawn) samples are damaged, more than \(plan.damagedShare * 100) % of "
                    + "the epoch: stopped. The last: \(error)")
        }
    }
}

/// What the threads share.
private final class LoadingWork: Sendable {
    enum Made: Sendable {
        case sample(Prepared), damaged(DataError), endOfEpoch, endOfRun
    }

    private let feed: Mutex<SampleFeed>
    private let maker: SampleMaker
    private let ahead: LookAhead<Made>

    init(_ source: any SampleSource, _ plan: LoadingPlan, from position: DataPosition) {
        feed = Mutex(SampleFeed(source, plan, from: position))
        maker = SampleMaker(plan: plan, seed: position.seed)
        let (pieces, overflow) = plan.batchSize.multipliedReportingOverflow(by: plan.lookAhead)
        ahead = LookAhead(pieces: overflow ? .max : pieces, bytes: plan.memory)
    }

    func start() {
        for index in 0..<maker.plan.threads {
            let thread = Thread { [self] in run() }
            thread.name = "sensorium-data-\(index)"
            // Decoders of libvips want more than the small default of secondary threads.
            thread.stackSize = 8 << 20
            thread.start()
        }
    }

    func take() -> Made? { ahead.take() }
    func close() { ahead.close() }

    private func run() {
        while let (number, event) = draw() {
            guard let event else { return ahead.put(number, .endOfRun, bytes: 0) }
            switch event {
            case .endOfEpoch: ahead.put(number, .endOfEpoch, bytes: 0)
            case let .damaged(error): ahead.put(number, .damaged(error), bytes: 0)
            case let .sample(ticket, epoch):
                do throws(DataError) {
                    let sample = try maker.make(ticket, epoch: epoch)
                    ahead.put(number, .sample(sample), bytes: sample.byteCount)
                } catch {
                    ahead.put(number, .damaged(error), bytes: 0)
                }
            }
        }
    }

    /// A number and its event belong together, so both are drawn under one lock.
    private func draw() -> (number: Int, event: SampleFeed.Event?)? {
        feed.withLock { feed in ahead.admit().map { (number: $0, event: feed.next()) } }
    }
}
