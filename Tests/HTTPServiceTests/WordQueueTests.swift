import Foundation
import Synchronization
import Testing

@testable import HTTPService
@testable import PictureLibrary

@Suite struct WordQueueTests {
    /// A pool whose only thread waits until `open` is called.
    private final class Gate: Sendable {
        let pool = WorkPool("test", threads: 1, waiting: 100)
        private let semaphore = DispatchSemaphore(value: 0)
        private let blocker = Mutex<Task<Void, any Error>?>(nil)

        init() async {
            let (pool, semaphore) = (pool, semaphore)
            blocker.withLock { $0 = Task { try await pool.run { semaphore.wait() } } }
            while pool.load.running == 0 { await Task.yield() }
        }

        func open() { semaphore.signal() }
    }

    private final class Counter: Sendable {
        private let value = Mutex(0)
        var count: Int { value.withLock { $0 } }
        func add() { value.withLock { $0 += 1 } }
    }

    @Test func wordsThatWaitAreReadTogether() async throws {
        let fixture = try await ServiceFixture(pictures: 2), desk = try fixture.service().workshop.desk
        let gate = await Gate(), queue = WordQueue(pool: gate.pool, waiting: 100), batches = Counter()
        let texts = ["a dog", "a red bicycle on the beach", "海边", "snow", "a dog", "two birds"]
        func ask(_ text: String) -> Task<WordVectors?, any Error> {
            Task {
                try await queue.vectors([text]) {
                    batches.add()
                    return try desk.searcher()
                }
            }
        }
        var tasks = [ask(texts[0])]
        while gate.pool.load.waiting == 0 { await Task.yield() }
        for text in texts.dropFirst() { tasks.append(ask(text)) }
        while queue.waiting < texts.count - 1 { await Task.yield() }
        gate.open()
        for (text, task) in zip(texts, tasks) {
            let made = try await task.value
            let together = try #require(try made?.rows([text])).floats()
            let alone = try #require(try desk.searcher().vectors(of: [text])?.rows([text])).floats()
            #expect(zip(together, alone).allSatisfy { abs($0 - $1) < 1e-4 }, "\(text)")
        }
        #expect(batches.count == 2)
        let none = try await queue.vectors([]) { throw CancellationError() }
        #expect(none == nil)
    }

    @Test func tooManyAreTurnedAwayAndMistakesAreToldToAll() async throws {
        let gate = await Gate(), queue = WordQueue(pool: gate.pool, waiting: 1)
        func ask() -> Task<WordVectors?, any Error> {
            Task { try await queue.vectors(["a"]) { throw LibraryError.noActiveIndex(path: "p") } }
        }
        let first = ask()
        while gate.pool.load.waiting == 0 { await Task.yield() }
        let second = ask()
        while queue.waiting < 1 { await Task.yield() }
        let error = await #expect(throws: APIError.self) { try await ask().value }
        #expect(error?.status == .serviceUnavailable)
        gate.open()
        for task in [first, second] { await #expect(throws: LibraryError.self) { try await task.value } }
    }

    /// Vectors of another model aren't compared with the library's.
    @Test func wordsOfAnotherModelArentUsed() async throws {
        let fixture = try await ServiceFixture(pictures: 3), searcher = try fixture.service().workshop.desk.searcher()
        var weights = RankingWeights()
        (weights[.words], weights[.text]) = (0, 0)
        let query = Query(terms: [QueryTerm(.words("picture number 1"))], limit: 3, weights: weights)
        let plain = try searcher.search(query).hits, made = try #require(try searcher.vectors(of: ["picture number 1"]))
        let rows = try #require(try made.rows(["picture number 1"])), turned = rows.scaled(by: -1)
        let right = try searcher.search(query, words: made).hits
        #expect(right.map(\.id) == plain.map(\.id))
        let used = try searcher.search(query, words: WordVectors(["picture number 1"], turned, digest: made.digest)).hits
        #expect(used.map(\.similarity) != plain.map(\.similarity))
        let other = try searcher.search(query, words: WordVectors(["picture number 1"], turned, digest: "another")).hits
        #expect(other.map(\.similarity) == plain.map(\.similarity))
    }
}
