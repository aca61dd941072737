import ArgumentParser
import Foundation
import HTTPService
import Imaging
import Logging

struct ServeCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "serve",
        abstract: "Serves the web page, and answers other programs over HTTP: searches, pictures, indexing, embeddings, chat.",
        discussion: """
            The web page is at http://127.0.0.1:8421 (or where --host and --port say): search by words and pictures, filters, \
            indexing. It needs nothing from elsewhere and works offline.

            Listens on this machine alone unless --host says otherwise. GET /openapi.json describes every address: searches and \
            pictures of the library beneath /api, OpenAI's /v1/models, /v1/embeddings, /v1/chat/completions and /v1/rerank, and \
            clip-retrieval's /knn-service, /metadata and /indices-list. There is no TLS; other machines come through a proxy \
            that has it, and with keys (`sensorium keys`).

            Ctrl-C takes no more requests, ends indexing after the batch in work, and gives the requests in work some time; a \
            second Ctrl-C ends at once.

            SETTINGS are names with values: on the command line (--set NAME=VALUE, or an option of its own), in the \
            environment (SENSORIUM_LIMITS_BODY for limits.body), and in a YAML file (--config, or SENSORIUM_CONFIG). What is \
            named first here counts before what follows. Lists have commas between their parts, but in the file:
              \(ServiceSettings.names.joined(separator: " "))

            EXAMPLES
              sensorium serve --port 0 --check
              sensorium serve --config serve.yaml --check
              sensorium serve --set limits.body=64MB --set index_folders=~/Pictures,~/Camera --check
              SENSORIUM_PORT=9000 sensorium serve --library ~/family --check
            """)

    @Option(name: .long, help: ArgumentHelp("The address or name to listen on (default: 127.0.0.1).", valueName: "address"))
    var host: String?

    @Option(name: .long, help: ArgumentHelp("The port; 0 takes a free one (default: 8421).", valueName: "n"))
    var port: Int?

    @Option(
        name: .long,
        help: ArgumentHelp("The library's folder (default: SENSORIUM_LIBRARY, else ~/.local/share/sensorium/library).", valueName: "dir"),
        completion: .directory)
    var library: String?

    @Option(name: .long, help: "The model of searches, where it isn't the one that the library was indexed with.")
    var model: String?

    @Option(name: .long, help: ArgumentHelp("The file of keys.", valueName: "file"), completion: .file())
    var keys: String?

    @Option(name: .long, help: ArgumentHelp("A YAML file of settings.", valueName: "file"), completion: .file())
    var config: String?

    @Option(name: .long, help: ArgumentHelp("A setting; may be given several times.", valueName: "name=value"))
    var set: [String] = []

    @Flag(name: .long, help: "Only check the settings, the keys and the library.")
    var check = false

    @Flag(name: .long, help: "Don't log requests.")
    var quiet = false

    func run() async throws {
        let settings: ServiceSettings
        do throws(SettingsError) {
            settings = try ServiceSettings.read(file: config, given: given(), environment: ProcessInfo.processInfo.environment)
        } catch {
            throw Failure(.usage, error.description)
        }
        var logger = Logger(label: "sensorium") { StreamLogHandler.standardError(label: $0) }
        logger.logLevel = quiet ? .warning : .info
        let service = try PictureService(settings, version: Sensorium.version, logger: logger)
        if check { return Console.standard.line("the settings, the keys and the library are in order") }
        let (stop, signal) = AsyncStream<Void>.makeStream()
        let quiet = quiet
        let interruption = Interruption {
            if !quiet { Console.standard.error("stopping; Ctrl-C again stops at once") }
            signal.finish()
        }
        let host = settings.host.contains(":") ? "[\(settings.host)]" : settings.host
        // Every address of this machine is no address to open.
        let name = ["0.0.0.0", "[::]"].contains(host) ? "localhost" : host
        do {
            try await service.run(stop: stop) { port in Console.standard.line("listening on \(host); the web page: http://\(name):\(port)")
            }
        } catch {
            throw Failure(.unusable, "the service at \(host):\(settings.port) ended: \(error)")
        }
        withExtendedLifetime(interruption) {}
    }

    private func given() throws(SettingsError) -> [String: String] {
        var given: [String: String] = [:]
        for text in set {
            guard let sign = text.firstIndex(of: "="), sign > text.startIndex else {
                throw SettingsError("--set \(text): write a setting as name=value")
            }
            given[String(text[..<sign])] = String(text[text.index(after: sign)...])
        }
        let options = [("host", host), ("port", port.map(String.init)), ("library", library), ("model", model), ("keys", keys)]
        for (name, value) in options { if let value { given[name] = value } }
        return given
    }
}
