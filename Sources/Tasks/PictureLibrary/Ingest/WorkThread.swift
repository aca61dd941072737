import Foundation
import Synchronization

/// A thread for one piece of work, which lets go of what the work holds before it says that it is done. A thread's own block would
/// keep the open catalogue until the thread ends, at some moment after those who waited have gone on.
final class WorkThread<Value: Sendable>: Sendable {
    private let work: Mutex<(@Sendable () -> Value)?>

    private init(_ work: @escaping @Sendable () -> Value) { self.work = Mutex(work) }

    private func run() -> Value {
        guard let work = work.withLock({ $0.take() }) else { preconditionFailure("the work was done already") }
        return work()
    }

    static func start(
        _ name: String, _ work: @escaping @Sendable () -> Value, then finish: @escaping @Sendable (Value) -> Void
    ) {
        let handover = WorkThread(work)
        let thread = Thread { finish(handover.run()) }
        thread.name = name
        // Decoders of libvips want more than the small default of secondary threads.
        thread.stackSize = 8 << 20
        thread.start()
    }
}
