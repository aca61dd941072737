#if canImport(FoundationEssentials)
    import FoundationEssentials
#else
    import Foundation
#endif

/// What `tokenizer_config.json` and `special_tokens_map.json` say.
struct LegacySettings {
    var special: [String: AddedToken] = [:]
    var added: [AddedToken] = []
    var className: String?
    var lowercase: Bool?
    var stripAccents: Bool?
    var chineseCharacters: Bool?
    var addPrefixSpace: Bool?
    var addsBeginning: Bool?
    var addsEnd: Bool?
    var maximumLength: Int?

    static let roles = ["bos_token", "eos_token", "unk_token", "sep_token", "pad_token", "cls_token", "mask_token"]

    func token(_ role: String) -> String? { special[role].map { String(decoding: $0.content, as: UTF8.self) } }

    /// Reads a configuration; what another file has already set gives way.
    mutating func read(_ bytes: [UInt8], file: String) throws(TokenizerError) {
        let root = JSONField(try JSONDocument(bytes, file: file).root, path: "", file: file)
        _ = try root.object()
        for role in Self.roles where root[role].isPresent { special[role] = try Self.token(root[role]) }
        func flag(_ name: String) throws(TokenizerError) -> Bool? { root[name].isPresent ? try root[name].bool() : nil }
        lowercase = try flag("do_lower_case") ?? lowercase
        stripAccents = try flag("strip_accents") ?? stripAccents
        chineseCharacters = try flag("tokenize_chinese_chars") ?? chineseCharacters
        addPrefixSpace = try flag("add_prefix_space") ?? addPrefixSpace
        addsBeginning = try flag("add_bos_token") ?? addsBeginning
        addsEnd = try flag("add_eos_token") ?? addsEnd
        if root["tokenizer_class"].isPresent { className = try root["tokenizer_class"].string() }
        // "No limit" is written as a number far beyond 64 bits.
        if let length = root["model_max_length"].value?.int, length > 0, length <= Limits.sequenceLength { maximumLength = length }
    }

    private static func token(_ field: JSONField) throws(TokenizerError) -> AddedToken {
        if field.value?.isString == true { return AddedToken(content: try field.utf8(), isNormalized: false, isSpecial: true) }
        return AddedToken(
            content: try field["content"].utf8(), isSingleWord: try field["single_word"].bool(default: false),
            stripsLeft: try field["lstrip"].bool(default: false), stripsRight: try field["rstrip"].bool(default: false),
            isNormalized: try field["normalized"].bool(default: false), isSpecial: true)
    }
}

extension Tokenizer {
    /// Loads the tokenizer of a model folder: `tokenizer.json`, or else SentencePiece (`spiece.model`, `tokenizer.model`,
    /// `sentencepiece.bpe.model`), `vocab.json` with `merges.txt` (CLIP or GPT-2), `vocab.txt` (BERT) or
    /// `bpe_simple_vocab_16e6.txt` (CLIP). `tokenizer_config.json` and `special_tokens_map.json` add to any of them.
    ///
    /// - Throws: `TokenizerError` naming the file and field; where no such file is there, the folder.
    public static func load(folder: URL) throws(TokenizerError) -> Tokenizer {
        var settings = LegacySettings()
        for name in ["special_tokens_map.json", "tokenizer_config.json"] {
            if let (bytes, file) = try read(folder, name) { try settings.read(bytes, file: file) }
        }
        if let (bytes, file) = try read(folder, "tokenizer.json") {
            var tokenizer = try Tokenizer(json: bytes, file: file)
            tokenizer.setRoles(settings.special.mapValues(\.content))
            tokenizer.modelMaximumLength = settings.maximumLength
            if settings.className?.hasPrefix("CLIP") == true { tokenizer.decoder = .clip }
            return tokenizer
        }
        for name in ["spiece.model", "tokenizer.model", "sentencepiece.bpe.model"] {
            if let (bytes, file) = try read(folder, name) { return try sentencePiece(bytes, settings, file) }
        }
        if let (vocabulary, file) = try read(folder, "vocab.json") {
            guard let (merges, mergesFile) = try read(folder, "merges.txt") else {
                throw TokenizerError(file: folder.path, "has vocab.json but no merges.txt")
            }
            let table = try Self.vocabulary(vocabulary, file)
            if isCLIP(settings, table) { return try clip(table, merges, settings, mergesFile) }
            return try gpt2(table, merges, addPrefixSpace: settings.addPrefixSpace ?? false, settings, mergesFile)
        }
        if let (bytes, file) = try read(folder, "vocab.txt") { return try bert(vocabulary: bytes, settings, file) }
        if let (bytes, file) = try read(folder, "bpe_simple_vocab_16e6.txt") { return try clip(merges: bytes, file: file) }
        throw TokenizerError(
            file: folder.path,
            "holds none of tokenizer.json, spiece.model, tokenizer.model, sentencepiece.bpe.model, vocab.json, vocab.txt, bpe_simple_vocab_16e6.txt"
        )
    }

    private static func sentencePiece(_ bytes: [UInt8], _ settings: LegacySettings, _ file: String) throws(TokenizerError) -> Tokenizer {
        let name = settings.className ?? ""
        let isLlama = name.hasPrefix("Llama") || name.hasPrefix("CodeLlama")
        let endsSentences = name.hasPrefix("T5") || name.hasPrefix("MT5") || name.hasPrefix("Siglip")
        var tokenizer = try sentencePiece(
            model: bytes, addBeginning: settings.addsBeginning ?? isLlama, addEnd: settings.addsEnd ?? endsSentences, file: file)
        tokenizer.setRoles(settings.special.mapValues(\.content))
        tokenizer.modelMaximumLength = settings.maximumLength
        return tokenizer
    }

    /// CLIP's vocabularies mark the ends of words.
    private static func isCLIP(_ settings: LegacySettings, _ vocabulary: ByteVocabulary) -> Bool {
        if let name = settings.className { return name.hasPrefix("CLIP") }
        return vocabulary.id(of: Array("!</w>".utf8)) >= 0
    }

    /// The bytes of a file, or nil where there is none.
    private static func read(_ folder: URL, _ name: String) throws(TokenizerError) -> (bytes: [UInt8], file: String)? {
        let path = folder.appendingPathComponent(name).path
        guard let attributes = try? FileManager.default.attributesOfItem(atPath: path) else { return nil }
        let size = (attributes[.size] as? UInt64).map { Int(clamping: $0) } ?? (attributes[.size] as? Int) ?? 0
        guard size <= Limits.fileBytes else { throw TokenizerError(file: path, "\(size) bytes; at most \(Limits.fileBytes) are read") }
        guard let data = FileManager.default.contents(atPath: path) else { throw TokenizerError(file: path, "can't be read") }
        return ([UInt8](data), path)
    }
}
