import Catalog
import Foundation
import HTTPTypes
import Hummingbird
import HummingbirdTesting
import Imaging
import Logging
import PictureLibrary
import Pipelines
import Testing

@testable import HTTPService

/// A folder with pictures, tiny models in the place of fetched ones, and a library of them.
final class ServiceFixture: Sendable {
    let folder: FilePath
    let cache: ModelCache
    var pictures: FilePath { folder.appending("Pictures") }

    static let root: URL = {
        var folder = URL(fileURLWithPath: #filePath)
        for _ in 0..<3 { folder.deleteLastPathComponent() }
        return folder
    }()

    /// - Parameter count: pictures; 0 for no library.
    init(pictures count: Int = 6) async throws {
        // Without digits: folders' names are searched, too, and pictures are told apart by their numbers.
        let name = "sensorium-service-" + String((0..<24).map { _ in Character(UnicodeScalar(UInt8.random(in: 97...122))) })
        folder = FilePath(FileManager.default.temporaryDirectory.path).absolute().appending(name)
        cache = ModelCache(root: folder.appending("cache").display)
        try FileManager.default.createDirectory(atPath: pictures.display, withIntermediateDirectories: true)
        try standIn("sensorium-clip-base", for: "DualEncoder/SensoriumCLIP/golden/clip")
        try standIn("smollm2-135m-instruct", for: "Language/Llama/golden/tied")
        guard count > 0 else { return }
        for seed in 0..<count { try write("picture-\(seed).jpg", seed: seed, title: "picture number \(seed)") }
        try await index()
    }

    deinit { try? FileManager.default.removeItem(atPath: folder.display) }

    /// A tiny model in the place of a fetched one.
    func standIn(_ name: String, for golden: String) throws {
        let package = try #require(ModelPackage.named(name))
        let place = URL(fileURLWithPath: cache.path(of: package))
        try FileManager.default.createDirectory(at: place.deletingLastPathComponent(), withIntermediateDirectories: true)
        try FileManager.default.copyItem(at: Self.root.appendingPathComponent("Sources/Models/" + golden), to: place)
        try Data(cache.note(of: package).utf8).write(to: place.appendingPathComponent("origin.json"))
    }

    /// A picture whose bytes `seed` decides.
    static func picture(seed: Int, width: Int = 64, height: Int = 48) throws -> Picture {
        let pixels = (0..<width * height).flatMap { place -> [UInt8] in
            let (x, y) = (place % width, place / width)
            let isBlock = (x / 8 + seed) % 3 == 0 && (y / 8 + seed / 3) % 2 == 0
            return [
                UInt8(truncatingIfNeeded: isBlock ? seed &* 97 : x * 3), UInt8(truncatingIfNeeded: y * 5 &+ seed &* 31),
                UInt8(truncatingIfNeeded: seed &* 57),
            ]
        }
        return try Picture(width: width, height: height, pixels: pixels)
    }

    @discardableResult
    func write(_ name: String, seed: Int, title: String? = nil, width: Int = 64, height: Int = 48) throws -> FilePath {
        let path = pictures.appending(name)
        try FileManager.default.createDirectory(atPath: path.folder.display, withIntermediateDirectories: true)
        try Data(Self.picture(seed: seed, width: width, height: height).encoded(as: .jpeg(quality: 90))).write(
            to: URL(fileURLWithPath: path.display))
        if let title { try Data(title.utf8).write(to: URL(fileURLWithPath: path.folder.appending(path.stem).display + ".txt")) }
        return path
    }

    func index() async throws {
        let cache = cache
        // One thread each: pictures are numbered as they are decoded, and equal ranks are ordered by number.
        var options = IndexingOptions()
        (options.readingThreads, options.decodingThreads) = (1, 1)
        _ = try await LibraryUpdate(of: folder.appending("library"), roots: [pictures], options: options) { spec, precision in
            try ModelPlace(spec, precision: precision, cache: cache)
        }.run()
    }

    /// As if two lines had been read in each picture.
    func readText() async throws {
        let library = try Library(at: folder.appending("library"))
        _ = try await library.readText(
            with: LibraryReader(name: "stub", digest: "stub") { picture in
                let (width, height) = (Float(picture.width), Float(picture.height))
                return [("Emergency EXIT", Float(0.1)), ("<b>other</b> line", 0.5)].map { text, top in
                    let corners = [(0.1, top), (0.5, top), (0.5, top + 0.2), (0.1, top + 0.2)].map { x, y in
                        PicturePoint(x: Float(x) * width, y: y * height)
                    }
                    return TextLine(text: text, score: 0.9, corners: corners)
                }
            })
    }

    func settings(_ change: (inout ServiceSettings) -> Void = { _ in }) -> ServiceSettings {
        var settings = ServiceSettings(library: folder.appending("library"), keys: folder.appending("keys"))
        settings.port = 0
        settings.limits.requestsPerSecond = 0
        // Beside other tests an answer may have to wait for a thread for long: only tests of a limit of time set one that is met.
        (settings.limits.bodySeconds, settings.limits.idleSeconds, settings.limits.shutdownSeconds) = (3_600, 3_600, 3_600)
        change(&settings)
        return settings
    }

    func service(_ settings: ServiceSettings? = nil, change: (inout Workshop) -> Void = { _ in }) throws -> PictureService {
        var logger = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }
        logger.logLevel = .critical
        return try PictureService(settings ?? self.settings(), version: "1", logger: logger, cache: cache, change: change)
    }

    /// Runs requests without a socket.
    func test(
        _ settings: ServiceSettings? = nil, change: (inout Workshop) -> Void = { _ in },
        _ body: @escaping @Sendable (any TestClientProtocol) async throws -> Void
    ) async throws {
        try await service(settings, change: change).application().test(.router) { try await body($0) }
    }

    /// Runs the service on a port of its own.
    func serve<Value: Sendable>(
        _ settings: ServiceSettings? = nil, change: (inout Workshop) -> Void = { _ in }, _ body: (Int) async throws -> Value
    ) async throws -> Value {
        let service = try service(settings, change: change)
        let (stop, signal) = AsyncStream<Void>.makeStream()
        let (ports, told) = AsyncStream<Int>.makeStream()
        let run = Task {
            defer { told.finish() }
            try await service.run(stop: stop) { told.yield($0) }
        }
        var iterator = ports.makeAsyncIterator()
        guard let port = await iterator.next() else {
            try await run.value
            throw SettingsError("the service ended before it began")
        }
        let result: Result<Value, any Error>
        do { result = .success(try await body(port)) } catch { result = .failure(error) }
        signal.finish()
        try await run.value
        return try result.get()
    }

    /// Ids by file name.
    func ids(_ client: any TestClientProtocol) async throws -> [String: Int] {
        let answer = try await client.json("/api/pictures?limit=1000")
        return Dictionary(
            uniqueKeysWithValues: try #require(answer["pictures"] as? [[String: Any]]).map {
                (($0["path"] as! String as NSString).lastPathComponent, $0["id"] as! Int)
            })
    }
}

extension TestClientProtocol {
    /// The answer as a JSON object, after its status was checked.
    func json(
        _ uri: String, method: HTTPRequest.Method = .get, headers: HTTPFields = [:], body: String? = nil, status: Int = 200,
        _ location: SourceLocation = #_sourceLocation
    ) async throws -> [String: Any] {
        let response = try await execute(uri: uri, method: method, headers: headers, body: body.map { ByteBuffer(string: $0) })
        let text = String(buffer: response.body)
        #expect(response.status.code == status, "\(uri): \(text.prefix(400))", sourceLocation: location)
        return try #require(
            try JSONSerialization.jsonObject(with: Data(text.utf8)) as? [String: Any], "\(text.prefix(400))", sourceLocation: location)
    }

    func post(_ uri: String, _ body: String, status: Int = 200, _ location: SourceLocation = #_sourceLocation) async throws -> [String: Any]
    {
        try await json(uri, method: .post, headers: [.contentType: "application/json"], body: body, status: status, location)
    }

    /// Checks that a request gets this status and error.
    func refuses(
        _ uri: String, method: HTTPRequest.Method = .get, headers: HTTPFields = [:], body: String? = nil, status: Int, code: String,
        _ location: SourceLocation = #_sourceLocation
    ) async throws {
        let answer = try await json(uri, method: method, headers: headers, body: body, status: status, location)
        let found = (answer["error"] as? [String: Any])?["code"] as? String
        #expect(found == code, "\(uri) \(body?.prefix(200) ?? "")", sourceLocation: location)
    }
}

func paths(_ answer: [String: Any]) -> [String] {
    (answer["hits"] as? [[String: Any]] ?? []).map { ($0["path"] as! String as NSString).lastPathComponent }
}
