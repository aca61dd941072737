/// A SentencePiece `.model` file (protocol buffers, `sentencepiece_model.proto`), encoding as the `sentencepiece` package
/// does: Unigram with its optimised Viterbi in single precision, or BPE by piece scores.
struct SentencePieceModel: Sendable {
    enum PieceType: UInt64, Sendable { case normal = 1, unknown, control, userDefined, unused, byte }

    struct Specification: Sendable {
        var isBPE = false
        var byteFallback = false
        var spaceIsSuffix = false
        var unknownSurface: [UInt8] = Array(" \u{2047} ".utf8)
        var beginning: Int32 = 1
        var end: Int32 = 2
        var padding: Int32 = -1
    }

    private(set) var pieces: [[UInt8]] = []
    private(set) var scores: [Float] = []
    private(set) var types: [PieceType] = []
    private(set) var specification = Specification()
    private(set) var normalizer = SentencePieceNormalizer()
    private var denormalizer: SentencePieceNormalizer?
    /// Pieces that text may become: normal, user-defined and unused ones.
    private(set) var textual: ByteVocabulary
    /// Control, unknown and byte pieces.
    private var reserved: [[UInt8]: Int32] = [:]
    private(set) var trie: ByteTrie
    private(set) var userDefined: ByteTrie?
    private(set) var unknownID: Int32 = -1
    private(set) var minimumScore = Float.greatestFiniteMagnitude
    private(set) var maximumScore = Float.leastNormalMagnitude
    private var fallbackIDs = [Int32](repeating: -1, count: 256)

    var size: Int { pieces.count }

    init(_ bytes: [UInt8], file: String) throws(TokenizerError) {
        textual = ByteVocabulary(capacity: bytes.count / 20)
        trie = ByteTrie(capacity: bytes.count / 8)
        guard bytes.count <= Limits.fileBytes else {
            throw TokenizerError(file: file, "\(bytes.count) bytes; at most \(Limits.fileBytes) are read")
        }
        do throws(ProtobufReader.Malformed) {
            try read(bytes)
        } catch {
            throw TokenizerError(file: file, "not a SentencePiece model: malformed at byte \(error.offset)")
        }
        try index(file)
    }

    private mutating func read(_ bytes: [UInt8]) throws(ProtobufReader.Malformed) {
        var reader = ProtobufReader(bytes, 0..<bytes.count)
        while let (field, value) = try reader.next() {
            guard case .bytes(let range) = value else { continue }
            switch field {
            case 1: try readPiece(bytes, range)
            case 2: try readTrainer(bytes, range)
            case 3: try normalizer.read(bytes, range)
            case 5:
                var specification = SentencePieceNormalizer()
                try specification.read(bytes, range)
                denormalizer = specification
            default: break
            }
        }
    }

    private mutating func readPiece(_ bytes: [UInt8], _ range: Range<Int>) throws(ProtobufReader.Malformed) {
        guard pieces.count < Limits.vocabularyEntries else { throw .init(offset: range.lowerBound) }
        var text: [UInt8] = []
        var score: Float = 0
        var type = PieceType.normal
        var reader = ProtobufReader(bytes, range)
        while let (field, value) = try reader.next() {
            switch (field, value) {
            case (1, .bytes(let range)): text = Array(bytes[range])
            case (2, .fixed32(let bits)): score = Float(bitPattern: bits)
            case (3, .varint(let raw)):
                guard let known = PieceType(rawValue: raw) else { throw .init(offset: range.lowerBound) }
                type = known
            default: break
            }
        }
        pieces.append(text)
        scores.append(score)
        types.append(type)
    }

    private mutating func readTrainer(_ bytes: [UInt8], _ range: Range<Int>) throws(ProtobufReader.Malformed) {
        var reader = ProtobufReader(bytes, range)
        func id(_ raw: UInt64) -> Int32 { Int32(truncatingIfNeeded: raw) }
        while let (field, value) = try reader.next() {
            switch (field, value) {
            case (3, .varint(let raw)):
                guard raw == 1 || raw == 2 else { throw .init(offset: range.lowerBound) }
                specification.isBPE = raw == 2
            case (24, .varint(let raw)): specification.spaceIsSuffix = raw != 0
            case (35, .varint(let raw)): specification.byteFallback = raw != 0
            case (41, .varint(let raw)): specification.beginning = id(raw)
            case (42, .varint(let raw)): specification.end = id(raw)
            case (43, .varint(let raw)): specification.padding = id(raw)
            case (44, .bytes(let range)): specification.unknownSurface = Array(bytes[range])
            default: break
            }
        }
    }

    private mutating func index(_ file: String) throws(TokenizerError) {
        func failure(_ id: Int, _ reason: String) -> TokenizerError { TokenizerError(file: file, field: "pieces[\(id)]", reason) }
        var symbols: [[UInt8]] = []
        for (id, piece) in pieces.enumerated() {
            guard !piece.isEmpty, piece.withUnsafeBufferPointer(UTF8Text.isValid) else { throw failure(id, "is empty or not valid UTF-8") }
            guard scores[id].isFinite else { throw failure(id, "its score is not finite") }
            switch types[id] {
            case .normal, .userDefined, .unused:
                guard textual.id(of: piece) < 0 else { throw failure(id, "\(String(decoding: piece, as: UTF8.self)) is already defined") }
                textual.insert(piece, id: Int32(id))
                trie.insert(piece, value: Int32(id))
                if types[id] == .userDefined { symbols.append(piece) }
            case .unknown, .control, .byte:
                guard reserved.updateValue(Int32(id), forKey: piece) == nil else {
                    throw failure(id, "\(String(decoding: piece, as: UTF8.self)) is already defined")
                }
                if types[id] == .unknown {
                    guard unknownID < 0 else { throw failure(id, "a second unknown piece") }
                    unknownID = Int32(id)
                }
            }
            if types[id] == .normal {
                minimumScore = min(minimumScore, scores[id])
                maximumScore = max(maximumScore, scores[id])
            }
        }
        guard unknownID >= 0 else { throw TokenizerError(file: file, field: "pieces", "none is of the type unknown") }
        for byte in 0..<256 {
            fallbackIDs[byte] = reserved[ByteFallback.spelling(UInt8(byte))].flatMap { types[Int($0)] == .byte ? $0 : nil } ?? -1
        }
        if specification.byteFallback, fallbackIDs.contains(-1) {
            throw TokenizerError(file: file, field: "pieces", "byte fallback without all 256 byte pieces")
        }
        if !symbols.isEmpty {
            var matcher = ByteTrie(capacity: symbols.count * 8)
            for symbol in symbols { matcher.insert(symbol, value: 0) }
            userDefined = matcher
        }
        try normalizer.prepare(spaceIsSuffix: specification.spaceIsSuffix, userDefined: userDefined, file: file)
        if denormalizer?.hasCharsmap == true {
            try denormalizer?.prepare(spaceIsSuffix: false, userDefined: nil, file: file)
        } else {
            denormalizer = nil
        }
    }

    func id(of piece: [UInt8]) -> Int32? {
        if let id = reserved[piece] { return id }
        let id = textual.id(of: piece)
        return id < 0 ? nil : id
    }

    func text(of id: Int32) -> ArraySlice<UInt8>? { id >= 0 && Int(id) < pieces.count ? pieces[Int(id)][...] : nil }

    /// Whether `id` is the id of some piece.
    func contains(_ id: Int32) -> Bool { id >= 0 && Int(id) < pieces.count }

    func encode(_ utf8: [UInt8], type: Int32) -> Encoding {
        let (normalized, origins) = normalizer.apply(utf8)
        let offsets = ScalarOffsets(utf8)
        var out = Encoding()
        var wasUnknown = false
        let parts = specification.isBPE ? SentencePieceSegmenter.bpe(self, normalized) : SentencePieceSegmenter.unigram(self, normalized)
        for (range, id) in parts {
            let isUnknown = id == unknownID
            let span = origins[range.lowerBound]..<max(origins[range.lowerBound], origins[range.upperBound])
            if isUnknown, specification.byteFallback {
                for position in range {
                    let isLast = position == range.upperBound - 1
                    let byteID = fallbackIDs[Int(normalized[position])]
                    append(
                        byteID, pieces[Int(byteID)][...], offsets.unclipped(isLast ? span : span.lowerBound..<span.lowerBound), type,
                        to: &out)
                }
            } else if isUnknown, wasUnknown, let last = out.offsets.last {
                out.tokens[out.count - 1] += String(decoding: normalized[range], as: UTF8.self)
                out.offsets[out.count - 1] = last.lowerBound..<max(last.lowerBound, offsets.unclipped(span).upperBound)
            } else {
                append(id, normalized[range], offsets.unclipped(span), type, to: &out)
            }
            wasUnknown = isUnknown
        }
        return out
    }

    private func append(_ id: Int32, _ text: ArraySlice<UInt8>, _ range: Range<Int>, _ type: Int32, to out: inout Encoding) {
        out.append(id: id, token: String(decoding: text, as: UTF8.self), offsets: range, type: type, special: false)
    }

    /// Control symbols are invisible whether skipped or not.
    func decode(_ ids: [Int32], skipSpecialTokens: Bool) -> String {
        var out: [UInt8] = []
        var pending: [UInt8] = []
        var atStart = true
        var sawSpace = false
        for id in ids where contains(id) {
            if types[Int(id)] == .byte, let byte = fallbackIDs.firstIndex(of: id) {
                pending.append(UInt8(byte))
                continue
            }
            out += UTF8Text.repairedBytewise(pending)
            pending = []
            if sawSpace || !out.isEmpty { atStart = false }
            sawSpace = append(id, atStart, to: &out)
        }
        out += UTF8Text.repairedBytewise(pending)
        if let denormalizer { out = denormalizer.apply(out).text }
        return String(decoding: out, as: UTF8.self)
    }

    /// Appends a piece's surface; true when a space at the text's start was dropped from it.
    private func append(_ id: Int32, _ atStart: Bool, to out: inout [UInt8]) -> Bool {
        switch types[Int(id)] {
        case .control: return false
        case .unknown:
            out += specification.unknownSurface
            return false
        default: break
        }
        let space: [UInt8] = [0xE2, 0x96, 0x81]
        var piece = pieces[Int(id)][...]
        var dropped = false
        if atStart, normalizer.addsDummyPrefix || normalizer.removesExtraSpaces, piece.starts(with: space) {
            piece = piece.dropFirst(3)
            dropped = !normalizer.removesExtraSpaces
        }
        while !piece.isEmpty {
            if piece.starts(with: space) {
                out.append(32)
                piece = piece.dropFirst(3)
            } else {
                out.append(piece.removeFirst())
            }
        }
        return dropped
    }
}

extension ScalarOffsets {
    /// The range of scalars, where the end of the text is a position like any other.
    func unclipped(_ bytes: Range<Int>) -> Range<Int> {
        let lower = scalar(bytes.lowerBound)
        return lower..<max(lower, scalar(bytes.upperBound))
    }
}

extension UTF8Text {
    /// Each byte that starts no valid sequence becomes U+FFFD, as SentencePiece decodes byte pieces.
    static func repairedBytewise(_ bytes: [UInt8]) -> [UInt8] {
        var out: [UInt8] = []
        bytes.withUnsafeBufferPointer { buffer in
            var index = 0
            while index < buffer.count {
                if let length = validLength(buffer, at: index, end: buffer.count) {
                    out += buffer[index..<index + length]
                    index += length
                } else {
                    out += [0xEF, 0xBF, 0xBD]
                    index += 1
                }
            }
        }
        return out
    }
}
