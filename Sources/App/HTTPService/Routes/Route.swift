import HTTPTypes
import Hummingbird

/// One address of the service: what answers there and what `/openapi.json` says of it. Routes are registered from this alone, so that
/// nothing is there that isn't described.
struct Route: Sendable {
    typealias Handler = @Sendable (Request, ServiceContext) async throws -> Response

    struct Parameter: Sendable {
        var name: String
        var schema: Schema
        var isInPath = false

        init(_ name: String, _ schema: Schema, inPath: Bool = false) { (self.name, self.schema, isInPath) = (name, schema, inPath) }
    }

    /// A form in which a body or an answer comes.
    struct Content: Sendable {
        var type: String
        var schema: Schema

        init(_ type: String, _ schema: Schema) { (self.type, self.schema) = (type, schema) }
        static func json(_ schema: Schema) -> Content { Content("application/json", schema) }
    }

    var method: HTTPRequest.Method
    /// As OpenAPI writes it: `/api/pictures/{id}`.
    var path: String
    /// What a key must open; nil for a route that is open to all.
    var scope: Scope?
    var tag: String
    var summary: String
    var details = ""
    var parameters: [Parameter] = []
    var bodies: [Content] = []
    var status: HTTPResponse.Status = .ok
    var answers: [Content] = []
    /// Statuses of errors that this route has of its own.
    var failures: [Int] = []
    /// Whether parameters that aren't listed are passed over, as clients of another service may send any.
    var isLenient = false
    var handler: Handler

    var operation: String {
        let parts = path.split(whereSeparator: { "/{}._-".contains($0) }).map { $0.prefix(1).uppercased() + $0.dropFirst() }
        return method.rawValue.lowercased() + (parts.isEmpty ? "Page" : parts.joined())
    }

    /// Makes it answer.
    func register(on router: Router<ServiceContext>, _ doorkeeper: Doorkeeper) {
        let known = parameters.filter { !$0.isInPath }.map(\.name)
        let (scope, isLenient, handler) = (scope, isLenient, handler)
        router.on(RouterPath(path), method: method) { request, context in
            _ = try doorkeeper.admit(request, context, to: scope)
            if !isLenient { try QueryParameters(request).check(known) }
            return try await handler(request, context)
        }
    }
}
