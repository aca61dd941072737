import Foundation
import HTTPTypes
import Hummingbird
import Logging
import NIOCore
import PictureLibrary

/// What lies around every request: the check of where it comes from, one shape of errors, headers for browsers, the log and the counts.
struct Surroundings: RouterMiddleware {
    let doorkeeper: Doorkeeper
    let metrics: ServiceMetrics
    let bodies: BodyBudget
    let settings: ServiceSettings

    /// After an answer that ends the connection the rest of the request is taken in for this long, so that the other side comes to
    /// read the answer.
    private static let lingering = TimeAmount.seconds(2)

    func handle(
        _ request: Request, context: ServiceContext, next: (Request, ServiceContext) async throws -> Response
    ) async throws -> Response {
        let start = ContinuousClock.now, share = BodyShare(bodies)
        defer { share.giveBack() }
        var request = request
        if Self.hasBody(request) { request.body = share.counting(request.body) }
        var response: Response
        do {
            try doorkeeper.checkOrigin(request)
            response = isPreflight(request) ? Response(status: .noContent) : try await next(request, context)
        } catch is CancellationError {
            response = Self.response(to: APIError(.serviceUnavailable, "cancelled", "the service is shutting down"), context)
        } catch {
            response = Self.response(to: error, context, leavesBody: Self.mayHaveMuchLeft(request))
        }
        decorate(&response, request, context)
        report(request, response, context, seconds: (ContinuousClock.now - start) / .seconds(1))
        return response
    }

    private static func hasBody(_ request: Request) -> Bool {
        request.headers[.transferEncoding] != nil || (request.headers[.contentLength].flatMap { Int($0) } ?? 0) > 0
    }

    /// A body that nobody has read would be taken in to its end, however long that takes, before the next request of the connection.
    private static func mayHaveMuchLeft(_ request: Request) -> Bool {
        request.headers[.transferEncoding] != nil || (request.headers[.contentLength].flatMap { Int($0) } ?? 0) > 64 << 10
    }

    /// - Parameter leavesBody: Whether much of the request may not have been read; the connection then ends with the answer.
    static func response(to error: any Error, _ context: ServiceContext, leavesBody: Bool = false) -> Response {
        let known = APIError(error)
        if known == nil { context.logger.error("unforeseen: \(String(reflecting: error))") }
        // What nobody foresaw is told to the log alone: it may name what is nobody's business.
        let error = known ?? APIError(.internalServerError, "internal", "something went wrong here; the log says what")
        var response = Response.json(error.json.text, status: error.status)
        for header in error.headers { response.headers[header.name] = header.value }
        if error.endsConnection || leavesBody {
            response.headers[.connection] = "close"
            let (body, channel) = (response.body, context.channel)
            response.body = ResponseBody(contentLength: body.contentLength) { writer in
                try await writer.write(ByteBuffer(string: error.json.text))
                try await writer.finish(nil)
                channel.eventLoop.scheduleTask(in: lingering) { channel.close(promise: nil) }
            }
        }
        return response
    }

    private func isPreflight(_ request: Request) -> Bool {
        request.method == .options && request.headers[.accessControlRequestMethod] != nil && allowed(request) != nil
    }

    private func allowed(_ request: Request) -> String? {
        request.headers[.origin].flatMap { settings.origins.contains($0.lowercased()) ? $0 : nil }
    }

    private func decorate(_ response: inout Response, _ request: Request, _ context: ServiceContext) {
        response.headers[.xContentTypeOptions] = "nosniff"
        response.headers[.crossOriginResourcePolicy] = settings.origins.isEmpty ? "same-origin" : "cross-origin"
        response.headers[.xRequestID] = context.requestID
        // A picture that is opened by itself (an SVG with a script) is nothing but a picture.
        if response.headers[.contentSecurityPolicy] == nil { response.headers[.contentSecurityPolicy] = "default-src 'none'; sandbox" }
        if response.headers[.cacheControl] == nil { response.headers[.cacheControl] = "no-store" }
        guard let origin = allowed(request) else { return }
        response.headers[.accessControlAllowOrigin] = origin
        response.headers[.vary] = "Origin"
        if request.method == .options {
            response.headers[.accessControlAllowMethods] = "GET, POST, DELETE"
            response.headers[.accessControlAllowHeaders] = "Authorization, Content-Type"
            response.headers[.accessControlMaxAge] = "600"
        }
    }

    /// The query isn't logged: what people look for is their own.
    private func report(_ request: Request, _ response: Response, _ context: ServiceContext, seconds: Double) {
        let route = context.endpointPath ?? "none"
        let status = String(response.status.code)
        let labels = [("method", Self.known(request.method)), ("route", route), ("status", status)]
        metrics.add("sensorium_requests_total", "Requests answered.", labels: labels)
        metrics.observe(
            "sensorium_request_seconds", "Seconds until the answer began.", labels: [("route", route)], seconds: seconds)
        context.logger.info(
            "\(request.method.rawValue.prefix(16)) \(route) \(status)",
            metadata: [
                "ms": "\(Int((seconds * 1e3).rounded()))", "bytes": "\(response.body.contentLength.map(String.init) ?? "stream")",
                "from": "\(context.remoteAddress)",
            ])
    }

    /// Methods that somebody made up don't make new series.
    private static func known(_ method: HTTPRequest.Method) -> String {
        [.get, .head, .post, .delete, .options, .put, .patch].contains(method) ? method.rawValue : "other"
    }
}

extension HTTPField.Name {
    static let xRequestID = Self("X-Request-ID")!
}

extension Response {
    static func json(_ text: String, status: HTTPResponse.Status = .ok) -> Response {
        Response(
            status: status, headers: [.contentType: "application/json; charset=utf-8"],
            body: ResponseBody(byteBuffer: ByteBuffer(string: text)))
    }

    static func json(_ line: JSONLine, status: HTTPResponse.Status = .ok) -> Response { json(line.text, status: status) }
}
