import Checkpoints
import Foundation
import Hummingbird
import PictureLibrary
import Pipelines

/// `/v1/chat/completions` (OpenAI) by a language model.
struct ChatRoutes {
    let workshop: Workshop

    var routes: [Route] { [completions] }

    private var completions: Route {
        let workshop = workshop
        let message = Schema.object([.init("role", .string(), required: true), .init("content", .any(), required: true)])
        return Route(
            method: .post, path: "/v1/chat/completions", scope: .models, tag: "OpenAI", summary: "The next turn of a conversation.",
            details: "With `stream` as server-sent events that end with [DONE]. Texts only: pictures get one error.",
            bodies: [
                .json(
                    .object([
                        .init("model", .string(), required: true), .init("messages", .array(message), required: true),
                        .init("max_tokens", .integer("\(ChatRequest.usualTokens) where it isn't given.")), .init("temperature", .number()),
                        .init("top_p", .number()), .init("seed", .integer()), .init("stop", .oneOf([.string(), .array(.string())])),
                        .init("stream", .boolean()), .init("stream_options", .object([.init("include_usage", .boolean())])),
                    ]))
            ],
            answers: [
                .json(
                    .object([
                        .init("id", .string()), .init("object", .string()), .init("created", .integer()), .init("model", .string()),
                        .init(
                            "choices",
                            .array(.object([.init("index", .integer()), .init("message", message), .init("finish_reason", .string())]))),
                        .init("usage", .object([.init("prompt_tokens", .integer()), .init("completion_tokens", .integer())])),
                    ])), .init("text/event-stream", .string()),
            ], failures: [404], isLenient: true
        ) { request, context in
            let reader = try await request.json(workshop.settings.limits)
            let source = try workshop.shelf.source(reading { try reader.string("model") })
            let chat = try ChatRequest(reader, limits: workshop.settings.limits)
            let writing = ChatWriting(chat, source, id: "chatcmpl-" + context.requestID, workshop.writing)
            return try await chat.isStreamed ? writing.streamed() : writing.whole()
        }
    }
}

/// One answer being written.
struct ChatWriting: Sendable {
    private let chat: ChatRequest
    private let source: ShelvedModel
    private let id: String
    private let pool: WorkPool
    private let created = Int(Date().timeIntervalSince1970)

    init(_ chat: ChatRequest, _ source: ShelvedModel, id: String, _ pool: WorkPool) {
        (self.chat, self.source, self.id, self.pool) = (chat, source, id, pool)
    }

    private struct Ending: Sendable {
        var reason: String
        var prompt: Int
        var written: Int
    }

    /// Writes; `each` takes pieces of the text and says whether to go on.
    private static func write(
        _ chat: ChatRequest, _ source: ShelvedModel, _ each: (String) -> Bool
    ) throws -> Ending {
        let generator = try TextGenerator(source.languageModel(), name: source.name)
        let format = try generator.chatFormat(name: source.name)
        let count = format.tokens(chat.messages).count
        guard count < generator.model.contextLength else {
            throw APIError(
                .badRequest, "context_length_exceeded",
                "the conversation has \(count) tokens; \(source.name) attends to \(generator.model.contextLength)", field: "messages")
        }
        var scanner = StopScanner(chat.stops)
        let sampler = TokenSampler(temperature: chat.temperature, topP: chat.topP, seed: chat.seed)
        let output = try generator.answer(chat.messages, format: format, limit: chat.limit, sampler: sampler) { piece in
            let text = scanner.take(piece)
            return (text.isEmpty || each(text)) && !scanner.hasStopped
        }
        let rest = scanner.finish()
        if !rest.isEmpty { _ = each(rest) }
        let isWhole = output.ending == .end || scanner.hasStopped
        return Ending(reason: isWhole ? "stop" : "length", prompt: output.prompt.count, written: output.tokens.count)
    }

    func whole() async throws -> Response {
        let (chat, source) = (chat, source)
        let (text, ending) = try await pool.run {
            var text = ""
            let ending = try Self.write(chat, source) { piece in
                text += piece
                return true
            }
            return (text, ending)
        }
        var message = JSONLine(), choice = JSONLine()
        message.add("role", "assistant")
        message.add("content", text)
        choice.add("index", 0)
        choice.add("message", json: message.text)
        choice.add("finish_reason", ending.reason)
        return .json(line("chat.completion", choices: [choice], usage: ending))
    }

    /// Nothing is answered before the first piece is there, so that what goes wrong until then has its own status.
    func streamed() async throws -> Response {
        let (chat, source, pool) = (chat, source, pool)
        enum Piece: Sendable {
            case text(String)
            case end(Ending)
        }
        let (stream, continuation) = AsyncThrowingStream<Piece, any Error>.makeStream()
        let isUnwanted = Flag()
        Task {
            do {
                let ending = try await pool.run {
                    try Self.write(chat, source) { piece in
                        continuation.yield(.text(piece))
                        return !isUnwanted.isSet
                    }
                }
                continuation.yield(.end(ending))
                continuation.finish()
            } catch {
                continuation.finish(throwing: error)
            }
        }
        var first: Piece?
        for try await piece in stream {
            first = piece
            break
        }
        let begin = first
        return .eventStream { writer in
            do {
                try await writer.send(delta(role: "assistant", text: "").text)
                func send(_ piece: Piece, _ writer: inout EventWriter) async throws {
                    switch piece {
                    case .text(let text): try await writer.send(delta(text: text).text)
                    case .end(let ending):
                        try await writer.send(delta(ending: ending.reason).text)
                        if chat.tellsUsage { try await writer.send(line("chat.completion.chunk", choices: [], usage: ending).text) }
                    }
                }
                if let begin { try await send(begin, &writer) }
                for try await piece in stream { try await send(piece, &writer) }
                try await writer.send("[DONE]")
            } catch {
                // Whoever asked has gone.
                isUnwanted.set()
                throw error
            }
        }
    }

    private func delta(role: String? = nil, text: String? = nil, ending: String? = nil) -> JSONLine {
        var delta = JSONLine(), choice = JSONLine()
        delta.add("role", role)
        delta.add("content", text)
        choice.add("index", 0)
        choice.add("delta", json: delta.text)
        if let ending { choice.add("finish_reason", ending) } else { choice.add("finish_reason", json: "null") }
        return line("chat.completion.chunk", choices: [choice], usage: nil)
    }

    private func line(_ object: String, choices: [JSONLine], usage: Ending?) -> JSONLine {
        var line = JSONLine()
        line.add("id", id)
        line.add("object", object)
        line.add("created", created)
        line.add("model", source.name)
        line.add("choices", choices)
        if let usage {
            var counts = JSONLine()
            counts.add("prompt_tokens", usage.prompt)
            counts.add("completion_tokens", usage.written)
            counts.add("total_tokens", usage.prompt + usage.written)
            line.add("usage", json: counts.text)
        }
        return line
    }
}
