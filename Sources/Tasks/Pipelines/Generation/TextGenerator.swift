import Layers
import ModelKit
import Tensors
import Tokenizers

/// Continues a text with a language model, token by token.
public struct TextGenerator: Sendable {
    public enum Ending: String, Sendable {
        /// The model ended the text.
        case end
        /// As many tokens as were asked for.
        case length
        /// The model attends to no more tokens.
        case context
    }

    public struct Output: Sendable {
        /// Tokens of the prompt, and those that follow it (the ending token left out).
        public var prompt: [Int32]
        public var tokens: [Int32] = []
        public var ending = Ending.length
        /// Until the first token was known.
        public var promptTime = Duration.zero
        /// From the first token to the last.
        public var generationTime = Duration.zero
        /// Tokens that were computed in `generationTime`.
        public var steps = 0
    }

    public let model: any LanguageModel
    private let tokenizer: Tokenizer
    /// Tokens of a prompt that go through the network together.
    private static let chunk = 512

    /// Throws where the model has no tokenizer.
    public init(_ model: any LanguageModel, name: String) throws {
        guard let tokenizer = model.tokenizer else {
            throw RoleError(model: name, role: "text generator", reason: model.tokenizerAbsence ?? "it has no tokenizer")
        }
        (self.model, self.tokenizer) = (model, tokenizer)
    }

    /// - Parameters:
    ///   - limit: the most tokens to generate.
    ///   - each: takes pieces of the text as they come, whole characters only; false stops.
    public func generate(
        _ prompt: String, limit: Int, sampler: TokenSampler = TokenSampler(), clock: some Clock<Duration> = ContinuousClock(),
        each: (String) throws -> Bool = { _ in true }
    ) throws -> Output {
        try generate(tokens: tokenizer.encode(prompt).ids, limit: limit, sampler: sampler, clock: clock, each: each)
    }

    /// Answers a conversation; special tokens that a message spells are plain text.
    public func answer(
        _ messages: [ChatMessage], format: ChatFormat, limit: Int, sampler: TokenSampler = TokenSampler(),
        each: (String) throws -> Bool = { _ in true }
    ) throws -> Output {
        try generate(
            tokens: format.tokens(messages), limit: limit, sampler: sampler, clock: ContinuousClock(), endTokens: format.endTokens,
            each: each)
    }

    /// How the model wants conversations written. Throws `RoleError` where that isn't known.
    public func chatFormat(name: String) throws(RoleError) -> ChatFormat { try ChatFormat(tokenizer, name: name) }

    private func generate(
        tokens: [Int32], limit: Int, sampler: TokenSampler, clock: some Clock<Duration>, endTokens: [Int32] = [],
        each: (String) throws -> Bool
    ) throws -> Output {
        var output = Output(prompt: tokens), sampler = sampler
        let endTokens = Set(model.endTokens + endTokens)
        guard !output.prompt.isEmpty else {
            throw RoleError(model: "the language model", role: "text generator", reason: "the prompt is empty: give it at least one word")
        }
        guard output.prompt.count <= model.contextLength else {
            throw RoleError(
                model: "the language model", role: "text generator",
                reason: "the prompt has \(output.prompt.count) tokens; at most \(model.contextLength) fit")
        }
        guard limit > 0 else { return output }
        let start = clock.now
        var cache = model.makeCache(batch: 1, capacity: min(model.contextLength, output.prompt.count + min(limit, 256)))
        var next = try sampler.choose(read(output.prompt, &cache))
        let first = clock.now
        output.promptTime = start.duration(to: first)
        var text = TextStream(tokenizer)
        output.ending = try {
            while !endTokens.contains(next) {
                output.tokens.append(next)
                if let piece = text.append(next), try !each(piece) { return .length }
                if output.tokens.count == limit { return .length }
                if cache.count == model.contextLength { return .context }
                next = try sampler.choose(model.nextLogits([next], cache: &cache))
                output.steps += 1
            }
            return .end
        }()
        if let rest = text.finish() { _ = try each(rest) }
        output.generationTime = first.duration(to: clock.now)
        return output
    }

    /// The text of an output.
    public func text(_ output: Output) -> String { tokenizer.decode(output.tokens) }

    /// Logits of the token after the prompt.
    private func read(_ prompt: [Int32], _ cache: inout KeyValueCache) throws -> Tensor {
        var start = 0
        while prompt.count - start > Self.chunk {
            let ids = try Tensor(Array(prompt[start..<start + Self.chunk]), [1, Self.chunk])
            _ = try model.states(model.embeddings(ids), cache: &cache)
            start += Self.chunk
        }
        return try model.nextLogits(Array(prompt[start...]), cache: &cache)
    }
}

/// Turns tokens into text as they come: a character may be spread over several of them.
package struct TextStream {
    private let tokenizer: Tokenizer
    /// Tokens since the last place where a whole character ended.
    private var pending: [Int32] = []

    package init(_ tokenizer: Tokenizer) { self.tokenizer = tokenizer }

    /// Characters have at most four bytes, so more tokens than that without a whole one are broken bytes.
    private static let longest = 4

    /// The text that is whole now, nil where there is none yet.
    package mutating func append(_ token: Int32) -> String? {
        pending.append(token)
        let text = tokenizer.decode(pending)
        if text.hasSuffix("\u{FFFD}"), pending.count < Self.longest { return nil }
        pending = []
        return text.isEmpty ? nil : text
    }

    /// What is left at the end.
    package mutating func finish() -> String? {
        defer { pending = [] }
        let text = tokenizer.decode(pending)
        return text.isEmpty ? nil : text
    }
}
