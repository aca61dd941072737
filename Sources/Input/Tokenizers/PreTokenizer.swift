/// The pre-tokenizers of `tokenizer.json`; each splits the pieces it is given, some also rewrite them.
indirect enum PreTokenizer: Sendable {
    enum PrependScheme: String, Sendable { case first, never, always }

    case byteLevel(addPrefixSpace: Bool, useRegex: Bool)
    case whitespace
    case whitespaceSplit
    case bert
    case metaspace(replacement: UInt32, scheme: PrependScheme, split: Bool)
    case punctuation(SplitBehavior)
    case digits(individual: Bool)
    case delimiter(UInt32)
    case split(RegexProgram, SplitBehavior, invert: Bool)
    case fixedLength(Int)
    case sequence([PreTokenizer])

    /// GPT-2's pattern; what does not compile cannot be shipped, so the fallback is never met.
    private static let gpt2 =
        (try? RegexProgram(#"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+"#)) ?? .literal("")

    /// Splits every piece, leaving out empty parts.
    func apply(to pieces: [AlignedText]) -> [AlignedText] {
        if case .sequence(let steps) = self { return steps.reduce(pieces) { $1.apply(to: $0) } }
        var out: [AlignedText] = []
        out.reserveCapacity(pieces.count * 4)
        for var piece in pieces {
            piece.spellByteLevel()
            split(piece, into: &out)
        }
        if case .bert = self {
            let words = out
            out.removeAll(keepingCapacity: true)
            for word in words { Self.cut(word, .isolated, into: &out) { UnicodeProperties.has($0, UnicodeProperties.punctuation) } }
        }
        return out
    }

    private func split(_ original: AlignedText, into out: inout [AlignedText]) {
        var piece = original
        switch self {
        case .byteLevel(let addPrefixSpace, let useRegex):
            if addPrefixSpace, piece.slice.first != 32 { piece.prepend([32]) }
            piece.isByteLevel = true
            if useRegex {
                Self.cut(piece, .isolated, piece.withBytes { RegexMatcher.matches(Self.gpt2, in: $0) }, into: &out)
            } else if !piece.isEmpty {
                out.append(piece)
            }
        case .whitespace: Self.cutWords(piece, into: &out)
        case .whitespaceSplit, .bert: Self.cut(piece, .removed, into: &out, where: UnicodeProperties.isWhitespace)
        case .metaspace(let replacement, let scheme, let split):
            Self.metaspace(&piece, replacement, scheme)
            if split { Self.cut(piece, .mergedWithNext, into: &out) { $0 == replacement } } else if !piece.isEmpty { out.append(piece) }
        case .punctuation(let behavior): Self.cut(piece, behavior, into: &out) { UnicodeProperties.has($0, UnicodeProperties.punctuation) }
        case .digits(let individual):
            Self.cut(piece, individual ? .isolated : .contiguous, into: &out) { UnicodeProperties.has($0, UnicodeProperties.numeric) }
        case .delimiter(let delimiter): Self.cut(piece, .removed, into: &out) { $0 == delimiter }
        case .split(let program, let behavior, let invert):
            Self.cut(piece, behavior, invert: invert, piece.withBytes { RegexMatcher.matches(program, in: $0) }, into: &out)
        case .fixedLength(let length): Self.cut(piece, every: length, into: &out)
        case .sequence: break
        }
    }

    private static func cut(
        _ piece: AlignedText, _ behavior: SplitBehavior, invert: Bool = false, _ matches: [Range<Int>], into out: inout [AlignedText]
    ) {
        for part in behavior.parts(of: piece.count, matches: matches, invert: invert) where !part.isEmpty {
            out.append(piece.sliced(part.lowerBound, part.upperBound))
        }
    }

    /// Splits at every scalar for which `isDelimiter` holds.
    @inline(__always)
    private static func cut(
        _ piece: AlignedText, _ behavior: SplitBehavior, into out: inout [AlignedText], where isDelimiter: (UInt32) -> Bool
    ) {
        let matches = piece.withBytes { bytes in
            var matches: [Range<Int>] = []
            var index = 0
            while index < bytes.count {
                let (scalar, length) = UTF8Text.decode(bytes, at: index, end: bytes.count)
                if isDelimiter(scalar) { matches.append(index..<index + length) }
                index += length
            }
            return matches
        }
        cut(piece, behavior, matches, into: &out)
    }

    /// `\w+|[^\w\s]+` of the regex crate, what is between removed.
    private static func cutWords(_ piece: AlignedText, into out: inout [AlignedText]) {
        let words = piece.withBytes { bytes in
            var words: [Range<Int>] = []
            var start = 0
            var last = 0
            var index = 0
            while index < bytes.count {
                let (scalar, length) = UTF8Text.decode(bytes, at: index, end: bytes.count)
                let kind = UnicodeProperties.has(scalar, UnicodeProperties.regexWord) ? 1 : UnicodeProperties.isWhitespace(scalar) ? 0 : 2
                if kind != last {
                    if last != 0 { words.append(start..<index) }
                    start = index
                    last = kind
                }
                index += length
            }
            if last != 0 { words.append(start..<index) }
            return words
        }
        for word in words { out.append(piece.sliced(word.lowerBound, word.upperBound)) }
    }

    private static func metaspace(_ piece: inout AlignedText, _ replacement: UInt32, _ scheme: PrependScheme) {
        var content: [UInt8] = []
        UTF8Text.append(replacement, to: &content)
        let spaces = piece.withBytes { bytes in bytes.indices.filter { bytes[$0] == 32 }.map { $0..<$0 + 1 } }
        piece.replace(spaces, by: content)
        let starts = piece.slice.starts(with: content)
        if !starts, scheme == .always || scheme == .first && piece.origin.lowerBound == 0 { piece.prepend([replacement]) }
    }

    private static func cut(_ piece: AlignedText, every length: Int, into out: inout [AlignedText]) {
        let starts = piece.withBytes { bytes in bytes.indices.filter { bytes[$0] & 0xC0 != 0x80 } }
        for first in stride(from: 0, to: starts.count, by: length) {
            out.append(piece.sliced(starts[first], first + length < starts.count ? starts[first + length] : piece.count))
        }
    }
}
