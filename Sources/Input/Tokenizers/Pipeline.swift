/// Everything of a `tokenizer.json` between text and tokens.
struct Pipeline: Sendable {
    var normalizer: Normalizer?
    var preTokenizer: PreTokenizer?
    var model: Model
    var added: AddedVocabulary

    /// Tokens of one text without special tokens, with ranges in Unicode scalars.
    func encode(_ utf8: [UInt8], type: Int32) -> Encoding {
        let original = AlignedText(utf8)
        let offsets = ScalarOffsets(utf8)
        var encoding = Encoding()
        var work = Model.Workspace()
        var tokens: [ModelToken] = []
        for (part, id) in added.splitRaw(original) {
            if let id {
                append(part, id, offsets, type, to: &encoding)
                continue
            }
            var text = part
            normalizer?.apply(to: &text)
            for (piece, id) in added.splitNormalized(text) {
                if let id {
                    append(piece, id, offsets, type, to: &encoding)
                } else {
                    encode(piece, &work, &tokens, offsets, type, to: &encoding)
                }
            }
        }
        return encoding
    }

    private func encode(
        _ text: AlignedText, _ work: inout Model.Workspace, _ tokens: inout [ModelToken], _ offsets: ScalarOffsets, _ type: Int32,
        to encoding: inout Encoding
    ) {
        guard !text.isEmpty else { return }
        for var piece in preTokenizer?.apply(to: [text]) ?? [text] {
            tokens.removeAll(keepingCapacity: true)
            model.tokenize(&piece, &work, into: &tokens)
            for token in tokens {
                let range = piece.original(token.lower, token.upper) ?? token.lower..<max(token.lower, token.upper)
                let text: String
                if token.showsText, token.upper <= piece.count {
                    text = String(
                        decoding: piece.slice[piece.range.lowerBound + token.lower..<piece.range.lowerBound + token.upper], as: UTF8.self)
                } else {
                    text = String(decoding: model.text(of: token.id) ?? [], as: UTF8.self)
                }
                encoding.append(id: token.id, token: text, offsets: offsets.scalars(range), type: type, special: false)
            }
        }
    }

    private func append(_ piece: AlignedText, _ id: Int32, _ offsets: ScalarOffsets, _ type: Int32, to encoding: inout Encoding) {
        let range = piece.original(0, piece.count) ?? piece.origin
        encoding.append(
            id: id, token: String(decoding: piece.slice, as: UTF8.self), offsets: offsets.scalars(range), type: type, special: false)
    }

    func text(of id: Int32) -> ArraySlice<UInt8>? { added.tokens[id].map { $0.content[...] } ?? model.text(of: id) }

    func id(of token: [UInt8]) -> Int32? {
        if let id = added.ids[token] { return id }
        let id = model.vocabulary.id(of: token)
        return id < 0 ? nil : id
    }

    var vocabularySize: Int { model.vocabulary.count + added.ids.keys.count { model.vocabulary.id(of: $0) < 0 } }
}

/// From byte ranges of a text to ranges of its Unicode scalars, as the reference converts them.
struct ScalarOffsets {
    private let count: Int
    /// Index of the scalar that each byte belongs to; nil for ASCII, where it is the byte's own.
    private let indices: [UInt32]?

    init(_ utf8: [UInt8]) {
        count = utf8.count
        if utf8.withUnsafeBufferPointer(UTF8Text.isASCII) {
            indices = nil
        } else {
            var table = [UInt32](repeating: 0, count: utf8.count)
            var index: UInt32 = 0
            for (position, byte) in utf8.enumerated() {
                if position > 0, byte & 0xC0 != 0x80 { index += 1 }
                table[position] = index
            }
            indices = table
        }
    }

    /// Index of the scalar at a byte; of the end, their number.
    func scalar(_ byte: Int) -> Int {
        guard let indices else { return byte }
        return byte < count ? Int(indices[byte]) : Int(indices[count - 1]) + 1
    }

    func scalars(_ bytes: Range<Int>) -> Range<Int> {
        guard bytes.lowerBound < count, let indices else { return bytes }
        let lower = Int(indices[bytes.lowerBound])
        if bytes.upperBound < count { return lower..<max(lower, Int(indices[bytes.upperBound])) }
        let last = bytes.upperBound - 1
        return lower..<max(lower, (last < count ? Int(indices[last]) : lower + 1) + 1)
    }
}
