#if canImport(FoundationEssentials)
    import FoundationEssentials
#else
    import Foundation
#endif

extension Tokenizer {
    /// Reads a `tokenizer.json`.
    ///
    /// - Throws: `TokenizerError` naming the field that is missing, malformed, out of range or of a kind not supported.
    public init(json: [UInt8], file: String = "tokenizer.json") throws(TokenizerError) {
        let root = JSONField(try JSONDocument(json, file: file).root, path: "", file: file)
        _ = try root.object()
        if root["version"].isPresent, try root["version"].string() != "1.0" { throw root["version"].error("only version 1.0 is known") }
        let normalizer = try Normalizer.read(root["normalizer"])
        let model = try Model.read(root["model"])
        let added = try Self.addedTokens(root["added_tokens"])
        self.init(
            engine: .pipeline(
                Pipeline(
                    normalizer: normalizer, preTokenizer: try PreTokenizer.read(root["pre_tokenizer"]), model: model,
                    added: AddedVocabulary(added, model: model, normalizer: normalizer))))
        postProcessor = try PostProcessor.read(root["post_processor"])
        decoder = try Decoder.read(root["decoder"])
        truncation = try Self.truncation(root["truncation"])
        padding = try Self.padding(root["padding"])
        specialTokens.padding = padding?.id
        specialTokens.unknown = model.unknownID < 0 ? nil : model.unknownID
    }

    /// Reads a `tokenizer.json`.
    public init(json: Data, file: String = "tokenizer.json") throws(TokenizerError) {
        try self.init(json: [UInt8](json), file: file)
    }

    private static func addedTokens(_ field: JSONField) throws(TokenizerError) -> [AddedToken] {
        guard field.isPresent else { return [] }
        var tokens: [AddedToken] = []
        for entry in try field.array() {
            _ = try entry["id"].id()
            tokens.append(
                AddedToken(
                    content: try entry["content"].utf8(), isSingleWord: try entry["single_word"].bool(default: false),
                    stripsLeft: try entry["lstrip"].bool(default: false), stripsRight: try entry["rstrip"].bool(default: false),
                    isNormalized: try entry["normalized"].bool(default: true), isSpecial: try entry["special"].bool(default: false)))
        }
        return tokens
    }

    private static func truncation(_ field: JSONField) throws(TokenizerError) -> Truncation? {
        guard field.isPresent else { return nil }
        let strategy = try field["strategy"].string()
        guard let known = Truncation.Strategy(rawValue: strategy) else { throw field["strategy"].error("unknown strategy \(strategy)") }
        return Truncation(
            maximum: try field["max_length"].int(in: 0...Limits.sequenceLength), strategy: known,
            fromLeft: field["direction"].isPresent ? try isLeft(field["direction"]) : false)
    }

    private static func isLeft(_ field: JSONField) throws(TokenizerError) -> Bool {
        switch try field.string() {
        case "Left": return true
        case "Right": return false
        case let other: throw field.error("unknown direction \(other)")
        }
    }

    private static func padding(_ field: JSONField) throws(TokenizerError) -> Padding? {
        guard field.isPresent else { return nil }
        var padding = Padding(
            fromLeft: try isLeft(field["direction"]), id: try field["pad_id"].id(), type: try field["pad_type_id"].id(),
            token: try field["pad_token"].string())
        if field["pad_to_multiple_of"].isPresent { padding.multiple = try field["pad_to_multiple_of"].int(in: 0...Limits.sequenceLength) }
        let strategy = field["strategy"]
        if strategy["Fixed"].isPresent {
            padding.fixed = try strategy["Fixed"].int(in: 0...Limits.sequenceLength)
        } else if try strategy.string() != "BatchLongest" {
            throw strategy.error("expected \"BatchLongest\" or {\"Fixed\": n}")
        }
        return padding
    }
}
