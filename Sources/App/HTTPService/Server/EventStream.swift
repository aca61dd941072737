import HTTPTypes
import Hummingbird

/// Writes server-sent events (WHATWG HTML, 9.2).
struct EventWriter {
    private var writer: any ResponseBodyWriter

    fileprivate init(_ writer: any ResponseBodyWriter) { self.writer = writer }

    /// - Parameter data: one line.
    mutating func send(_ data: String, event: String? = nil) async throws {
        try await writer.write(ByteBuffer(string: (event.map { "event: \($0)\n" } ?? "") + "data: \(data)\n\n"))
    }

    fileprivate mutating func finish() async throws { try await writer.finish(nil) }
}

extension Response {
    static func eventStream(_ body: @escaping @Sendable (inout EventWriter) async throws -> Void) -> Response {
        Response(
            status: .ok, headers: [.contentType: "text/event-stream; charset=utf-8", .cacheControl: "no-cache"],
            body: ResponseBody { writer in
                var events = EventWriter(writer)
                try await body(&events)
                try await events.finish()
            })
    }
}
