extension JSONField {
    /// The `type` of a component.
    func type() throws(TokenizerError) -> String {
        _ = try object()
        return try self["type"].string()
    }

    func unsupported(_ kind: String, _ type: String) -> TokenizerError { self["type"].error("the \(kind) \(type) is not supported") }

    /// A pattern that is either `{"String": ...}` or `{"Regex": ...}`.
    func pattern() throws(TokenizerError) -> RegexProgram {
        if self["String"].isPresent { return .literal(try self["String"].string()) }
        let regex = self["Regex"]
        do throws(RegexParser.Failure) {
            return try RegexProgram(try regexText())
        } catch {
            throw regex.error("the pattern can't be used: \(error.reason)")
        }
    }

    private func regexText() throws(RegexParser.Failure) -> String {
        guard let text = self["Regex"].value?.string else { throw .init(reason: "expected a string under String or Regex") }
        return text
    }

    func behavior() throws(TokenizerError) -> SplitBehavior {
        let name = try string()
        guard let behavior = SplitBehavior(rawValue: name) else { throw error("unknown behaviour \(name)") }
        return behavior
    }

    /// A token and its id, as `["[SEP]", 102]`.
    func tokenAndID() throws(TokenizerError) -> (String, Int32) {
        let pair = try array(limit: 2)
        guard pair.count == 2 else { throw error("expected [token, id]") }
        return (try pair[0].string(), try pair[1].id())
    }

    func children(_ name: String) throws(TokenizerError) -> [JSONField] { try self[name].array(limit: Limits.components) }
}

extension Normalizer {
    static func read(_ field: JSONField) throws(TokenizerError) -> Normalizer? {
        guard field.isPresent else { return nil }
        let type = try field.type()
        switch type {
        case "NFC": return .unicode(.nfc)
        case "NFD": return .unicode(.nfd)
        case "NFKC": return .unicode(.nfkc)
        case "NFKD": return .unicode(.nfkd)
        case "Lowercase": return .lowercase
        case "Strip": return .strip(left: try field["strip_left"].bool(), right: try field["strip_right"].bool())
        case "StripAccents": return .stripAccents
        case "BertNormalizer", "Bert":
            let lowercase = try field["lowercase"].bool()
            return .bert(
                cleanText: try field["clean_text"].bool(), chineseChars: try field["handle_chinese_chars"].bool(),
                stripAccents: try field["strip_accents"].bool(default: lowercase), lowercase: lowercase)
        case "Replace": return .replace(try field["pattern"].pattern(), content: try field["content"].utf8())
        case "Prepend": return .prepend(try field["prepend"].string().unicodeScalars.map(\.value))
        case "Precompiled":
            let map = field["precompiled_charsmap"]
            guard map.isPresent else { return .sequence([]) }
            guard let bytes = Base64.decode(try map.utf8()) else { throw map.error("not base64") }
            guard !bytes.isEmpty else { return .sequence([]) }
            guard let charsmap = Charsmap(bytes) else { throw map.error("the trie's size does not fit the data") }
            return .charsmap(charsmap)
        case "Nmt": return .nmt
        case "ByteLevel": return .byteLevel
        case "Sequence":
            var steps: [Normalizer] = []
            for child in try field.children("normalizers") {
                if let step = try read(child) { steps.append(step) }
            }
            return .sequence(steps)
        default: throw field.unsupported("normaliser", type)
        }
    }
}

extension PreTokenizer {
    static func read(_ field: JSONField) throws(TokenizerError) -> PreTokenizer? {
        guard field.isPresent else { return nil }
        let type = try field.type()
        switch type {
        case "ByteLevel":
            return .byteLevel(addPrefixSpace: try field["add_prefix_space"].bool(), useRegex: try field["use_regex"].bool(default: true))
        case "Whitespace": return .whitespace
        case "WhitespaceSplit": return .whitespaceSplit
        case "BertPreTokenizer": return .bert
        case "Metaspace":
            let (replacement, scheme) = try metaspace(field)
            return .metaspace(replacement: replacement, scheme: scheme, split: try field["split"].bool(default: true))
        case "Punctuation": return .punctuation(field["behavior"].isPresent ? try field["behavior"].behavior() : .isolated)
        case "Digits": return .digits(individual: try field["individual_digits"].bool())
        case "CharDelimiterSplit", "Delimiter": return .delimiter(try field["delimiter"].scalar())
        case "Split":
            return .split(try field["pattern"].pattern(), try field["behavior"].behavior(), invert: try field["invert"].bool())
        case "FixedLength": return .fixedLength(field["length"].isPresent ? try field["length"].int(in: 1...Limits.sequenceLength) : 5)
        case "Sequence":
            var steps: [PreTokenizer] = []
            for child in try field.children("pretokenizers") {
                if let step = try read(child) { steps.append(step) }
            }
            return .sequence(steps)
        default: throw field.unsupported("pre-tokenizer", type)
        }
    }

    static func metaspace(_ field: JSONField) throws(TokenizerError) -> (UInt32, PrependScheme) {
        var scheme = PrependScheme.always
        if field["prepend_scheme"].isPresent {
            let name = try field["prepend_scheme"].string()
            guard let known = PrependScheme(rawValue: name) else { throw field["prepend_scheme"].error("unknown scheme \(name)") }
            scheme = known
        }
        if field["add_prefix_space"].isPresent, try !field["add_prefix_space"].bool() {
            guard scheme == .never || !field["prepend_scheme"].isPresent else {
                throw field["add_prefix_space"].error("contradicts prepend_scheme")
            }
            scheme = .never
        }
        return (try field["replacement"].scalar(), scheme)
    }
}

extension PostProcessor {
    static func read(_ field: JSONField) throws(TokenizerError) -> PostProcessor? {
        guard field.isPresent else { return nil }
        let type = try field.type()
        switch type {
        case "TemplateProcessing":
            return .template(single: try template(field, "single"), pair: try template(field, "pair"))
        case "BertProcessing": return .bert(separator: try field["sep"].tokenAndID(), classifier: try field["cls"].tokenAndID())
        case "RobertaProcessing":
            return .roberta(
                separator: try field["sep"].tokenAndID(), classifier: try field["cls"].tokenAndID(),
                trimsOffsets: try field["trim_offsets"].bool(), prefixSpace: try field["add_prefix_space"].bool())
        case "ByteLevel":
            return .byteLevel(trimsOffsets: try field["trim_offsets"].bool(), prefixSpace: try field["add_prefix_space"].bool())
        case "Sequence":
            var steps: [PostProcessor] = []
            for child in try field.children("processors") {
                if let step = try read(child) { steps.append(step) }
            }
            return .sequence(steps)
        default: throw field.unsupported("post-processor", type)
        }
    }

    private static func template(_ field: JSONField, _ name: String) throws(TokenizerError) -> [Piece] {
        var pieces: [Piece] = []
        for entry in try field.children(name) {
            if entry["Sequence"].isPresent {
                let sequence = entry["Sequence"]
                let id = try sequence["id"].string()
                guard id == "A" || id == "B" else { throw sequence["id"].error("expected A or B, found \(id)") }
                guard id == "A" || name == "pair" else { throw sequence["id"].error("a single text has no sequence B") }
                pieces.append(.sequence(isPair: id == "B", type: try sequence["type_id"].id()))
            } else {
                let special = entry["SpecialToken"]
                let id = try special["id"].string()
                let token = field["special_tokens"][id]
                guard token.isPresent else { throw special["id"].error("\(id) is not among special_tokens") }
                pieces.append(.special(try tokens(token), type: try special["type_id"].id()))
            }
        }
        return pieces
    }

    private static func tokens(_ field: JSONField) throws(TokenizerError) -> [(id: Int32, token: String)] {
        let ids = try field.children("ids")
        let texts = try field.children("tokens")
        guard ids.count == texts.count else { throw field.error("\(ids.count) ids for \(texts.count) tokens") }
        var out: [(id: Int32, token: String)] = []
        for (id, text) in zip(ids, texts) { out.append((try id.id(), try text.string())) }
        return out
    }
}

extension Decoder {
    static func read(_ field: JSONField) throws(TokenizerError) -> Decoder? {
        guard field.isPresent else { return nil }
        let type = try field.type()
        switch type {
        case "ByteLevel": return .byteLevel
        case "WordPiece": return .wordPiece(prefix: try field["prefix"].utf8(), cleanup: try field["cleanup"].bool())
        case "Metaspace":
            let (replacement, scheme) = try PreTokenizer.metaspace(field)
            return .metaspace(replacement: replacement, dropsFirst: scheme != .never)
        case "BPEDecoder": return .bpe(suffix: try field["suffix"].utf8())
        case "ByteFallback": return .byteFallback
        case "Fuse": return .fuse
        case "Strip":
            return .strip(
                try field["content"].scalar(), start: try field["start"].int(in: 0...Limits.sequenceLength),
                stop: try field["stop"].int(in: 0...Limits.sequenceLength))
        case "Replace": return .replace(try field["pattern"].pattern(), content: try field["content"].utf8())
        case "CTC":
            return .ctc(
                pad: try field["pad_token"].utf8(), delimiter: try field["word_delimiter_token"].utf8(),
                cleanup: try field["cleanup"].bool())
        case "Sequence":
            var steps: [Decoder] = []
            for child in try field.children("decoders") {
                if let step = try read(child) { steps.append(step) }
            }
            return .sequence(steps)
        default: throw field.unsupported("decoder", type)
        }
    }
}

/// RFC 4648, with or without padding.
enum Base64 {
    static func decode(_ text: [UInt8]) -> [UInt8]? {
        var out: [UInt8] = []
        out.reserveCapacity(text.count * 3 / 4)
        var bits: UInt32 = 0
        var count: UInt32 = 0
        for byte in text {
            let digit: UInt8
            switch byte {
            case 65...90: digit = byte - 65
            case 97...122: digit = byte - 71
            case 48...57: digit = byte + 4
            case UInt8(ascii: "+"): digit = 62
            case UInt8(ascii: "/"): digit = 63
            case UInt8(ascii: "="), 10, 13: continue
            default: return nil
            }
            bits = bits << 6 | UInt32(digit)
            count += 6
            if count >= 8 {
                count -= 8
                out.append(UInt8(truncatingIfNeeded: bits >> count))
            }
        }
        return out
    }
}
