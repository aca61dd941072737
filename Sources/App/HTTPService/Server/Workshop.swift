import Catalog
import Foundation
import PictureLibrary

/// What the routes work with.
struct Workshop: Sendable {
    let settings: ServiceSettings
    let desk: LibraryDesk
    let shelf: ModelShelf
    let jobs: IndexingJobs
    let thumbnails = ThumbnailStore()
    let metrics: ServiceMetrics
    let bodies: BodyBudget
    /// Searches, decoding, small models.
    let pool: WorkPool
    /// Texts that a language model writes, which take seconds: one at a time.
    let writing: WorkPool
    let words: WordQueue
    var fetcher: PictureFetcher

    init(_ settings: ServiceSettings, cache: ModelCache = ModelCache()) throws {
        let pool = WorkPool("work", threads: max(2, ProcessInfo.processInfo.activeProcessorCount), waiting: settings.limits.waiting)
        let writing = WorkPool("writing", threads: 1, waiting: min(16, settings.limits.waiting))
        // A body as large as one may be must find room.
        let bodies = BodyBudget(room: max(settings.limits.bodies, settings.limits.body))
        let metrics = ServiceMetrics {
            [
                ("sensorium_work_running", "Work in hand.", Double(pool.load.running + writing.load.running)),
                ("sensorium_work_waiting", "Work that waits for a thread.", Double(pool.load.waiting + writing.load.waiting)),
                ("sensorium_body_bytes", "Bytes of requests' bodies held.", Double(bodies.bytes)),
                ("process_resident_memory_bytes", "Memory held by the process.", ServiceMetrics.residentBytes()),
            ]
        }
        self.settings = settings
        words = WordQueue(pool: pool, waiting: settings.limits.waiting)
        (self.pool, self.writing, self.metrics, self.bodies) = (pool, writing, metrics, bodies)
        shelf = ModelShelf(settings, cache: cache) {
            metrics.add("sensorium_model_loads_total", "Models loaded.", labels: [("model", $0)])
        }
        desk = try LibraryDesk(settings, find: shelf.find)
        jobs = IndexingJobs { progress, outcome in
            metrics.add("sensorium_jobs_total", "Indexing jobs that ended.", labels: [("outcome", outcome)])
            metrics.add("sensorium_pictures_embedded_total", "Pictures put through a model by jobs.", by: Double(progress.embedded))
        }
        fetcher = PictureFetcher(settings: settings, pool: pool)
    }

    var pictures: RequestPictures { RequestPictures(limits: settings.limits) }

    /// Vectors of a search's words, made together with those of others that wait.
    func vectors(of search: SearchRequest) async throws -> WordVectors? {
        let desk = desk
        return try await words.vectors(search.words) { try desk.searcher() }
    }

    /// Runs work in the pool and notes how long it took.
    func timed<Value: Sendable>(_ stage: String, _ work: @escaping @Sendable () throws -> Value) async throws -> Value {
        let metrics = metrics
        return try await pool.run {
            let start = ContinuousClock.now
            defer {
                metrics.observe(
                    "sensorium_stage_seconds", "Seconds of work by its kind.", labels: [("stage", stage)],
                    seconds: (ContinuousClock.now - start) / .seconds(1))
            }
            return try work()
        }
    }
}
