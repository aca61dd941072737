#if canImport(FoundationEssentials)
    import FoundationEssentials
#else
    import Foundation
#endif

/// Turns text into the token ids of a model's vocabulary and back, equal to the Python `tokenizers` package token for
/// token (and to `sentencepiece` for its `.model` files).
///
/// A value of this type is immutable and may be used from any number of tasks at once.
public struct Tokenizer: Sendable {
    enum Engine: Sendable {
        case pipeline(Pipeline)
        case sentencePiece(SentencePieceModel)
    }

    /// What to fill a batch's shorter encodings to.
    public enum PaddingPolicy: Sendable, Equatable {
        /// What the file asks for; nothing where it asks for nothing.
        case asConfigured
        case none
        /// The longest of the batch.
        case longest
        /// A number of tokens; longer encodings stay as they are.
        case fixed(Int)
    }

    /// Special tokens known by role, where the files tell them.
    public struct SpecialTokens: Sendable, Equatable {
        public internal(set) var beginning: Int32?
        public internal(set) var end: Int32?
        public internal(set) var padding: Int32?
        public internal(set) var unknown: Int32?
        public internal(set) var separator: Int32?
        public internal(set) var classifier: Int32?
        public internal(set) var mask: Int32?
    }

    var engine: Engine
    var postProcessor: PostProcessor?
    var decoder: Decoder?
    var truncation: Truncation?
    var padding: Padding?
    /// Beginning, end, padding and other tokens by role.
    public internal(set) var specialTokens = SpecialTokens()
    /// The longest input the model takes, as `tokenizer_config.json` states it.
    public internal(set) var modelMaximumLength: Int?

    init(engine: Engine) { self.engine = engine }

    /// Encodes a text, or a text and its pair.
    ///
    /// - Parameters:
    ///   - addSpecialTokens: whether the post-processor puts in its special tokens.
    ///   - maxLength: cuts to that many tokens, special ones included, in place of the file's own truncation: from the
    ///     right, from the longer of two texts. What is cut off is not kept.
    /// - Returns: the encoding, padded where the file asks for it. Texts beyond 2 GiB are cut.
    public func encode(_ text: String, pair: String? = nil, addSpecialTokens: Bool = true, maxLength: Int? = nil) -> Encoding {
        var out = [unpadded(Array(text.utf8), pair.map { Array($0.utf8) }, addSpecialTokens, maxLength)]
        padding?.apply(to: &out)
        return out[0]
    }

    /// Encodes raw bytes. What is not valid UTF-8 reads as U+FFFD, to whose scalars offsets then refer.
    public func encode(utf8: [UInt8], addSpecialTokens: Bool = true, maxLength: Int? = nil) -> Encoding {
        var out = [unpadded(UTF8Text.repaired(utf8), nil, addSpecialTokens, maxLength)]
        padding?.apply(to: &out)
        return out[0]
    }

    /// Encodes several texts and pads them alike.
    public func encodeBatch(
        _ texts: [String], addSpecialTokens: Bool = true, maxLength: Int? = nil, padTo policy: PaddingPolicy = .asConfigured
    ) -> [Encoding] {
        var out = texts.map { unpadded(Array($0.utf8), nil, addSpecialTokens, maxLength) }
        padding(policy)?.apply(to: &out)
        return out
    }

    private func padding(_ policy: PaddingPolicy) -> Padding? {
        var filling = padding ?? Padding()
        if padding == nil, let id = specialTokens.padding {
            filling.id = id
            filling.token = token(of: id) ?? ""
        }
        switch policy {
        case .asConfigured: return padding
        case .none: return nil
        case .longest: filling.fixed = nil
        case .fixed(let length): filling.fixed = max(0, length)
        }
        filling.multiple = 0
        return filling
    }

    private func unpadded(_ text: [UInt8], _ pair: [UInt8]?, _ addSpecialTokens: Bool, _ maxLength: Int?) -> Encoding {
        var first = tokens(text, type: 0)
        var second = pair.map { tokens($0, type: 1) }
        if let cut = maxLength.map({ Truncation(maximum: max(0, $0)) }) ?? truncation {
            cut.apply(to: &first, &second, added: addSpecialTokens ? postProcessor?.added(isPair: second != nil) ?? 0 : 0)
        }
        let parts = second.map { [first, $0] } ?? [first]
        let processed = postProcessor?.apply(to: parts, addSpecialTokens: addSpecialTokens) ?? parts
        var out = processed.first ?? Encoding()
        for part in processed.dropFirst() { out.append(part) }
        return out
    }

    private func tokens(_ text: [UInt8], type: Int32) -> Encoding {
        let bounded = text.count <= Limits.textBytes ? text : UTF8Text.repaired(Array(text.prefix(Limits.textBytes)))
        switch engine {
        case .pipeline(let pipeline): return pipeline.encode(bounded, type: type)
        case .sentencePiece(let model): return model.encode(bounded, type: type)
        }
    }

    /// The text of some ids. Ids without a token are left out; bytes that form no UTF-8 read as U+FFFD.
    public func decode(_ ids: [Int32], skipSpecialTokens: Bool = true) -> String {
        switch engine {
        case .sentencePiece(let model): return model.decode(ids, skipSpecialTokens: skipSpecialTokens)
        case .pipeline(let pipeline):
            let tokens = ids.compactMap { pipeline.text(of: $0).map(Array.init) }
                .filter { !skipSpecialTokens || !pipeline.added.special.contains($0) }
            let parts = decoder?.apply(to: tokens) ?? [Array(tokens.joined(separator: [32]))]
            return String(decoding: parts.joined(), as: UTF8.self)
        }
    }

    /// The id of a token as the vocabulary spells it.
    public func id(of token: String) -> Int32? {
        switch engine {
        case .pipeline(let pipeline): pipeline.id(of: Array(token.utf8))
        case .sentencePiece(let model): model.id(of: Array(token.utf8))
        }
    }

    /// The token of an id as the vocabulary spells it.
    public func token(of id: Int32) -> String? {
        switch engine {
        case .pipeline(let pipeline): pipeline.text(of: id).map { String(decoding: $0, as: UTF8.self) }
        case .sentencePiece(let model): model.text(of: id).map { String(decoding: $0, as: UTF8.self) }
        }
    }

    /// Number of different tokens, added ones included.
    public var vocabularySize: Int {
        switch engine {
        case .pipeline(let pipeline): pipeline.vocabularySize
        case .sentencePiece(let model): model.size
        }
    }
}
