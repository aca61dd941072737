/// A token matched in the text before the model sees it.
struct AddedToken: Sendable, Hashable {
    var content: [UInt8]
    var isSingleWord = false
    var stripsLeft = false
    var stripsRight = false
    var isNormalized = true
    var isSpecial = false
}

/// Added and special tokens, matched leftmost-longest: some in the raw text, some after normalisation.
struct AddedVocabulary: Sendable {
    private(set) var ids: [[UInt8]: Int32] = [:]
    private(set) var tokens: [Int32: AddedToken] = [:]
    private(set) var special: Set<[UInt8]> = []
    private var raw: ByteTrie
    private var normalized: ByteTrie
    private(set) var hasRaw = false
    private(set) var hasNormalized = false

    /// Ids come from the model's vocabulary where it has the token and follow it otherwise, as in the reference,
    /// which does not heed the ids that the file gives.
    init(_ added: [AddedToken], model: Model, normalizer: Normalizer?) {
        raw = ByteTrie(capacity: added.count * 8)
        normalized = ByteTrie(capacity: added.count * 8)
        for token in added where token.isSpecial && !token.content.isEmpty { special.insert(token.content) }
        var existing: Set<AddedToken> = []
        var next = Int32(model.size)
        var ordered: [AddedToken] = []
        for token in added where !token.content.isEmpty && existing.insert(token).inserted {
            var id = ids[token.content] ?? model.vocabulary.id(of: token.content)
            if id < 0 {
                id = next
                next += 1
            }
            ids[token.content] = id
            tokens[id] = token
            ordered.append(token)
        }
        // Special tokens come first, so they win over plain ones of the same text.
        for token in ordered.filter({ special.contains($0.content) }) + ordered.filter({ !special.contains($0.content) }) {
            insert(token, normalizer)
        }
    }

    private mutating func insert(_ token: AddedToken, _ normalizer: Normalizer?) {
        let id = ids[token.content] ?? 0
        if token.isNormalized {
            var text = AlignedText(token.content)
            normalizer?.apply(to: &text)
            hasNormalized = true
            if normalized.node(after: Array(text.slice)).map({ normalized.value(at: $0) < 0 }) ?? true {
                normalized.insert(text.slice, value: id)
            }
        } else {
            hasRaw = true
            if raw.node(after: token.content).map({ raw.value(at: $0) < 0 }) ?? true { raw.insert(token.content, value: id) }
        }
    }

    func splitRaw(_ text: AlignedText) -> [(text: AlignedText, id: Int32?)] { hasRaw ? split(text, raw) : [(text, nil)] }

    func splitNormalized(_ text: AlignedText) -> [(text: AlignedText, id: Int32?)] {
        hasNormalized ? split(text, normalized) : [(text, nil)]
    }

    private func split(_ text: AlignedText, _ trie: ByteTrie) -> [(text: AlignedText, id: Int32?)] {
        var parts: [(text: AlignedText, id: Int32?)] = []
        var covered = 0
        text.withBytes { bytes in
            var index = 0
            while index < bytes.count {
                guard let match = trie.longest(bytes, from: index, end: bytes.count) else {
                    index += 1
                    continue
                }
                let bounds = match.end
                if let (start, stop) = bound(match.value, index, bounds, covered, bytes) {
                    if covered < start { parts.append((text.sliced(covered, start), nil)) }
                    parts.append((text.sliced(start, stop), match.value))
                    covered = stop
                }
                index = bounds
            }
        }
        if covered < text.count { parts.append(covered == 0 ? (text, nil) : (text.sliced(covered, text.count), nil)) }
        return parts
    }

    /// What a match covers once its token's rules are applied; nil when they forbid it.
    private func bound(
        _ id: Int32, _ start: Int, _ end: Int, _ covered: Int, _ bytes: UnsafeBufferPointer<UInt8>
    ) -> (start: Int, stop: Int)? {
        guard let token = tokens[id] else { return nil }
        if token.isSingleWord {
            guard !isWord(Self.scalarBefore(start, bytes)), !isWord(Self.scalarAfter(end, bytes)?.scalar) else { return nil }
        }
        var start = start
        var stop = end
        if token.stripsLeft {
            var left = start
            while let scalar = Self.scalarBefore(left, bytes), UnicodeProperties.isWhitespace(scalar) { left -= UTF8Text.width(scalar) }
            start = max(left, covered)
        }
        if token.stripsRight {
            while let (scalar, length) = Self.scalarAfter(stop, bytes), UnicodeProperties.isWhitespace(scalar) { stop += length }
        }
        return (start, max(start, stop))
    }

    private func isWord(_ scalar: UInt32?) -> Bool { scalar.map { UnicodeProperties.has($0, UnicodeProperties.regexWord) } ?? false }

    private static func scalarBefore(_ position: Int, _ bytes: UnsafeBufferPointer<UInt8>) -> UInt32? {
        guard position > 0 else { return nil }
        var start = position - 1
        while start > 0, bytes[start] & 0xC0 == 0x80 { start -= 1 }
        return UTF8Text.decode(bytes, at: start, end: bytes.count).scalar
    }

    private static func scalarAfter(_ position: Int, _ bytes: UnsafeBufferPointer<UInt8>) -> (scalar: UInt32, length: Int)? {
        position < bytes.count ? UTF8Text.decode(bytes, at: position, end: bytes.count) : nil
    }
}
