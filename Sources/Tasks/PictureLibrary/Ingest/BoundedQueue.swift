import Dispatch
import Synchronization

/// A queue between threads that holds at most `capacity` elements: a fast producer waits, so memory stays bounded.
/// `close` ends it: takers get what is left, then nil; putters are told to stop.
final class BoundedQueue<Element: Sendable>: Sendable {
    private struct State {
        var elements: [Element?] = []
        var head = 0
        var isClosed = false
    }

    private let state = Mutex(State())
    private let free: DispatchSemaphore
    private let filled = DispatchSemaphore(value: 0)

    init(capacity: Int) {
        // Dispatch traps when a semaphore goes away below its first value, as it does with elements left; so that value is 0.
        free = DispatchSemaphore(value: 0)
        for _ in 0..<capacity { free.signal() }
    }

    /// False when the queue is closed: the element wasn't taken.
    func put(_ element: sending Element) -> Bool {
        free.wait()
        let taken = state.withLock { state in
            guard !state.isClosed else { return false }
            state.elements.append(element)
            return true
        }
        if taken { filled.signal() } else { free.signal() }
        return taken
    }

    /// Waits for an element; nil when the queue is closed and empty.
    func take() -> Element? {
        filled.wait()
        return taken()
    }

    /// Waits for an element and takes with it what else is there, `most` in all. Empty when the queue is closed and empty.
    func take(upTo most: Int) -> [Element] {
        guard let first = take() else { return [] }
        var elements = [first]
        while elements.count < most, filled.wait(timeout: .now()) == .success, let next = taken() { elements.append(next) }
        return elements
    }

    enum Arrival {
        case element(Element), nothing, end
    }

    /// Waits for an element, with `seconds` no longer than that.
    func take(within seconds: Double?) -> Arrival {
        guard filled.wait(timeout: seconds.map { .now() + $0 } ?? .distantFuture) == .success else { return .nothing }
        return taken().map { .element($0) } ?? .end
    }

    /// The element that `filled` has announced; nil at the end.
    private func taken() -> Element? {
        let element = state.withLock { state -> Element? in
            guard state.head < state.elements.count else { return nil }
            defer {
                state.elements[state.head] = nil
                state.head += 1
                // Dropping taken elements in blocks keeps taking at constant cost.
                if state.head > 64 && state.head * 2 > state.elements.count {
                    state.elements.removeFirst(state.head)
                    state.head = 0
                }
            }
            return state.elements[state.head]
        }
        // Nobody signals after closing, so the one who finds the end wakes the next.
        if element == nil { filled.signal() } else { free.signal() }
        return element
    }

    /// No more elements come. `discarding` drops those that wait.
    func close(discarding: Bool = false) {
        state.withLock { state in
            state.isClosed = true
            if discarding {
                state.elements = []
                state.head = 0
            }
        }
        filled.signal()
        free.signal()
    }
}
