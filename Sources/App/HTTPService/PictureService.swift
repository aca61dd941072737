import Catalog
import Foundation
import Hummingbird
import HummingbirdCore
import Logging
import NIOCore
import PictureLibrary
import ServiceLifecycle

/// The picture library over HTTP.
public struct PictureService: Sendable {
    let settings: ServiceSettings
    let workshop: Workshop
    let doorkeeper: Doorkeeper
    let routes: [Route]
    private let logger: Logger

    /// Opens the library, if there is one, and reads the keys.
    /// - Throws: `SettingsError` for settings that would let anybody in; `LibraryError` for a library that can't be used.
    public init(_ settings: ServiceSettings, version: String, logger: Logger) throws {
        try self.init(settings, version: version, logger: logger, cache: ModelCache())
    }

    /// - Parameter change: what a test puts in the place of the network.
    init(
        _ settings: ServiceSettings, version: String, logger: Logger, cache: ModelCache, change: (inout Workshop) -> Void = { _ in }
    ) throws {
        let keys = try KeyRing(settings.keys)
        guard settings.isLoopback || keys.isLocked || settings.allowsStrangers else {
            throw SettingsError(
                "other machines could reach the service at \(settings.host) without a key: make one with `sensorium keys make NAME`, "
                    + "or set allow_strangers")
        }
        self.settings = settings
        self.logger = logger
        var workshop = try Workshop(settings, cache: cache)
        change(&workshop)
        self.workshop = workshop
        let start = ContinuousClock.now
        let limiter = RateLimiter(rate: settings.limits.requestsPerSecond, burst: settings.limits.burst) {
            (ContinuousClock.now - start) / .seconds(1)
        }
        doorkeeper = Doorkeeper(keys: keys, limiter: limiter, settings: settings)
        let page = WebPage()
        if let problem = page.problem { logger.warning("\(problem)") }
        let described =
            SystemRoutes(workshop: workshop, version: version).routes + LibraryRoutes(workshop: workshop).routes
            + SearchRoutes(workshop: workshop).routes + GroupRoutes(workshop: workshop).routes + PictureRoutes(workshop: workshop).routes
            + JobRoutes(workshop: workshop).routes
            + ModelRoutes(workshop: workshop).routes + EmbeddingRoutes(workshop: workshop).routes + ChatRoutes(workshop: workshop).routes
            + ClipRetrievalRoutes(workshop: workshop).routes + WebRoutes(page: page).routes
        routes = described + [Self.description(described, version)]
    }

    private static func description(_ routes: [Route], _ version: String) -> Route {
        var own = Route(
            method: .get, path: "/openapi.json", tag: "service", summary: "This description.", answers: [.json(.object([]))],
            isLenient: true
        ) { _, _ in Response(status: .ok) }
        let text = Description(routes: routes + [own], version: version).text
        own.handler = { _, _ in .json(text) }
        return own
    }

    /// - Parameter onRunning: told the port once connections are taken.
    func application(onRunning: @escaping @Sendable (Int) -> Void = { _ in }) -> Application<RouterResponder<ServiceContext>> {
        let router = Router(context: ServiceContext.self, options: .autoGenerateHeadEndpoints)
        router.add(middleware: Surroundings(doorkeeper: doorkeeper, metrics: workshop.metrics, bodies: workshop.bodies, settings: settings))
        for route in routes { route.register(on: router, doorkeeper) }
        let limits = settings.limits
        let http = HTTP1Channel.Configuration(
            idleTimeout: .milliseconds(Int64(limits.idleSeconds * 1_000)),
            httpDecoderConfiguration: .init(maxHeaderFieldSize: 16 << 10, maxHeaderListSize: 64 << 10, maxHeaderFieldCount: 128))
        return Application(
            router: router, server: .http1(configuration: http),
            configuration: ApplicationConfiguration(
                address: .hostname(settings.host, port: settings.port),
                availableConnectionsDelegate: MaximumAvailableConnections(limits.connections)),
            services: [JobsEnding(jobs: workshop.jobs)], onServerRunning: { onRunning($0.localAddress?.port ?? 0) }, logger: logger)
    }

    /// Answers requests until `stop` tells to end: then no more are taken, indexing stops after its batch, and what is in work is
    /// given the time of the settings.
    public func run(stop: AsyncStream<Void>, onRunning: @escaping @Sendable (Int) -> Void) async throws {
        var configuration = ServiceGroupConfiguration(services: [application(onRunning: onRunning)], logger: logger)
        configuration.maximumGracefulShutdownDuration = .milliseconds(Int(settings.limits.shutdownSeconds * 1_000))
        let group = ServiceGroup(configuration: configuration)
        try await withThrowingTaskGroup(of: Bool.self) { tasks in
            tasks.addTask {
                try await group.run()
                return true
            }
            tasks.addTask {
                for await _ in stop { break }
                await group.triggerGracefulShutdown()
                return false
            }
            // A port that is taken ends the service before anybody stops it.
            while let hasEnded = try await tasks.next() { if hasEnded { break } }
            tasks.cancelAll()
        }
    }
}

/// Ends indexing with the service, before the server waits for its last requests: those that follow a job end with it.
private struct JobsEnding: Service {
    let jobs: IndexingJobs

    func run() async throws {
        try? await gracefulShutdown()
        await jobs.close()
    }
}
