import Checkpoints
import Pipelines

/// A request for a chat's next turn.
struct ChatRequest: Sendable {
    var messages: [ChatMessage] = []
    var limit: Int
    var temperature: Float
    var topP: Float
    var seed: UInt64
    var stops: [String]
    var isStreamed: Bool
    var tellsUsage: Bool

    /// Tokens where the request doesn't say how many.
    static let usualTokens = 512
    private static let mostStops = 8

    /// - Throws: `APIError` 400 for what isn't understood or can't be done, by its field: nothing is passed over that would change the answer.
    init(_ reader: ConfigReader, limits: ServiceSettings.Limits) throws {
        try Self.refuse(reader)
        limit = min(Self.usualTokens, limits.tokens)
        for name in ["max_tokens", "max_completion_tokens"] where reader.has(name) {
            limit = try reading { try reader.int(name, in: 1...limits.tokens) }
        }
        temperature = try reading { try reader.float("temperature", default: 1) }
        topP = try reading { try reader.float("top_p", default: 1) }
        guard (0...2).contains(temperature) else { throw APIError.invalid("temperature", "a number from 0 to 2 is expected") }
        guard topP > 0, topP <= 1 else { throw APIError.invalid("top_p", "a number above 0 and at most 1 is expected") }
        seed = try reading {
            reader.has("seed")
                ? UInt64(bitPattern: Int64(try reader.int("seed", in: Int.min...Int.max))) : UInt64.random(in: 0...UInt64.max)
        }
        stops = try Self.stops(reader)
        isStreamed = try reading { try reader.bool("stream", default: false) }
        tellsUsage = try reading { try reader.sectionOrEmpty("stream_options").bool("include_usage", default: false) }
        for message in try reading({ try reader.sections("messages") }) { messages.append(try Self.message(message)) }
        guard messages.contains(where: { $0.role == .user }) else {
            throw APIError.invalid("messages", "a message of the user is expected")
        }
    }

    private static func refuse(_ reader: ConfigReader) throws {
        if try reading({ try reader.int("n", default: 1, in: 1...1_000) }) != 1 {
            throw APIError.invalid("n", "one answer at a time is given")
        }
        for name in ["tools", "functions"] where reader.raw(name)?.array?.isEmpty == false {
            throw APIError.invalid(name, "the model here uses no tools")
        }
        for name in ["presence_penalty", "frequency_penalty"] where try reading({ try reader.double(name, default: 0) }) != 0 {
            throw APIError.invalid(name, "penalties aren't known here")
        }
        if try reading({ try reader.bool("logprobs", default: false) }) { throw APIError.invalid("logprobs", "probabilities aren't told") }
        let form = try reading { try reader.sectionOrEmpty("response_format").string("type", default: "text") }
        guard form == "text" else { throw APIError.invalid("response_format", "answers are texts") }
    }

    private static func stops(_ reader: ConfigReader) throws -> [String] {
        let stops: [String]
        switch reader.raw("stop") {
        case nil: return []
        case .string(let text): stops = [text]
        default: stops = try reading { try reader.strings("stop") }
        }
        guard stops.count <= mostStops, stops.allSatisfy({ !$0.isEmpty && $0.utf8.count <= 256 }) else {
            throw APIError.invalid("stop", "at most \(mostStops) texts of 1 to 256 bytes are expected")
        }
        return stops
    }

    private static func message(_ reader: ConfigReader) throws -> ChatMessage {
        let name = try reading { try reader.string("role", among: ["system", "developer", "user", "assistant"]) }
        let role = ChatMessage.Role(rawValue: name) ?? .system
        let field = reader.path + ".content"
        switch reader.raw("content") {
        case .string(let text): return ChatMessage(role, text)
        case .array(let parts):
            var texts: [String] = []
            for (place, part) in parts.enumerated() {
                switch try ContentPart(part, field: "\(field)[\(place)]") {
                case .text(let text): texts.append(text)
                case .image:
                    throw APIError(
                        .badRequest, "no_vision_model",
                        "\(field)[\(place)]: no model here answers about pictures; /v1/embeddings and /api/search take them",
                        field: "\(field)[\(place)]")
                }
            }
            return ChatMessage(role, texts.joined(separator: "\n"))
        default: throw APIError.invalid(field, "a text or a list of parts is expected")
        }
    }
}

/// Cuts a text that comes in pieces at the first of some marks. What may be the begin of a mark is held back.
struct StopScanner {
    private let stops: [String]
    private var held = ""
    private(set) var hasStopped = false

    init(_ stops: [String]) { self.stops = stops }

    /// What may be told now.
    mutating func take(_ piece: String) -> String {
        guard !stops.isEmpty else { return piece }
        held += piece
        if let cut = stops.compactMap({ held.firstRange(of: $0)?.lowerBound }).min() {
            hasStopped = true
            return String(held[..<cut])
        }
        let kept = stops.map { stop in (1..<max(2, stop.count)).reversed().first { held.hasSuffix(stop.prefix($0)) } ?? 0 }.max() ?? 0
        let told = String(held.dropLast(kept))
        held = String(held.suffix(kept))
        return told
    }

    /// What is left at the end.
    mutating func finish() -> String {
        defer { held = "" }
        return hasStopped ? "" : held
    }
}
