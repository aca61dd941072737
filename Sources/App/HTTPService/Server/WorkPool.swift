import Dispatch
import Synchronization

/// Runs work that computes or waits for disks on threads of its own, some at a time, so that those of the server stay free. What would
/// have to wait behind too much other work is turned away at once.
final class WorkPool: Sendable {
    private struct State {
        var running = 0
        var waiting: [@Sendable () -> Void] = []
        /// Of `waiting`, those that have gone.
        var taken = 0
    }

    private let queue: DispatchQueue
    private let threads: Int
    private let mostWaiting: Int
    private let state = Mutex(State())

    init(_ name: String, threads: Int, waiting: Int) {
        queue = DispatchQueue(label: name, attributes: .concurrent)
        (self.threads, mostWaiting) = (threads, waiting)
    }

    /// Work that waits or runs.
    var load: (running: Int, waiting: Int) { state.withLock { ($0.running, $0.waiting.count - $0.taken) } }

    /// - Throws: what `work` throws; `APIError.overloaded` where too much waits; `CancellationError` where nobody wants the result any
    ///   more before it was begun.
    func run<Value: Sendable>(_ work: @escaping @Sendable () throws -> Value) async throws -> Value {
        let isUnwanted = Flag()
        return try await withTaskCancellationHandler {
            try await withCheckedThrowingContinuation { continuation in
                let isTaken = start {
                    if isUnwanted.isSet { return continuation.resume(throwing: CancellationError()) }
                    continuation.resume(with: Result { try work() })
                }
                if !isTaken { continuation.resume(throwing: APIError.overloaded()) }
            }
        } onCancel: {
            isUnwanted.set()
        }
    }

    private func start(_ job: @escaping @Sendable () -> Void) -> Bool {
        let runsNow: Bool? = state.withLock { state in
            if state.running < threads {
                state.running += 1
                return true
            }
            guard state.waiting.count - state.taken < mostWaiting else { return nil }
            state.waiting.append(job)
            return false
        }
        guard let runsNow else { return false }
        if runsNow { queue.async { self.drain(job) } }
        return true
    }

    private func drain(_ first: @escaping @Sendable () -> Void) {
        var next: (@Sendable () -> Void)? = first
        while let job = next {
            job()
            next = state.withLock { state in
                guard state.taken < state.waiting.count else {
                    state.running -= 1
                    return nil
                }
                state.taken += 1
                let job = state.waiting[state.taken - 1]
                // Taking from the front of an array moves the rest.
                if state.taken * 2 > state.waiting.count {
                    state.waiting.removeFirst(state.taken)
                    state.taken = 0
                }
                return job
            }
        }
    }
}

/// A flag that is set once, from any thread.
final class Flag: Sendable {
    private let value = Atomic<Bool>(false)
    var isSet: Bool { value.load(ordering: .acquiring) }
    func set() { value.store(true, ordering: .releasing) }
}
