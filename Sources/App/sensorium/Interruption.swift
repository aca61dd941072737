import Dispatch
import Foundation
import Synchronization

/// Ctrl-C: the first asks a task to end what it has in hand, the second ends the program at once.
final class Interruption: Sendable {
    // Made once and only kept alive here; libdispatch guards them itself.
    nonisolated(unsafe) private let sources: [any DispatchSourceSignal]

    /// - Parameter first: called once, at the first signal.
    init(first: @escaping @Sendable () -> Void) {
        let happened = SignalCount()
        sources = [SIGINT, SIGTERM].map { number in
            // The default action would end the program before the source hears of it.
            signal(number, SIG_IGN)
            let source = DispatchSource.makeSignalSource(signal: number, queue: .global())
            source.setEventHandler {
                if happened.isFirst() { first() } else { _exit(ExitStatus.interrupted.rawValue) }
            }
            source.resume()
            return source
        }
    }
}

private final class SignalCount: Sendable {
    private let seen = Atomic<Bool>(false)

    func isFirst() -> Bool { !seen.exchange(true, ordering: .sequentiallyConsistent) }
}
