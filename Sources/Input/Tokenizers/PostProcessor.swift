/// The post-processors of `tokenizer.json`: special tokens around the sequences, and offsets without spaces.
indirect enum PostProcessor: Sendable {
    enum Piece: Sendable {
        case sequence(isPair: Bool, type: Int32)
        case special([(id: Int32, token: String)], type: Int32)
    }

    case template(single: [Piece], pair: [Piece])
    case bert(separator: (String, Int32), classifier: (String, Int32))
    case roberta(separator: (String, Int32), classifier: (String, Int32), trimsOffsets: Bool, prefixSpace: Bool)
    case byteLevel(trimsOffsets: Bool, prefixSpace: Bool)
    case sequence([PostProcessor])

    /// Number of tokens it puts in.
    func added(isPair: Bool) -> Int {
        switch self {
        case .template(let single, let pair):
            (isPair ? pair : single).reduce(0) { if case .special(let tokens, _) = $1 { $0 + tokens.count } else { $0 } }
        case .bert: isPair ? 3 : 2
        case .roberta: isPair ? 4 : 2
        case .byteLevel: 0
        case .sequence(let steps): steps.reduce(0) { $0 + $1.added(isPair: isPair) }
        }
    }

    /// Processes one or two sequences (after a template perhaps more parts), which the caller then joins.
    func apply(to parts: [Encoding], addSpecialTokens: Bool) -> [Encoding] {
        switch self {
        case .template(let single, let pair): Self.fill(parts.count == 1 ? single : pair, parts, addSpecialTokens)
        case .bert(let separator, let classifier):
            addSpecialTokens
                ? parts.enumerated().map { index, part in
                    Self.wrap(part, index == 0 ? classifier : nil, separator, type: index == 0 ? 0 : 1)
                } : parts
        case .roberta(let separator, let classifier, let trims, let prefixSpace):
            (trims ? parts.map { Self.trimmed($0, prefixSpace) } : parts).enumerated().map { index, part in
                var part = part
                part.setType(0)
                return addSpecialTokens ? Self.wrap(part, index == 0 ? classifier : separator, separator, type: 0) : part
            }
        case .byteLevel(let trims, let prefixSpace): trims ? parts.map { Self.trimmed($0, prefixSpace) } : parts
        case .sequence(let steps): steps.reduce(parts) { $1.apply(to: $0, addSpecialTokens: addSpecialTokens) }
        }
    }

    private static func fill(_ template: [Piece], _ parts: [Encoding], _ addSpecialTokens: Bool) -> [Encoding] {
        template.compactMap { piece in
            switch piece {
            case .sequence(let isPair, let type):
                guard var part = isPair ? parts.dropFirst().first : parts.first else { return nil }
                part.setType(type)
                return part
            case .special(let tokens, let type):
                guard addSpecialTokens else { return nil }
                var part = Encoding()
                for token in tokens { part.append(id: token.id, token: token.token, offsets: 0..<0, type: type, special: true) }
                return part
            }
        }
    }

    private static func wrap(_ part: Encoding, _ before: (String, Int32)?, _ after: (String, Int32), type: Int32) -> Encoding {
        var out = Encoding()
        if let before { out.append(id: before.1, token: before.0, offsets: 0..<0, type: 0, special: true) }
        var inner = part
        inner.specialTokensMask = Array(repeating: 0, count: part.count)
        inner.attentionMask = Array(repeating: 1, count: part.count)
        out.append(inner)
        out.append(id: after.1, token: after.0, offsets: 0..<0, type: type, special: true)
        return out
    }

    /// Offsets without the spaces that byte-level tokens carry at their ends.
    private static func trimmed(_ part: Encoding, _ prefixSpace: Bool) -> Encoding {
        var out = part
        for (index, token) in part.tokens.enumerated() {
            let isSpace = { (scalar: Unicode.Scalar) in
                scalar.value == ByteLevelAlphabet.scalars[32] || UnicodeProperties.isWhitespace(scalar.value)
            }
            var leading = token.unicodeScalars.prefix(while: isSpace).count
            let trailing = token.unicodeScalars.reversed().prefix(while: isSpace).count
            guard leading > 0 || trailing > 0 else { continue }
            var (lower, upper) = (out.offsets[index].lowerBound, out.offsets[index].upperBound)
            if leading > 0 {
                // A single space at the start is the one that was put there.
                if index == 0 || lower == 0, prefixSpace, leading == 1 { leading = 0 }
                lower = min(lower + leading, upper)
            }
            if trailing > 0, upper >= trailing { upper = max(upper - trailing, lower) }
            out.offsets[index] = lower..<upper
        }
        return out
    }
}
