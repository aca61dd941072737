/// A token as a model finds it, in byte positions of the piece it was given.
struct ModelToken {
    var id: Int32
    var lower: Int
    var upper: Int
    /// The token's text is the piece's own, not the vocabulary's (unknown text of Unigram).
    var showsText = false
}

/// What turns a pre-tokenized piece into tokens.
enum Model: Sendable {
    case bpe(BPEModel)
    case wordPiece(WordPieceModel)
    case unigram(UnigramModel)
    case wordLevel(ByteVocabulary, unknown: Int32)

    struct Workspace {
        var bpe = BPEModel.Workspace()
        var unigram = UnigramModel.Workspace()
    }

    var vocabulary: ByteVocabulary {
        switch self {
        case .bpe(let model): model.vocabulary
        case .wordPiece(let model): model.vocabulary
        case .unigram(let model): model.vocabulary
        case .wordLevel(let vocabulary, _): vocabulary
        }
    }

    /// The number of entries as the reference counts them, from which ids of further added tokens go on.
    var size: Int {
        if case .unigram(let model) = self { return model.size }
        return vocabulary.count
    }

    /// The text of an id. Of Unigram's repeated pieces every id has one.
    func text(of id: Int32) -> ArraySlice<UInt8>? {
        if case .unigram(let model) = self { return model.text(of: id) }
        return vocabulary.bytes(of: id)
    }

    var unknownID: Int32 {
        switch self {
        case .bpe(let model): model.options.unknown.map { model.vocabulary.id(of: $0) } ?? -1
        case .wordPiece(let model): model.unknownID
        case .unigram(let model): model.unknownID
        case .wordLevel(_, let unknown): unknown
        }
    }

    /// Appends the piece's tokens. A model that needs the byte-level spelling leaves it in `piece`, to which positions refer.
    func tokenize(_ piece: inout AlignedText, _ work: inout Workspace, into tokens: inout [ModelToken]) {
        switch self {
        case .bpe(let model): model.tokenize(&piece, &work.bpe, into: &tokens)
        case .wordPiece(let model): model.tokenize(&piece, into: &tokens)
        case .unigram(let model): model.tokenize(&piece, &work.unigram, into: &tokens)
        case .wordLevel(let vocabulary, let unknown):
            piece.spellByteLevel()
            let id = vocabulary.id(of: piece.slice)
            if id >= 0 || unknown >= 0 { tokens.append(ModelToken(id: id >= 0 ? id : unknown, lower: 0, upper: piece.count)) }
        }
    }
}

/// SentencePiece's spelling of bytes that have no piece of their own.
enum ByteFallback {
    static func spelling(_ byte: UInt8) -> [UInt8] {
        let digits = Array("0123456789ABCDEF".utf8)
        return Array("<0x".utf8) + [digits[Int(byte >> 4)], digits[Int(byte & 15)]] + Array(">".utf8)
    }

    static func ids(in vocabulary: ByteVocabulary) -> [Int32] { (0...255).map { vocabulary.id(of: spelling($0)) } }
}
