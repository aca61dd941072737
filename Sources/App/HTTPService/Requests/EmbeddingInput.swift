import Checkpoints
import Foundation
import Imaging
import ModelKit
import Pipelines
import Tensors

/// What a vector is asked for: texts and pictures, together one vector.
struct EmbeddingInput: Sendable {
    enum Part: Sendable {
        case text(String)
        /// A picture's file.
        case picture([UInt8])
    }

    var parts: [Part]

    static let schema = Schema.oneOf(
        [
            .string(), .array(.string()),
            .array(.object([.init("content", .any("A text, or a list of parts with `type` text, image_url, input_text or input_image."))])),
            .array(.object([.init("text", .string()), .init("image", .string("Base64 or an address."))])),
        ], "One or several inputs; each gets a vector.")

    /// Inputs of `input`, in any of the dialects that clients speak.
    static func list(_ value: JSONValue, field: String, _ fetcher: PictureFetcher, limit: Int) async throws -> [EmbeddingInput] {
        guard case .array(let values) = value else { return [try await one(value, field: field, fetcher)] }
        guard !values.isEmpty else { throw APIError.invalid(field, "the list is empty") }
        guard values.count <= limit else { throw APIError.invalid(field, "at most \(limit) at once, found \(values.count)") }
        if case .int = values[0] { throw tokens(field) }
        var inputs: [EmbeddingInput] = []
        for (place, value) in values.enumerated() { inputs.append(try await one(value, field: "\(field)[\(place)]", fetcher)) }
        return inputs
    }

    private static func tokens(_ field: String) -> APIError {
        APIError.invalid(field, "token ids aren't taken, as every model has its own; send texts")
    }

    /// A text, `{"text": ...}`, `{"image": ...}` or `{"content": ...}`.
    static func one(_ value: JSONValue, field: String, _ fetcher: PictureFetcher) async throws -> EmbeddingInput {
        switch value {
        case .string(let text): return EmbeddingInput(parts: [try textPart(text, field)])
        case .array: throw tokens(field)
        case .object(let members):
            if let content = members["content"] {
                return EmbeddingInput(parts: try await parts(content, field: field + ".content", fetcher))
            }
            var parts: [Part] = []
            if let text = members["text"]?.string { parts.append(try textPart(text, field)) }
            if let image = members["image"]?.string { parts.append(.picture(try await fetcher.picture(image, field: field + ".image"))) }
            guard !parts.isEmpty else { throw APIError.invalid(field, "an object with text, image or content is expected") }
            return EmbeddingInput(parts: parts)
        default: throw APIError.invalid(field, "a text or an object is expected, found \(value.summary)")
        }
    }

    private static func textPart(_ text: String, _ field: String) throws(APIError) -> Part {
        guard !text.isEmpty else { throw .invalid(field, "the text is empty") }
        return .text(text)
    }

    /// All parts of a conversation, which together get one vector.
    static func conversation(_ messages: [ConfigReader], _ fetcher: PictureFetcher) async throws -> EmbeddingInput {
        var parts: [Part] = []
        for message in messages {
            guard let content = message.raw("content") else { throw APIError.invalid(message.path, "it has no content") }
            parts += try await Self.parts(content, field: message.path + ".content", fetcher)
        }
        guard !parts.isEmpty else { throw APIError.invalid("messages", "they hold nothing to embed") }
        return EmbeddingInput(parts: parts)
    }

    private static let mostParts = 32

    private static func parts(_ content: JSONValue, field: String, _ fetcher: PictureFetcher) async throws -> [Part] {
        if case .string(let text) = content { return [try textPart(text, field)] }
        guard case .array(let values) = content, !values.isEmpty, values.count <= mostParts else {
            throw APIError.invalid(field, "a text or a list of 1 to \(mostParts) parts is expected")
        }
        var parts: [Part] = []
        for (place, value) in values.enumerated() {
            let name = "\(field)[\(place)]"
            switch try ContentPart(value, field: name) {
            case .text(let text): parts.append(try textPart(text, name))
            case .image(let address): parts.append(.picture(try await fetcher.picture(address, field: name)))
            }
        }
        return parts
    }
}

/// A part of a message's content, in the spellings of OpenAI's two interfaces and of vLLM.
enum ContentPart {
    case text(String)
    /// The address of a picture.
    case image(String)

    init(_ value: JSONValue, field: String) throws(APIError) {
        let text = value["text"]?.string
        let address = value["image_url"]?["url"]?.string ?? value["image_url"]?.string ?? value["image"]?.string
        switch (value["type"]?.string, text, address) {
        case ("text", let text?, _), ("input_text", let text?, _), (nil, let text?, _): self = .text(text)
        case ("image_url", _, let address?), ("input_image", _, let address?), ("image", _, let address?), (nil, _, let address?):
            self = .image(address)
        default:
            throw .invalid(field, "a part of type text with `text`, or of type image_url with `image_url`, is expected")
        }
    }
}

/// Vectors of inputs by a dual encoder.
struct InputEmbedder {
    let embedder: ModelEmbedder
    let pictures: RequestPictures
    private static let textsTogether = 32
    private static let picturesTogether = 8

    /// - Throws: `RoleError` for a model that makes no vectors.
    init(_ source: ShelvedModel, _ pictures: RequestPictures) throws {
        let loaded = try source.load()
        guard loaded.image != nil else {
            throw RoleError(model: source.name, role: "embedding model", reason: "\(loaded.family) makes no vectors of pictures and words")
        }
        embedder = try ModelEmbedder(loaded, name: source.name, weightsDigest: "")
        self.pictures = pictures
    }

    /// A unit vector for each input: of several parts the mean of their unit vectors, made a unit vector again.
    func vectors(_ inputs: [EmbeddingInput]) throws -> [[Float]] {
        var texts: [(input: Int, text: String)] = [], files: [(input: Int, bytes: [UInt8])] = []
        for (place, input) in inputs.enumerated() {
            for part in input.parts {
                switch part {
                case .text(let text): texts.append((place, text))
                case .picture(let bytes): files.append((place, bytes))
                }
            }
        }
        var sums = [[Float]](repeating: [Float](repeating: 0, count: embedder.identity.dimension), count: inputs.count)
        for start in stride(from: 0, to: texts.count, by: Self.textsTogether) {
            let part = texts[start..<min(texts.count, start + Self.textsTogether)]
            add(try embedder.embed(texts: part.map(\.text)), part.map(\.input), to: &sums)
        }
        for start in stride(from: 0, to: files.count, by: Self.picturesTogether) {
            let part = files[start..<min(files.count, start + Self.picturesTogether)]
            let prepared = try part.map {
                try embedder.prepare(pictures.decode($0.bytes, shortestUsefulSide: embedder.shortestUsefulSide))
            }
            add(try embedder.embed(prepared), part.map(\.input), to: &sums)
        }
        return sums.map { sum in
            let length = sum.reduce(0) { $0 + $1 * $1 }.squareRoot()
            return length > 0 ? sum.map { $0 / length } : sum
        }
    }

    private func add(_ rows: Tensor, _ inputs: [Int], to sums: inout [[Float]]) {
        let values = rows.floats(), width = embedder.identity.dimension
        for (row, input) in inputs.enumerated() {
            for place in 0..<width { sums[input][place] += values[row * width + place] }
        }
    }

    /// Tokens that the texts become.
    func tokenCount(_ inputs: [EmbeddingInput]) throws -> Int {
        let texts = inputs.flatMap(\.parts).compactMap { if case .text(let text) = $0 { text } else { nil } }
        return texts.isEmpty ? 0 : try embedder.tokenCount(texts)
    }
}
