import Foundation

/// Numbered pieces of work that are done ahead by several threads and taken in their order; bounded in pieces and bytes.
final class LookAhead<Item: Sendable>: Sendable {
    private struct State {
        var next = 0
        var taken = 0
        var ready: [Int: (item: Item, bytes: Int)] = [:]
        var running = 0
        var readyBytes = 0
        var largest = 0
        var isClosed = false
    }

    private let pieces: Int
    private let bytes: Int
    private let changed = NSCondition()
    /// Guarded by `changed`.
    private nonisolated(unsafe) var state = State()

    init(pieces: Int, bytes: Int) {
        self.pieces = pieces
        self.bytes = bytes
    }

    /// Waits until another piece may be begun and returns its number; nil when closed.
    func admit() -> Int? {
        changed.lock()
        defer { changed.unlock() }
        while !state.isClosed, !hasRoom { changed.wait() }
        guard !state.isClosed else { return nil }
        defer { state.next += 1 }
        state.running += 1
        return state.next
    }

    /// What runs is taken to become as large as the largest so far. The piece that is awaited may always run.
    private var hasRoom: Bool {
        let begun = state.running + state.ready.count
        if begun == 0 { return true }
        return begun < pieces && state.readyBytes + (state.running + 1) * state.largest <= bytes
    }

    func put(_ number: Int, _ item: Item, bytes: Int) {
        changed.lock()
        defer { changed.unlock() }
        state.running -= 1
        guard !state.isClosed else { return }
        state.ready[number] = (item, bytes)
        state.readyBytes += bytes
        state.largest = max(state.largest, bytes)
        changed.broadcast()
    }

    /// Waits for the next piece in order; nil when closed.
    func take() -> Item? {
        changed.lock()
        defer { changed.unlock() }
        while !state.isClosed {
            if let (item, bytes) = state.ready.removeValue(forKey: state.taken) {
                state.taken += 1
                state.readyBytes -= bytes
                changed.broadcast()
                return item
            }
            changed.wait()
        }
        return nil
    }

    /// Ends it: nobody waits any longer, and what is ready is dropped.
    func close() {
        changed.lock()
        state.isClosed = true
        state.ready = [:]
        state.readyBytes = 0
        changed.broadcast()
        changed.unlock()
    }

    /// Pieces begun so far.
    var begun: Int {
        changed.lock()
        defer { changed.unlock() }
        return state.next
    }
}
