extension Tokenizer {
    /// The parts of a byte-level BPE vocabulary as GGUF files hold them.
    public struct ByteLevelParts: Sendable {
        /// How a token is matched, after llama.cpp's token types.
        public enum Kind: Sendable, Equatable {
            /// Found by merges alone.
            case normal
            /// Matched in the raw text; shown when decoding.
            case userDefined
            /// Matched in the raw text; left out when decoding.
            case control
        }

        /// Texts by id, in the byte-level alphabet.
        public var tokens: [[UInt8]]
        /// As many as tokens; empty where all are normal.
        public var kinds: [Kind]
        /// Pairs "left right", the first to be merged first.
        public var merges: [[UInt8]]
        /// llama.cpp's name of the rule by which text is cut into words: `smollm`, `gpt-2`, `qwen2`, `llama-bpe` ...
        public var splitting: String
        public var beginning, end, padding, unknown: Int?
        /// Whether special tokens include the beginning or the end.
        public var addsBeginning = false
        public var addsEnd = false

        public init(tokens: [[UInt8]], kinds: [Kind], merges: [[UInt8]], splitting: String) {
            (self.tokens, self.kinds, self.merges, self.splitting) = (tokens, kinds, merges, splitting)
        }
    }

    /// Byte-level BPE from its parts.
    /// - Throws: `TokenizerError` for a splitting rule that isn't known, or parts that don't fit each other.
    public init(byteLevel parts: ByteLevelParts, file: String) throws(TokenizerError) {
        let count = parts.tokens.count
        guard count <= Limits.vocabularyEntries, parts.merges.count <= Limits.vocabularyEntries else {
            throw TokenizerError(file: file, "\(count) tokens, \(parts.merges.count) merges; at most \(Limits.vocabularyEntries) are read")
        }
        guard parts.kinds.isEmpty || parts.kinds.count == count else {
            throw TokenizerError(file: file, field: "token types", "\(parts.kinds.count) for \(count) tokens")
        }
        let splitter = try PreTokenizer.named(parts.splitting, file: file)
        let vocabulary = try Self.vocabulary(parts.tokens, file)
        var merges = BPEMergeBuilder(vocabulary, capacity: parts.merges.count, prefix: 0, file: file)
        for merge in parts.merges {
            merges.begin()
            merges.text.append(contentsOf: merge)
            try merges.splitAtSpace("merges")
        }
        var options = BPEModel.Options()
        options.ignoresMerges = PreTokenizer.wholeWordsFirst.contains(parts.splitting)
        let model = Model.bpe(BPEModel(vocabulary: vocabulary, merges: merges.table, options: options))
        let added = zip(parts.tokens, parts.kinds).compactMap { token, kind in
            kind == .normal || token.isEmpty ? nil : AddedToken(content: token, isNormalized: false, isSpecial: kind == .control)
        }
        self.init(
            engine: .pipeline(
                Pipeline(
                    normalizer: nil, preTokenizer: splitter, model: model,
                    added: AddedVocabulary(added, model: model, normalizer: nil))))
        decoder = .byteLevel
        func id(_ value: Int?, _ field: String) throws(TokenizerError) -> Int32? {
            guard let value else { return nil }
            guard parts.tokens.indices.contains(value) else {
                throw TokenizerError(file: file, field: field, "\(value); there are \(count) tokens")
            }
            return Int32(value)
        }
        specialTokens.beginning = try id(parts.beginning, "beginning token")
        specialTokens.end = try id(parts.end, "end token")
        specialTokens.padding = try id(parts.padding, "padding token")
        specialTokens.unknown = try id(parts.unknown, "unknown token")
        setPostProcessor(parts)
    }

    private static func vocabulary(_ tokens: [[UInt8]], _ file: String) throws(TokenizerError) -> ByteVocabulary {
        // Places of texts are kept in 32 bits.
        guard tokens.reduce(0, { $0 + $1.count }) <= Limits.fileBytes else {
            throw TokenizerError(file: file, field: "tokens", "more than \(Limits.fileBytes) bytes of text")
        }
        var vocabulary = ByteVocabulary(capacity: tokens.count)
        for (id, token) in tokens.enumerated() {
            guard token.withUnsafeBufferPointer(UTF8Text.isValid) else {
                throw TokenizerError(file: file, field: "tokens[\(id)]", "is not valid UTF-8")
            }
            vocabulary.insert(token, id: Int32(id))
        }
        // A text that stands there twice has the last of its ids; the others have no text, as nothing can give them.
        _ = vocabulary.indexIDs()
        return vocabulary
    }

    private mutating func setPostProcessor(_ parts: ByteLevelParts) {
        func piece(_ wanted: Bool, _ id: Int32?) -> [PostProcessor.Piece] {
            guard wanted, let id, let text = token(of: id) else { return [] }
            return [.special([(id, text)], type: 0)]
        }
        let opening = piece(parts.addsBeginning, specialTokens.beginning), closing = piece(parts.addsEnd, specialTokens.end)
        guard !opening.isEmpty || !closing.isEmpty else { return }
        let single = opening + [.sequence(isPair: false, type: 0)] + closing
        postProcessor = .template(single: single, pair: single + opening + [.sequence(isPair: true, type: 0)] + closing)
    }
}

extension PreTokenizer {
    /// Rules whose vocabularies take a word that is a token whole, whatever the merges say.
    fileprivate static let wholeWordsFirst: Set = ["llama-bpe", "llama3", "llama-v3"]

    /// The rule that llama.cpp knows by this name; equal to the `pre_tokenizer` of the models' own tokenizer.json.
    fileprivate static func named(_ name: String, file: String) throws(TokenizerError) -> PreTokenizer {
        func cut(_ pattern: String) throws(TokenizerError) -> PreTokenizer {
            do throws(RegexParser.Failure) {
                let program = try RegexProgram(pattern)
                return .sequence([.split(program, .isolated, invert: false), .byteLevel(addPrefixSpace: false, useRegex: false)])
            } catch {
                throw TokenizerError(file: "built-in pattern", error.reason)
            }
        }
        switch name {
        case "gpt-2", "default", "mpt", "olmo", "jais", "phi-2":
            return .byteLevel(addPrefixSpace: false, useRegex: true)
        case "smollm", "starcoder", "refact", "codeshell":
            return .sequence([.digits(individual: true), .byteLevel(addPrefixSpace: false, useRegex: true)])
        case "qwen2", "deepseek-r1-qwen":
            return try cut(
                #"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"#)
        case "llama-bpe", "llama3", "llama-v3":
            return try cut(
                #"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"#)
        default:
            throw TokenizerError(
                file: file, field: "tokenizer.ggml.pre", "the rule \"\(name)\" is not known; known are gpt-2, smollm, qwen2, llama-bpe")
        }
    }
}
