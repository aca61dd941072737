import Catalog
import Hummingbird
import PictureLibrary

/// `/v1/models` (OpenAI).
struct ModelRoutes {
    let workshop: Workshop

    var routes: [Route] { [list, get] }

    private static let schema = Schema.object([
        .init("id", .string(), required: true), .init("object", .string(), required: true), .init("created", .integer(), required: true),
        .init("owned_by", .string(), required: true),
    ])

    private static func json(_ name: String) -> JSONLine {
        var line = JSONLine()
        line.add("id", name)
        line.add("object", "model")
        line.add("created", 0)
        line.add("owned_by", "sensorium")
        line.add("description", ModelPackage.named(name)?.summary)
        return line
    }

    private var list: Route {
        let shelf = workshop.shelf
        return Route(
            method: .get, path: "/v1/models", scope: .models, tag: "OpenAI", summary: "Models that requests may name.",
            answers: [.json(.object([.init("object", .string()), .init("data", .array(Self.schema))]))], isLenient: true
        ) { _, _ in
            var line = JSONLine()
            line.add("object", "list")
            line.add("data", shelf.names.map(Self.json))
            return .json(line)
        }
    }

    private var get: Route {
        let shelf = workshop.shelf
        return Route(
            method: .get, path: "/v1/models/{model}", scope: .models, tag: "OpenAI", summary: "One model.",
            parameters: [.init("model", .string(), inPath: true)], answers: [.json(Self.schema)], failures: [404], isLenient: true
        ) { _, context in
            let name = context.parameters.get("model") ?? ""
            guard shelf.names.contains(name) else {
                throw APIError(.notFound, "model_not_found", "there is no model \(name.prefix(100)) here", field: "model")
            }
            return .json(Self.json(name))
        }
    }
}
