/// The decoders of `tokenizer.json`; each turns a list of token texts into another, joined at the end.
indirect enum Decoder: Sendable {
    case byteLevel
    case wordPiece(prefix: [UInt8], cleanup: Bool)
    case metaspace(replacement: UInt32, dropsFirst: Bool)
    case bpe(suffix: [UInt8])
    case byteFallback
    case fuse
    case strip(UInt32, start: Int, stop: Int)
    case replace(RegexProgram, content: [UInt8])
    /// White space off both ends of each text, as Python's `str.strip` has it.
    case trim
    case ctc(pad: [UInt8], delimiter: [UInt8], cleanup: Bool)
    case sequence([Decoder])

    /// `CLIPTokenizerFast`'s: word ends become spaces.
    static let clip = Decoder.sequence([.byteLevel, .replace(.literal("</w>"), content: [32]), .trim])

    func apply(to tokens: [[UInt8]]) -> [[UInt8]] {
        switch self {
        case .byteLevel: [UTF8Text.repaired(tokens.flatMap(Self.bytes))]
        case .wordPiece(let prefix, let cleanup): Self.joinWordPieces(tokens, prefix, cleanup)
        case .metaspace(let replacement, let dropsFirst):
            tokens.enumerated().map { index, token in
                Self.mapScalars(token) { $0 == replacement ? (index == 0 && dropsFirst ? nil : 32) : $0 }
            }
        case .bpe(let suffix):
            tokens.enumerated().map { Self.replacing($1, suffix, by: $0 == tokens.count - 1 ? [] : [32]) }
        case .byteFallback: Self.joinBytes(tokens)
        case .fuse: [tokens.flatMap { $0 }]
        case .strip(let scalar, let start, let stop): tokens.map { Self.strip($0, scalar, start, stop) }
        case .replace(let program, let content): tokens.map { Self.replacing($0, program, by: content) }
        case .trim: tokens.map(Self.trimmed)
        case .ctc(let pad, let delimiter, let cleanup): Self.collapse(tokens, pad, delimiter, cleanup)
        case .sequence(let steps): steps.reduce(tokens) { $1.apply(to: $0) }
        }
    }

    /// The bytes that a byte-level token spells; any other token's own.
    private static func bytes(_ token: [UInt8]) -> [UInt8] {
        var out: [UInt8] = []
        for scalar in String(decoding: token, as: UTF8.self).unicodeScalars {
            guard let byte = ByteLevelAlphabet.byte(of: scalar.value) else { return token }
            out.append(byte)
        }
        return out
    }

    private static func mapScalars(_ token: [UInt8], _ map: (UInt32) -> UInt32?) -> [UInt8] {
        var out: [UInt8] = []
        for scalar in String(decoding: token, as: UTF8.self).unicodeScalars {
            if let new = map(scalar.value) { UTF8Text.append(new, to: &out) }
        }
        return out
    }

    private static func replacing(_ token: [UInt8], _ old: [UInt8], by new: [UInt8]) -> [UInt8] {
        guard !old.isEmpty else { return token }
        var out: [UInt8] = []
        var index = 0
        while index < token.count {
            if token[index...].starts(with: old) {
                out += new
                index += old.count
            } else {
                out.append(token[index])
                index += 1
            }
        }
        return out
    }

    private static func replacing(_ token: [UInt8], _ program: RegexProgram, by content: [UInt8]) -> [UInt8] {
        var out: [UInt8] = []
        var last = 0
        for match in token.withUnsafeBufferPointer({ RegexMatcher.matches(program, in: $0) }) {
            out += token[last..<match.lowerBound] + content
            last = match.upperBound
        }
        return out + token[last...]
    }

    private static let englishCleanup: [([UInt8], [UInt8])] = [
        (" .", "."), (" ?", "?"), (" !", "!"), (" ,", ","), (" ' ", "'"), (" n't", "n't"), (" 'm", "'m"), (" do not", " don't"),
        (" 's", "'s"),
        (" 've", "'ve"), (" 're", "'re"),
    ].map { (Array($0.0.utf8), Array($0.1.utf8)) }

    private static func cleaned(_ token: [UInt8]) -> [UInt8] {
        englishCleanup.reduce(token) { replacing($0, $1.0, by: $1.1) }
    }

    private static func joinWordPieces(_ tokens: [[UInt8]], _ prefix: [UInt8], _ cleanup: Bool) -> [[UInt8]] {
        tokens.enumerated().map { index, token in
            var text = token
            if index > 0 { text = token.starts(with: prefix) ? Array(token.dropFirst(prefix.count)) : [32] + token }
            return cleanup ? cleaned(text) : text
        }
    }

    private static func joinBytes(_ tokens: [[UInt8]]) -> [[UInt8]] {
        var out: [[UInt8]] = []
        var pending: [UInt8] = []
        func flush() {
            guard !pending.isEmpty else { return }
            if pending.withUnsafeBufferPointer(UTF8Text.isValid) {
                out.append(pending)
            } else {
                out += Array(repeating: [0xEF, 0xBF, 0xBD], count: pending.count)
            }
            pending = []
        }
        for token in tokens {
            if token.count == 6, token.starts(with: Array("<0x".utf8)), token[5] == UInt8(ascii: ">"),
                let high = JSONParser.hexadecimal(token[3]), let low = JSONParser.hexadecimal(token[4])
            {
                pending.append(high << 4 | low)
            } else {
                flush()
                out.append(token)
            }
        }
        flush()
        return out
    }

    private static func strip(_ token: [UInt8], _ scalar: UInt32, _ start: Int, _ stop: Int) -> [UInt8] {
        let scalars = String(decoding: token, as: UTF8.self).unicodeScalars.map(\.value)
        let leading = scalars.prefix(start).prefix { $0 == scalar }.count
        let trailing = scalars.dropFirst(leading).suffix(stop).reversed().prefix { $0 == scalar }.count
        var out: [UInt8] = []
        for kept in scalars.dropFirst(leading).dropLast(trailing) { UTF8Text.append(kept, to: &out) }
        return out
    }

    private static func trimmed(_ token: [UInt8]) -> [UInt8] {
        func isSpace(_ scalar: Unicode.Scalar) -> Bool {
            UnicodeProperties.isWhitespace(scalar.value) || (0x1C...0x1F).contains(scalar.value)
        }
        let scalars = String(decoding: token, as: UTF8.self).unicodeScalars
        let kept = scalars.drop(while: isSpace).reversed().drop(while: isSpace).reversed()
        return Array(String(String.UnicodeScalarView(kept)).utf8)
    }

    private static func collapse(_ tokens: [[UInt8]], _ pad: [UInt8], _ delimiter: [UInt8], _ cleanup: Bool) -> [[UInt8]] {
        var out: [[UInt8]] = []
        for (index, token) in tokens.enumerated() where index == 0 || token != tokens[index - 1] {
            var text = replacing(token, pad, by: [])
            if cleanup { text = replacing(cleaned(text), delimiter, by: [32]) }
            if !text.isEmpty { out.append(text) }
        }
        return out
    }
}
