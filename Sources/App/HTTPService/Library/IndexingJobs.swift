import Foundation
import Imaging
import PictureLibrary
import Synchronization

/// What a job does.
struct IndexingWork: Sendable {
    var update: LibraryUpdate
    /// Reads the text in the pictures once they are indexed.
    var reader: LibraryReader?
    var reading = ReadingOptions()
}

/// Indexing runs that requests started: one at a time, the last ones remembered.
final class IndexingJobs: Sendable {
    /// What followers of a job are told.
    struct Event: Sendable {
        var name: String
        var data: String
    }

    struct Following: Sendable {
        var events: AsyncStream<Event>
        /// Ends the events, the job goes on.
        var end: @Sendable () -> Void
    }

    private static let mostRemembered = 50
    private static let mostProblems = 200
    /// Seconds between two tellings of progress.
    private static let interval = 0.1

    private struct Job {
        var id: Int
        /// What the library is to be indexed with, where the request says so.
        var model: String?
        var started: Date
        var ended: Date?
        var outcome = "running"
        var progress = IndexProgress()
        var summary: IndexSummary?
        var reading: ReadingProgress?
        var error: String?
        var problems: [JSONLine] = []
        var problemCount = 0
        var lastTold = -Double.infinity
        var task: Task<Void, Never>?
        var followers: [Int: AsyncStream<Event>.Continuation] = [:]

        /// Tells of progress, not too often.
        mutating func tell(_ event: Event, at seconds: Double) {
            guard seconds - lastTold >= IndexingJobs.interval else { return }
            lastTold = seconds
            followers.values.forEach { $0.yield(event) }
        }

        mutating func add(_ problem: FileProblem, of path: FilePath) {
            let line = JSONLine(problem, of: path)
            problemCount += 1
            if problems.count < IndexingJobs.mostProblems { problems.append(line) }
            followers.values.forEach { $0.yield(Event(name: "problem", data: line.text)) }
        }
    }

    private struct State {
        var jobs: [Job] = []
        var next = 1
        var isClosed = false
    }

    private let state = Mutex(State())
    private let onEnd: @Sendable (IndexProgress, String) -> Void

    /// - Parameter onEnd: Told of each job with its outcome.
    init(onEnd: @escaping @Sendable (IndexProgress, String) -> Void = { _, _ in }) { self.onEnd = onEnd }

    /// Starts a job. Returns it as JSON.
    /// - Parameter model: the name that the request gave.
    /// - Throws: `APIError` 409 while another goes on.
    func start(model: String? = nil, _ prepare: @escaping @Sendable () async throws -> IndexingWork) throws(APIError) -> JSONLine {
        let id: Result<Int, APIError> = state.withLock { state in
            if state.isClosed { return .failure(APIError(.serviceUnavailable, "shutting_down", "the service is shutting down")) }
            if let running = state.jobs.first(where: { $0.ended == nil }) {
                return .failure(
                    APIError(
                        .conflict, "job_running",
                        "job \(running.id) is indexing: wait for it, or cancel it with DELETE /api/jobs/\(running.id)"))
            }
            let id = state.next
            state.next += 1
            state.jobs.append(Job(id: id, model: model, started: Date()))
            if state.jobs.count > Self.mostRemembered { state.jobs.removeFirst() }
            return .success(id)
        }
        let number = try id.get()
        let task = Task { await self.run(number, prepare) }
        change(number) { $0.task = task }
        return try json(number)
    }

    private func run(_ id: Int, _ prepare: @Sendable () async throws -> IndexingWork) async {
        do {
            let work = try await prepare()
            try Task.checkCancellation()
            let summary = try await work.update.run { event in self.tell(event, of: id) }
            change(id) { ($0.summary, $0.progress) = (summary, summary.progress) }
            var isCancelled = summary.isCancelled
            if let reader = work.reader, !isCancelled {
                let reading = try await work.update.library.readText(with: reader, options: work.reading) { self.tell($0, of: id) }
                change(id) { $0.reading = reading.progress }
                isCancelled = reading.isCancelled
            }
            end(id, isCancelled ? "cancelled" : "done") { _ in }
        } catch is CancellationError {
            end(id, "cancelled") { _ in }
        } catch {
            end(id, "failed") { $0.error = APIError(error)?.message ?? "\(error)" }
        }
    }

    private func tell(_ event: IndexEvent, of id: Int) {
        change(id) { job in
            switch event {
            case .progress(let progress):
                job.progress = progress
                job.tell(Event(name: "progress", data: JSONLine(progress).text), at: progress.elapsed)
            case .problem(let path, let problem): job.add(problem, of: path)
            }
        }
    }

    private func tell(_ event: ReadingEvent, of id: Int) {
        change(id) { job in
            switch event {
            case .progress(let progress):
                if job.reading == nil { job.lastTold = -.infinity }
                job.reading = progress
                job.tell(Event(name: "reading", data: JSONLine(progress).text), at: progress.elapsed)
            case .problem(let path, let problem): job.add(problem, of: path)
            }
        }
    }

    private func end(_ id: Int, _ outcome: String, _ body: (inout Job) -> Void) {
        var ended: Job?
        change(id) { job in
            body(&job)
            (job.outcome, job.ended, job.task) = (outcome, Date(), nil)
            ended = job
            job.followers = [:]
        }
        guard let ended else { return }
        // Outside the lock: a stream that ends tells so at once.
        for follower in ended.followers.values {
            follower.yield(Event(name: outcome, data: Self.json(ended).text))
            follower.finish()
        }
        onEnd(ended.progress, outcome)
    }

    private func change(_ id: Int, _ body: (inout Job) -> Void) {
        state.withLock { state in
            guard let place = state.jobs.firstIndex(where: { $0.id == id }) else { return }
            body(&state.jobs[place])
        }
    }

    /// Asks a job to end after the batch in work. One that has ended stays as it is.
    func cancel(_ id: Int) throws(APIError) -> JSONLine {
        change(id) { $0.task?.cancel() }
        return try json(id)
    }

    /// What happens from now on, the state first; ends with the job.
    func follow(_ id: Int) throws(APIError) -> Following {
        // Whoever reads too slowly is told less, but always the end.
        let (stream, continuation) = AsyncStream<Event>.makeStream(bufferingPolicy: .bufferingNewest(64))
        let isKnown = state.withLock { state in
            guard let place = state.jobs.firstIndex(where: { $0.id == id }) else { return false }
            let job = state.jobs[place]
            if job.ended != nil {
                continuation.yield(Event(name: job.outcome, data: Self.json(job).text))
                continuation.finish()
            } else {
                continuation.yield(Event(name: "progress", data: JSONLine(job.progress).text))
                if let reading = job.reading { continuation.yield(Event(name: "reading", data: JSONLine(reading).text)) }
                let number = (job.followers.keys.max() ?? 0) + 1
                state.jobs[place].followers[number] = continuation
                continuation.onTermination = { [weak self] _ in self?.change(id) { $0.followers[number] = nil } }
            }
            return true
        }
        guard isKnown else { throw Self.unknown(id) }
        return Following(events: stream) { continuation.finish() }
    }

    func json(_ id: Int) throws(APIError) -> JSONLine {
        guard let job = state.withLock({ state in state.jobs.first { $0.id == id } }) else { throw Self.unknown(id) }
        return Self.json(job)
    }

    var all: [JSONLine] { state.withLock { $0.jobs.reversed().map { Self.json($0) } } }

    private static func unknown(_ id: Int) -> APIError {
        APIError(.notFound, "unknown_job", "there is no job \(id); GET /api/jobs lists them")
    }

    private static func json(_ job: Job) -> JSONLine {
        var line = JSONLine()
        line.add("id", job.id)
        line.add("model", job.model)
        line.add("outcome", job.outcome)
        line.add("started", job.started.ISO8601Format())
        line.add("ended", job.ended?.ISO8601Format())
        line.add("progress", json: (job.summary.map { JSONLine($0) } ?? JSONLine(job.progress)).text)
        if let reading = job.reading { line.add("reading", json: JSONLine(reading, event: job.ended == nil ? "reading" : "read").text) }
        line.add("error", job.error)
        line.add("problem_count", job.problemCount)
        line.add("problems", job.problems)
        return line
    }

    /// Cancels what runs, lets nobody follow any more, and waits for the end.
    func close() async {
        let (tasks, followers) = state.withLock { state in
            state.isClosed = true
            return (state.jobs.compactMap(\.task), state.jobs.flatMap(\.followers.values))
        }
        tasks.forEach { $0.cancel() }
        followers.forEach { $0.finish() }
        for task in tasks { await task.value }
    }
}
