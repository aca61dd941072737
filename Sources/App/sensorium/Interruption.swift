import Dispatch
import Foundation
import Synchronization

/// Ctrl-C: the first asks a task to end what it has in hand, the second ends the program at once.
final class Interruption: Sendable {
    private let happened = Atomic<Bool>(false)
    private let sources = Mutex<[any DispatchSourceSignal]>([])

    /// - Parameter first: called once, at the first signal.
    init(first: @escaping @Sendable () -> Void) {
        for number in [SIGINT, SIGTERM] {
            // The default action would end the program before the source hears of it.
            signal(number, SIG_IGN)
            let source = DispatchSource.makeSignalSource(signal: number, queue: .global())
            source.setEventHandler { [weak self] in
                guard let self else { return }
                if self.happened.exchange(true, ordering: .sequentiallyConsistent) { _exit(ExitStatus.interrupted.rawValue) }
                first()
            }
            source.resume()
            sources.withLock { $0.append(source) }
        }
    }

    var isInterrupted: Bool { happened.load(ordering: .sequentiallyConsistent) }
}
