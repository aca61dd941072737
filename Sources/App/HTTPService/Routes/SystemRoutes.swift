import Hummingbird
import PictureLibrary

/// The service about itself.
struct SystemRoutes {
    let workshop: Workshop
    let version: String

    var routes: [Route] { [health, metrics] }

    private var health: Route {
        let (desk, version) = (workshop.desk, version)
        return Route(
            method: .get, path: "/health", tag: "service", summary: "Whether the service answers.",
            answers: [.json(.object([.init("status", .string()), .init("version", .string()), .init("library", .boolean())]))],
            isLenient: true
        ) { _, _ in
            var line = JSONLine()
            line.add("status", "ok")
            line.add("version", version)
            line.add("library", desk.exists)
            return .json(line)
        }
    }

    private var metrics: Route {
        let metrics = workshop.metrics
        return Route(
            method: .get, path: "/metrics", scope: .metrics, tag: "service", summary: "Counts in the text format of Prometheus.",
            answers: [.init("text/plain", .string())]
        ) { _, _ in
            Response(
                status: .ok, headers: [.contentType: "text/plain; version=0.0.4; charset=utf-8"],
                body: ResponseBody(byteBuffer: ByteBuffer(string: metrics.text)))
        }
    }
}
