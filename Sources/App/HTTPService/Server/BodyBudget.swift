import Hummingbird
import NIOCore
import Synchronization

/// Bytes of all bodies that requests hold at once. One body has a limit of its own, but there may be hundreds of connections: what
/// would go beyond the room is turned away, whoever sent it.
final class BodyBudget: Sendable {
    private let room: Int
    private let held = Mutex(0)

    init(room: Int) { self.room = room }

    /// Bytes that requests hold now.
    var bytes: Int { held.withLock { $0 } }

    fileprivate func take(_ count: Int) -> Bool {
        held.withLock { held in
            guard count <= room - held else { return false }
            held += count
            return true
        }
    }

    fileprivate func giveBack(_ count: Int) { held.withLock { $0 -= count } }
}

/// What one request holds of the budget: until it is answered, for what was made of its body is about as large.
final class BodyShare: Sendable {
    private let budget: BodyBudget
    private let held = Mutex(0)

    init(_ budget: BodyBudget) { self.budget = budget }

    fileprivate func take(_ count: Int) throws(APIError) {
        guard budget.take(count) else {
            throw APIError(
                .serviceUnavailable, "overloaded", "the bodies of all requests together are over the limit; try again",
                headers: [.retryAfter: "1"], endsConnection: true)
        }
        held.withLock { $0 += count }
    }

    func giveBack() {
        budget.giveBack(
            held.withLock { held in
                defer { held = 0 }
                return held
            })
    }

    /// The body, whose bytes are counted as they come.
    func counting(_ body: RequestBody) -> RequestBody { RequestBody(asyncSequence: CountedBody(body: body, share: self)) }
}

private struct CountedBody: AsyncSequence, Sendable {
    struct AsyncIterator: AsyncIteratorProtocol {
        var pieces: RequestBody.AsyncIterator
        let share: BodyShare

        mutating func next() async throws -> ByteBuffer? {
            guard let piece = try await pieces.next() else { return nil }
            try share.take(piece.readableBytes)
            return piece
        }
    }

    let body: RequestBody
    let share: BodyShare

    func makeAsyncIterator() -> AsyncIterator { AsyncIterator(pieces: body.makeAsyncIterator(), share: share) }
}
