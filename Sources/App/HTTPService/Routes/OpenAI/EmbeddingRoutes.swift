import Checkpoints
import Foundation
import Hummingbird
import PictureLibrary

/// `/v1/embeddings` (OpenAI) of texts and pictures, and `/v1/rerank` (Jina, Cohere).
struct EmbeddingRoutes {
    let workshop: Workshop

    var routes: [Route] { [embeddings, rerank] }

    private static let usage = Schema.object([.init("prompt_tokens", .integer()), .init("total_tokens", .integer())])

    private var embeddings: Route {
        let workshop = workshop
        let vector = Schema.oneOf([.array(.number()), .string("Base64 of little-endian f32.")])
        return Route(
            method: .post, path: "/v1/embeddings", scope: .models, tag: "OpenAI",
            summary: "Unit vectors of texts and pictures in one space.",
            details:
                "`input` is a text, a list of texts, or a list of objects with text, image or content; `messages` is a conversation whose "
                + "parts get one vector together. An input of several parts gets the mean of their vectors.",
            bodies: [
                .json(
                    .object([
                        .init("model", .string(), required: true), .init("input", EmbeddingInput.schema),
                        .init("messages", .array(.object([.init("role", .string()), .init("content", .any())]))),
                        .init("encoding_format", .string(among: ["float", "base64"])),
                        .init("dimensions", .integer("Only the model's own number.")),
                    ]))
            ],
            answers: [
                .json(
                    .object([
                        .init("object", .string()), .init("model", .string()), .init("usage", Self.usage),
                        .init(
                            "data", .array(.object([.init("object", .string()), .init("index", .integer()), .init("embedding", vector)]))),
                    ]))
            ], failures: [404, 415, 422], isLenient: true
        ) { request, _ in
            let reader = try await request.json(workshop.settings.limits)
            let source = try workshop.shelf.source(reading { try reader.string("model") })
            let format = try reading { try reader.string("encoding_format", default: "float", among: ["float", "base64"]) }
            let dimensions = try reading { reader.has("dimensions") ? try reader.int("dimensions", in: 1...1 << 20) : nil }
            let inputs = try await Self.inputs(reader, workshop)
            return try await workshop.timed("embeddings") {
                let embedder = try InputEmbedder(source, workshop.pictures)
                let width = embedder.embedder.identity.dimension
                guard dimensions == nil || dimensions == width else {
                    throw APIError.invalid("dimensions", "the vectors of \(source.name) have \(width) numbers and aren't cut")
                }
                let vectors = try embedder.vectors(inputs), tokens = try embedder.tokenCount(inputs)
                return .json(Self.json(vectors, isBase64: format == "base64", model: source.name, tokens: tokens))
            }
        }
    }

    private static func inputs(_ reader: ConfigReader, _ workshop: Workshop) async throws -> [EmbeddingInput] {
        switch (reader.raw("input"), reader.has("messages")) {
        case (let input?, false):
            return try await EmbeddingInput.list(input, field: "input", workshop.fetcher, limit: workshop.settings.limits.items)
        case (nil, true): return [try await EmbeddingInput.conversation(reading { try reader.sections("messages") }, workshop.fetcher)]
        default: throw APIError.invalid("input", "exactly one of input and messages is expected")
        }
    }

    private static func json(_ vectors: [[Float]], isBase64: Bool, model: String, tokens: Int) -> JSONLine {
        var line = JSONLine()
        line.add("object", "list")
        line.add(
            "data",
            vectors.enumerated().map { place, vector in
                var line = JSONLine()
                line.add("object", "embedding")
                line.add("index", place)
                if isBase64 {
                    line.add("embedding", vector.withUnsafeBytes { Data($0) }.base64EncodedString())
                } else {
                    line.add("embedding", json: "[" + vector.map(\.description).joined(separator: ",") + "]")
                }
                return line
            })
        line.add("model", model)
        line.add("usage", json: usage(tokens).text)
        return line
    }

    private static func usage(_ tokens: Int) -> JSONLine {
        var line = JSONLine()
        line.add("prompt_tokens", tokens)
        line.add("total_tokens", tokens)
        return line
    }

    private var rerank: Route {
        let workshop = workshop
        let document = Schema.oneOf([.string(), .object([.init("text", .string()), .init("image", .string("Base64 or an address."))])])
        return Route(
            method: .post, path: "/v1/rerank", scope: .models, tag: "OpenAI",
            summary: "Orders texts or pictures by how near they are to a query.",
            details:
                "By a dual encoder: `relevance_score` is the cosine of the two vectors, -1 to 1. Cosines of a text with texts and of a text "
                + "with pictures lie in different ranges, so lists of one kind order best.",
            bodies: [
                .json(
                    .object([
                        .init("model", .string(), required: true), .init("query", document, required: true),
                        .init("documents", .array(document), required: true), .init("top_n", .integer()),
                        .init("return_documents", .boolean()),
                    ]))
            ],
            answers: [
                .json(
                    .object([
                        .init("model", .string()), .init("usage", Self.usage),
                        .init(
                            "results",
                            .array(.object([.init("index", .integer()), .init("relevance_score", .number()), .init("document", .any())]))),
                    ]))
            ], failures: [404, 415, 422], isLenient: true
        ) { request, _ in
            let reader = try await request.json(workshop.settings.limits)
            let source = try workshop.shelf.source(reading { try reader.string("model") })
            guard let query = reader.raw("query"), let documents = reader.raw("documents"), case .array(let values) = documents else {
                throw APIError.invalid("query", "a query and a list of documents are expected")
            }
            let limit = workshop.settings.limits.items
            let count = try reading { try reader.int("top_n", default: values.count, in: 1...1 << 20) }
            let returns = try reading { try reader.bool("return_documents", default: false) }
            let asked = try await EmbeddingInput.one(query, field: "query", workshop.fetcher)
            let offered = try await EmbeddingInput.list(documents, field: "documents", workshop.fetcher, limit: limit)
            return try await workshop.timed("rerank") {
                let embedder = try InputEmbedder(source, workshop.pictures)
                let vectors = try embedder.vectors([asked] + offered), tokens = try embedder.tokenCount([asked] + offered)
                let scores = vectors.dropFirst().map { zip($0, vectors[0]).reduce(Float(0)) { $0 + $1.0 * $1.1 } }
                var line = JSONLine()
                line.add("model", source.name)
                line.add("results", Self.results(Array(scores), count, returns ? values : nil))
                line.add("usage", json: Self.usage(tokens).text)
                return .json(line)
            }
        }
    }

    private static func results(_ scores: [Float], _ count: Int, _ documents: [JSONValue]?) -> [JSONLine] {
        scores.indices.sorted { (scores[$0], $1) > (scores[$1], $0) }.prefix(count).map { place in
            var line = JSONLine()
            line.add("index", place)
            line.add("relevance_score", Double(scores[place]))
            if let text = documents?[place].string ?? documents?[place]["text"]?.string {
                var document = JSONLine()
                document.add("text", text)
                line.add("document", json: document.text)
            }
            return line
        }
    }
}
