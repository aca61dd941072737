import PictureLibrary
import Synchronization

/// Puts the words of all searches that wait at the moment through the text tower together: a text of a dozen tokens takes as long to bring
/// the weights from memory as to compute, so eight at once take three times as long as one, not eight times. Whoever comes while nobody
/// waits is computed at once.
final class WordQueue: Sendable {
    private typealias Waiting = (words: [String], continuation: CheckedContinuation<WordVectors?, any Error>)

    private struct State {
        var waiting: [Waiting] = []
        var isRunning = false
    }

    /// Texts that are computed together; more would make the first wait long.
    private static let mostTogether = 32

    private let pool: WorkPool
    private let mostWaiting: Int
    private let state = Mutex(State())

    init(pool: WorkPool, waiting: Int) { (self.pool, mostWaiting) = (pool, waiting) }

    /// Searches whose words nobody computes yet.
    var waiting: Int { state.withLock { $0.waiting.count } }

    /// Vectors of the words; nil where the model in use knows no words, or none are asked for.
    /// - Throws: `APIError.overloaded` where too many wait; what the model throws.
    func vectors(_ words: [String], _ searcher: @escaping @Sendable () throws -> Searcher) async throws -> WordVectors? {
        guard !words.isEmpty else { return nil }
        return try await withCheckedThrowingContinuation { continuation in
            let starts: Bool? = state.withLock { state in
                guard state.waiting.count < mostWaiting else { return nil }
                state.waiting.append((words, continuation))
                defer { state.isRunning = true }
                return !state.isRunning
            }
            guard let starts else { return continuation.resume(throwing: APIError.overloaded()) }
            if starts { Task { await self.drain(searcher) } }
        }
    }

    private func drain(_ searcher: @escaping @Sendable () throws -> Searcher) async {
        while case let batch = next(), !batch.isEmpty {
            let texts = batch.flatMap(\.words)
            let found: Result<WordVectors?, any Error>
            do { found = .success(try await pool.run { try searcher().vectors(of: texts) }) } catch { found = .failure(error) }
            for one in batch { one.continuation.resume(with: found) }
        }
    }

    private func next() -> [Waiting] {
        state.withLock { state in
            var count = 0, texts = 0
            while count < state.waiting.count, count == 0 || texts + state.waiting[count].words.count <= Self.mostTogether {
                texts += state.waiting[count].words.count
                count += 1
            }
            let batch = Array(state.waiting[..<count])
            state.waiting.removeFirst(count)
            if batch.isEmpty { state.isRunning = false }
            return batch
        }
    }
}
