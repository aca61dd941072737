import Foundation
import Imaging

/// A file that was read and waits for a decoder.
struct DecodingJob: Sendable {
    var file: FoundFile
    let hash: Data
    let metadata: PictureMetadata
    /// nil for a large picture that had to let others go first: it is read again when its turn comes.
    var bytes: [UInt8]?
    /// Bytes that decoding takes, about.
    let cost: Int
}

/// Files between the threads that read and those that decode: the oldest first, but a large picture waits while others are being
/// decoded, so that one decoder is always left for the rest and memory stays bounded.
///
/// What waits is bounded in bytes; what is being decoded by `decoders * large + largeTogether`, or one picture of any size.
final class DecodingQueue: Sendable {
    struct Limits: Sendable {
        /// Bytes of files that wait, and how many such files; one of any size may.
        var waiting = 16 << 20
        var files = 32
        /// Large pictures that wait without their bytes.
        var deferred = 4_096
        /// A picture that takes this much to decode is large.
        var large = 96 << 20
        /// What large pictures may take together; one of any size may go alone.
        var largeTogether = 512 << 20
    }

    private struct State {
        var small: [(number: Int, job: DecodingJob)] = []
        var large: [(number: Int, job: DecodingJob)] = []
        var number = 0
        var waiting = 0
        var files = 0
        var largeRunning = 0
        var largeCost = 0
        var isClosed = false
    }

    private let limits: Limits
    private let mostLarge: Int
    private let changed = NSCondition()
    /// Guarded by `changed`.
    private nonisolated(unsafe) var state = State()

    init(decoders: Int, limits: Limits) {
        self.limits = limits
        mostLarge = max(1, decoders - 1)
    }

    /// Waits for room. False when the queue is closed: the job wasn't taken.
    func put(_ job: consuming DecodingJob) -> Bool {
        var job = job
        changed.lock()
        defer { changed.unlock() }
        if isLarge(job), !state.large.isEmpty || !mayStart(job.cost) { job.bytes = nil }
        while !state.isClosed, !hasRoom(for: job) { changed.wait() }
        guard !state.isClosed else { return false }
        state.number += 1
        if let bytes = job.bytes {
            state.waiting += bytes.count
            state.files += 1
        }
        if isLarge(job) { state.large.append((state.number, job)) } else { state.small.append((state.number, job)) }
        changed.broadcast()
        return true
    }

    /// Waits for a job that may start; nil when the queue is closed and empty. Every job that is taken must be given to `finished`.
    func take() -> DecodingJob? {
        changed.lock()
        defer { changed.unlock() }
        while true {
            let large = state.large.first.flatMap { mayStart($0.job.cost) ? $0.number : nil }
            if let small = state.small.first?.number, small < large ?? .max { return started(state.small.removeFirst().job) }
            if large != nil { return started(state.large.removeFirst().job) }
            if state.isClosed, state.small.isEmpty, state.large.isEmpty { return nil }
            changed.wait()
        }
    }

    /// The decoder is through with a job.
    func finished(_ job: DecodingJob) {
        guard isLarge(job) else { return }
        changed.lock()
        state.largeRunning -= 1
        state.largeCost -= job.cost
        changed.broadcast()
        changed.unlock()
    }

    /// No more jobs come. `discarding` drops those that wait.
    func close(discarding: Bool = false) {
        changed.lock()
        state.isClosed = true
        if discarding { (state.small, state.large) = ([], []) }
        changed.broadcast()
        changed.unlock()
    }

    private func hasRoom(for job: DecodingJob) -> Bool {
        guard let bytes = job.bytes else { return state.large.count < limits.deferred }
        return state.files == 0 || (state.files < limits.files && state.waiting + bytes.count <= limits.waiting)
    }

    private func isLarge(_ job: DecodingJob) -> Bool { job.cost >= limits.large }

    private func mayStart(_ cost: Int) -> Bool {
        state.largeRunning == 0 || (state.largeRunning < mostLarge && state.largeCost + cost <= limits.largeTogether)
    }

    private func started(_ job: DecodingJob) -> DecodingJob {
        if let bytes = job.bytes {
            state.waiting -= bytes.count
            state.files -= 1
        }
        if isLarge(job) {
            state.largeRunning += 1
            state.largeCost += job.cost
        }
        changed.broadcast()
        return job
    }
}
