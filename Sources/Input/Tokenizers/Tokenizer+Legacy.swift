/// Tokenizers from the files that came before `tokenizer.json`, put together as `transformers` does it.
extension Tokenizer {
    /// CLIP from OpenAI's `bpe_simple_vocab_16e6.txt`, decompressed: a heading, then merges, of which the first 48,894
    /// count. The vocabulary follows from them.
    ///
    /// Text is cleaned as `CLIPTokenizerFast` does it (NFC, runs of white space to one space, lower case). The `ftfy`
    /// repair and HTML unescaping of the original code are not done.
    ///
    /// - Throws: `TokenizerError` naming the malformed line.
    public static func clip(merges: [UInt8], file: String = "bpe_simple_vocab_16e6.txt") throws(TokenizerError) -> Tokenizer {
        let lines = try Lines.merges(merges, skipHeading: true, limit: 49152 - 256 - 2, file: file)
        var vocabulary = ByteVocabulary(capacity: lines.count + 514)
        var next: Int32 = 0
        func add(_ text: [UInt8]) {
            vocabulary.insert(text, id: next)
            next += 1
        }
        let order = Array(33...126) + Array(161...172) + Array(174...255)
        let bytes = order + (0...255).filter { !order.contains($0) }
        for byte in bytes { add(ByteLevelAlphabet.spell(CollectionOfOne(UInt8(byte)))) }
        for byte in bytes { add(ByteLevelAlphabet.spell(CollectionOfOne(UInt8(byte))) + Array("</w>".utf8)) }
        var text: [UInt8] = []
        for line in lines {
            text.removeAll(keepingCapacity: true)
            merges.withUnsafeBufferPointer { bytes in
                for index in line where bytes[index] != 32 { text.append(bytes[index]) }
            }
            add(text)
        }
        add(Array("<|startoftext|>".utf8))
        add(Array("<|endoftext|>".utf8))
        if vocabulary.indexIDs() != nil || vocabulary.count != Int(next) {
            throw TokenizerError(file: file, "two merges make the same token")
        }
        return try clip(vocabulary, merges, lines, LegacySettings(), file)
    }

    /// CLIP from `vocab.json` and `merges.txt`.
    public static func clip(vocabulary: [UInt8], merges: [UInt8]) throws(TokenizerError) -> Tokenizer {
        try clip(Self.vocabulary(vocabulary, "vocab.json"), merges, LegacySettings(), "merges.txt")
    }

    static func vocabulary(_ json: [UInt8], _ file: String) throws(TokenizerError) -> ByteVocabulary {
        try Model.vocabulary(JSONField(JSONDocument(json, file: file).root, path: "", file: file))
    }

    static func clip(
        _ vocabulary: ByteVocabulary, _ merges: [UInt8], _ settings: LegacySettings, _ file: String
    ) throws(TokenizerError) -> Tokenizer {
        try clip(vocabulary, merges, Lines.merges(merges, skipHeading: false, limit: Limits.vocabularyEntries, file: file), settings, file)
    }

    private static func clip(
        _ vocabulary: ByteVocabulary, _ merges: [UInt8], _ lines: [Range<Int>], _ settings: LegacySettings, _ file: String
    ) throws(TokenizerError) -> Tokenizer {
        let unknown = settings.token("unk_token") ?? "<|endoftext|>"
        let options = BPEModel.Options(unknown: Array(unknown.utf8), endSuffix: Array("</w>".utf8))
        let model = Model.bpe(BPEModel(vocabulary: vocabulary, merges: try Lines.table(merges, lines, vocabulary, file), options: options))
        let normalizer = Normalizer.sequence([.unicode(.nfc), .replace(try builtIn(#"\s+"#), content: [32]), .lowercase])
        let pattern = try builtIn(#"'s|'t|'re|'ve|'m|'ll|'d|[\p{L}]+|[\p{N}]|[^\s\p{L}\p{N}]+"#)
        let splitter = PreTokenizer.sequence([.split(pattern, .removed, invert: true), .byteLevel(addPrefixSpace: false, useRegex: true)])
        let roles = [
            ("bos_token", "<|startoftext|>"), ("eos_token", "<|endoftext|>"), ("unk_token", "<|endoftext|>"),
            ("pad_token", "<|endoftext|>"),
        ]
        var tokenizer = assemble(model, normalizer, splitter, settings, roles)
        let begin = try tokenizer.required(settings.token("bos_token") ?? "<|startoftext|>", file)
        let end = try tokenizer.required(settings.token("eos_token") ?? "<|endoftext|>", file)
        tokenizer.postProcessor = .roberta(separator: end, classifier: begin, trimsOffsets: false, prefixSpace: false)
        tokenizer.decoder = .clip
        return tokenizer
    }

    /// GPT-2 from `vocab.json` and `merges.txt`.
    ///
    /// - Parameter addPrefixSpace: whether the first word is taken as if a space stood before it.
    public static func gpt2(vocabulary: [UInt8], merges: [UInt8], addPrefixSpace: Bool = false) throws(TokenizerError) -> Tokenizer {
        try gpt2(Self.vocabulary(vocabulary, "vocab.json"), merges, addPrefixSpace: addPrefixSpace, LegacySettings(), "merges.txt")
    }

    static func gpt2(
        _ vocabulary: ByteVocabulary, _ merges: [UInt8], addPrefixSpace: Bool, _ settings: LegacySettings, _ file: String
    ) throws(TokenizerError) -> Tokenizer {
        let lines = try Lines.merges(merges, skipHeading: false, limit: Limits.vocabularyEntries, file: file)
        let model = Model.bpe(
            BPEModel(vocabulary: vocabulary, merges: try Lines.table(merges, lines, vocabulary, file), options: BPEModel.Options()))
        let roles = [("bos_token", "<|endoftext|>"), ("eos_token", "<|endoftext|>"), ("unk_token", "<|endoftext|>")]
        var tokenizer = assemble(model, nil, .byteLevel(addPrefixSpace: addPrefixSpace, useRegex: true), settings, roles)
        tokenizer.postProcessor = .byteLevel(trimsOffsets: false, prefixSpace: true)
        tokenizer.decoder = .byteLevel
        return tokenizer
    }

    /// BERT from `vocab.txt`, one token a line.
    ///
    /// - Parameters:
    ///   - lowercase: lower case, and without accents unless `stripAccents` says otherwise.
    ///   - chineseCharacters: whether each ideograph is a word.
    public static func bert(
        vocabulary: [UInt8], lowercase: Bool = true, stripAccents: Bool? = nil, chineseCharacters: Bool = true, file: String = "vocab.txt"
    ) throws(TokenizerError) -> Tokenizer {
        var settings = LegacySettings()
        settings.lowercase = lowercase
        settings.stripAccents = stripAccents
        settings.chineseCharacters = chineseCharacters
        return try bert(vocabulary: vocabulary, settings, file)
    }

    static func bert(vocabulary: [UInt8], _ settings: LegacySettings, _ file: String) throws(TokenizerError) -> Tokenizer {
        guard vocabulary.withUnsafeBufferPointer(UTF8Text.isValid) else { throw TokenizerError(file: file, "is not valid UTF-8") }
        let lines = Lines.split(vocabulary)
        guard lines.count <= Limits.vocabularyEntries else {
            throw TokenizerError(file: file, "\(lines.count) lines; at most \(Limits.vocabularyEntries) are read")
        }
        var table = ByteVocabulary(capacity: lines.count)
        for (id, line) in lines.enumerated() { table.insert(Array(vocabulary[line]), id: Int32(id)) }
        if let (first, _, id) = table.indexIDs() {
            throw TokenizerError(file: file, "line \(id + 1): \(String(decoding: first, as: UTF8.self)) shares its id")
        }
        let unknown = settings.token("unk_token") ?? "[UNK]"
        let unknownID = table.id(of: Array(unknown.utf8))
        guard unknownID >= 0 else { throw TokenizerError(file: file, "the unknown token \(unknown) is missing") }
        let model = Model.wordPiece(
            WordPieceModel(vocabulary: table, unknownID: unknownID, prefix: Array("##".utf8), maximumCharacters: 100))
        let lowercase = settings.lowercase ?? true
        let normalizer = Normalizer.bert(
            cleanText: true, chineseChars: settings.chineseCharacters ?? true, stripAccents: settings.stripAccents ?? lowercase,
            lowercase: lowercase)
        let roles = [
            ("unk_token", "[UNK]"), ("sep_token", "[SEP]"), ("pad_token", "[PAD]"), ("cls_token", "[CLS]"), ("mask_token", "[MASK]"),
        ]
        var tokenizer = assemble(model, normalizer, .bert, settings, roles)
        let start = try tokenizer.required(settings.token("cls_token") ?? "[CLS]", file)
        let end = try tokenizer.required(settings.token("sep_token") ?? "[SEP]", file)
        let opening = PostProcessor.Piece.special([(start.1, start.0)], type: 0)
        let first: [PostProcessor.Piece] = [opening, .sequence(isPair: false, type: 0), .special([(end.1, end.0)], type: 0)]
        tokenizer.postProcessor = .template(
            single: first, pair: first + [.sequence(isPair: true, type: 1), .special([(end.1, end.0)], type: 1)])
        tokenizer.decoder = .wordPiece(prefix: Array("##".utf8), cleanup: true)
        return tokenizer
    }

    /// SentencePiece from a `.model` file of type Unigram or BPE.
    ///
    /// - Parameters:
    ///   - addBeginning: whether special tokens include the model's beginning-of-sentence piece.
    ///   - addEnd: whether they include its end-of-sentence piece.
    public static func sentencePiece(
        model bytes: [UInt8], addBeginning: Bool = false, addEnd: Bool = false, file: String = "tokenizer.model"
    ) throws(TokenizerError) -> Tokenizer {
        let model = try SentencePieceModel(bytes, file: file)
        var tokenizer = Tokenizer(engine: .sentencePiece(model))
        let specification = model.specification
        func known(_ id: Int32) -> Int32? { model.contains(id) ? id : nil }
        tokenizer.specialTokens.beginning = known(specification.beginning)
        tokenizer.specialTokens.end = known(specification.end)
        tokenizer.specialTokens.padding = known(specification.padding)
        tokenizer.specialTokens.unknown = model.unknownID
        func piece(_ wanted: Bool, _ id: Int32?) -> [PostProcessor.Piece] {
            guard wanted, let id, let text = tokenizer.token(of: id) else { return [] }
            return [.special([(id, text)], type: 0)]
        }
        let opening = piece(addBeginning, tokenizer.specialTokens.beginning)
        let closing = piece(addEnd, tokenizer.specialTokens.end)
        if !opening.isEmpty || !closing.isEmpty {
            let single = opening + [.sequence(isPair: false, type: 0)] + closing
            tokenizer.postProcessor = .template(single: single, pair: single + opening + [.sequence(isPair: true, type: 0)] + closing)
        }
        return tokenizer
    }

    private static func builtIn(_ pattern: String) throws(TokenizerError) -> RegexProgram {
        do throws(RegexParser.Failure) { return try RegexProgram(pattern) } catch {
            throw TokenizerError(file: "built-in pattern", error.reason)
        }
    }

    private func required(_ token: String, _ file: String) throws(TokenizerError) -> (String, Int32) {
        guard let id = id(of: token) else { throw TokenizerError(file: file, "the special token \(token) is not in the vocabulary") }
        return (token, id)
    }

    /// A pipeline whose special tokens are those of `roles`, unless the settings name others.
    private static func assemble(
        _ model: Model, _ normalizer: Normalizer?, _ preTokenizer: PreTokenizer, _ settings: LegacySettings, _ roles: [(String, String)]
    ) -> Tokenizer {
        var added: [AddedToken] = []
        for (role, fallback) in roles {
            let token = settings.special[role] ?? AddedToken(content: Array(fallback.utf8), isNormalized: false, isSpecial: true)
            if !added.contains(where: { $0.content == token.content }) { added.append(token) }
        }
        let pipeline = Pipeline(
            normalizer: normalizer, preTokenizer: preTokenizer, model: model,
            added: AddedVocabulary(added + settings.added, model: model, normalizer: normalizer))
        var tokenizer = Tokenizer(engine: .pipeline(pipeline))
        var named = Dictionary(roles.map { ($0.0, Array($0.1.utf8)) }) { first, _ in first }
        for (role, token) in settings.special { named[role] = token.content }
        tokenizer.setRoles(named)
        tokenizer.modelMaximumLength = settings.maximumLength
        return tokenizer
    }

    /// Sets the special tokens by the roles that configuration files name.
    mutating func setRoles(_ named: [String: [UInt8]]) {
        func id(_ role: String) -> Int32? { named[role].flatMap { self.id(of: String(decoding: $0, as: UTF8.self)) } }
        specialTokens.beginning = id("bos_token") ?? specialTokens.beginning
        specialTokens.end = id("eos_token") ?? specialTokens.end
        specialTokens.padding = id("pad_token") ?? specialTokens.padding
        specialTokens.unknown = id("unk_token") ?? specialTokens.unknown
        specialTokens.separator = id("sep_token") ?? specialTokens.separator
        specialTokens.classifier = id("cls_token") ?? specialTokens.classifier
        specialTokens.mask = id("mask_token") ?? specialTokens.mask
    }
}

/// Line-based vocabulary files.
enum Lines {
    /// Ranges of the lines without their ends (`\n`, `\r\n` or `\r`); nothing after the last end.
    static func split(_ bytes: [UInt8]) -> [Range<Int>] {
        var lines: [Range<Int>] = []
        var start = 0
        var index = 0
        while index < bytes.count {
            if bytes[index] == 10 || bytes[index] == 13 {
                lines.append(start..<index)
                if bytes[index] == 13, index + 1 < bytes.count, bytes[index + 1] == 10 { index += 1 }
                start = index + 1
            }
            index += 1
        }
        if start < bytes.count { lines.append(start..<bytes.count) }
        return lines
    }

    /// The lines of a file of merges that hold one, at most `limit` of them; nothing beyond the last is looked at.
    static func merges(_ bytes: [UInt8], skipHeading: Bool, limit: Int, file: String) throws(TokenizerError) -> [Range<Int>] {
        guard bytes.count <= Limits.fileBytes else {
            throw TokenizerError(file: file, "\(bytes.count) bytes; at most \(Limits.fileBytes) are read")
        }
        let lines = bytes.withUnsafeBufferPointer { bytes in
            var lines: [Range<Int>] = []
            var start = 0
            var isHeading = skipHeading
            while start < bytes.count, lines.count < limit {
                var end = start
                while end < bytes.count, bytes[end] != 10, bytes[end] != 13 { end += 1 }
                let isComment = bytes[start] == UInt8(ascii: "#") && bytes[start..<end].starts(with: "#version".utf8)
                if start < end, !isHeading, !isComment { lines.append(start..<end) }
                isHeading = false
                start = end + 1
            }
            return UTF8Text.isValid(UnsafeBufferPointer(rebasing: bytes[..<(lines.last?.upperBound ?? 0)])) ? lines : nil
        }
        guard let lines else { throw TokenizerError(file: file, "is not valid UTF-8") }
        return lines
    }

    static func table(
        _ bytes: [UInt8], _ lines: [Range<Int>], _ vocabulary: ByteVocabulary, _ file: String
    ) throws(TokenizerError) -> IntegerTable {
        var builder = BPEMergeBuilder(vocabulary, capacity: lines.count, prefix: 0, file: file)
        for line in lines {
            builder.begin()
            bytes.withUnsafeBufferPointer { builder.text.append(contentsOf: UnsafeBufferPointer(rebasing: $0[line])) }
            try builder.splitAtSpace("merges")
        }
        return builder.table
    }
}
