import HTTPTypes
import PictureLibrary

/// The description of the service for programs (OpenAPI 3.1), made from the routes themselves.
struct Description {
    let routes: [Route]
    let version: String

    var text: String {
        var info = JSONLine()
        info.add("title", "Sensorium")
        info.add("version", version)
        info.add(
            "description",
            "Finds pictures by words, by pictures and by what is known of them; embeddings, chat and ranking in OpenAI's and clip-retrieval's forms."
        )
        var line = JSONLine()
        line.add("openapi", "3.1.0")
        line.add("info", json: info.text)
        line.add("paths", json: paths.text)
        line.add("components", json: components.text)
        return line.text
    }

    private var paths: JSONLine {
        var paths = JSONLine()
        var seen: Set<String> = []
        for route in routes where seen.insert(route.path).inserted {
            var item = JSONLine()
            for other in routes where other.path == route.path {
                item.add(other.method.rawValue.lowercased(), json: Self.operation(other).text)
            }
            paths.add(route.path, json: item.text)
        }
        return paths
    }

    private static func operation(_ route: Route) -> JSONLine {
        var line = JSONLine()
        line.add("operationId", route.operation)
        line.add("tags", [route.tag])
        line.add("summary", route.summary)
        line.add("description", route.details.isEmpty ? nil : route.details)
        if !route.parameters.isEmpty { line.add("parameters", route.parameters.map(parameter)) }
        if !route.bodies.isEmpty {
            var body = JSONLine()
            body.add("required", true)
            body.add("content", json: contents(route.bodies).text)
            line.add("requestBody", json: body.text)
        }
        line.add("responses", json: responses(route).text)
        if let scope = route.scope {
            line.add("security", json: "[{},{\"key\":[\"\(scope.rawValue)\"]}]")
        }
        return line
    }

    private static func parameter(_ parameter: Route.Parameter) -> JSONLine {
        var line = JSONLine()
        line.add("name", parameter.name)
        line.add("in", parameter.isInPath ? "path" : "query")
        line.add("required", parameter.isInPath)
        line.add("schema", json: parameter.schema.json.text)
        return line
    }

    private static func contents(_ contents: [Route.Content]) -> JSONLine {
        var line = JSONLine()
        for content in contents {
            var inner = JSONLine()
            inner.add("schema", json: content.schema.json.text)
            line.add(content.type, json: inner.text)
        }
        return line
    }

    private static func responses(_ route: Route) -> JSONLine {
        var line = JSONLine(), answer = JSONLine()
        answer.add("description", route.summary)
        if !route.answers.isEmpty { answer.add("content", json: contents(route.answers).text) }
        line.add(String(route.status.code), json: answer.text)
        var failures = Set(route.failures + [400, 429, 503])
        if route.scope != nil { failures.formUnion([401, 403]) }
        if !route.bodies.isEmpty { failures.formUnion([408, 413]) }
        for code in failures.sorted() {
            var failure = JSONLine()
            failure.add("description", HTTPResponse.Status(code: code).reasonPhrase)
            failure.add("content", json: contents([.json(.named("Error"))]).text)
            line.add(String(code), json: failure.text)
        }
        return line
    }

    private var components: JSONLine {
        var schemas = JSONLine()
        for (name, schema) in Self.schemas { schemas.add(name, json: schema.json.text) }
        var key = JSONLine()
        key.add("type", "http")
        key.add("scheme", "bearer")
        key.add("description", "A key of `sensorium keys make`; needed where the service has keys.")
        var schemes = JSONLine()
        schemes.add("key", json: key.text)
        var line = JSONLine()
        line.add("schemas", json: schemas.text)
        line.add("securitySchemes", json: schemes.text)
        return line
    }
}
