import HTTPTypes
import Hummingbird

/// The web page: files that come with the program and ask for nothing from elsewhere. They hold no data, so they are open to all; what
/// they show comes from the routes beside them.
struct WebRoutes {
    /// What a browser may do with the page: nothing that isn't of this service, and nothing that text could make it do.
    static let policy =
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob: data:; connect-src 'self'; base-uri 'none'; "
        + "form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'"

    let page: WebPage

    var routes: [Route] { [start, file] }

    private var start: Route {
        let page = page
        return Route(
            method: .get, path: "/", tag: "page", summary: "The web page.", details: "Its query holds what is looked for.",
            answers: [.init("text/html", .string())], failures: [404], isLenient: true
        ) { request, _ in try Self.answer(page, WebPage.start, request) }
    }

    private var file: Route {
        let page = page
        return Route(
            method: .get, path: "/ui/{file}", tag: "page", summary: "A part of the web page.",
            parameters: [.init("file", .string("Its name."), inPath: true)],
            answers: [.init("text/css", .string()), .init("text/javascript", .string()), .init("image/svg+xml", .string())],
            failures: [404], isLenient: true
        ) { request, context in try Self.answer(page, context.parameters.get("file") ?? "", request) }
    }

    private static func answer(_ page: WebPage, _ name: String, _ request: Request) throws(APIError) -> Response {
        guard let file = page.files[name] else {
            throw APIError(.notFound, "unknown_file", page.problem ?? "the page has no part of this name")
        }
        // Asked for again each time, so that a new version of the program is seen at once; what hasn't changed isn't sent.
        var response = Response.tagged(request, tag: file.tag, cacheControl: "no-cache", type: file.type) {
            ResponseBody(byteBuffer: ByteBuffer(bytes: file.bytes))
        }
        response.headers[.contentSecurityPolicy] = policy
        response.headers[.referrerPolicy] = "no-referrer"
        return response
    }
}

extension Response {
    /// An answer that browsers keep, or 304 where they have it.
    static func tagged(
        _ request: Request, tag: String, cacheControl: String, type: String, _ body: () -> ResponseBody
    ) -> Response {
        var headers: HTTPFields = [.eTag: "\"\(tag)\"", .cacheControl: cacheControl]
        let known = request.headers[.ifNoneMatch]?.split(separator: ",").map { $0.trimmingCharacters(in: .whitespaces) } ?? []
        if known.contains("\"\(tag)\"") || known.contains("W/\"\(tag)\"") { return Response(status: .notModified, headers: headers) }
        headers[.contentType] = type
        return Response(status: .ok, headers: headers, body: body())
    }
}

extension HTTPField.Name {
    static let referrerPolicy = Self("Referrer-Policy")!
}
