extension Model {
    static func read(_ field: JSONField) throws(TokenizerError) -> Model {
        let model = try field.object()
        let type = field["type"].isPresent ? try field["type"].string() : model["merges"] != nil ? "BPE" : "WordPiece"
        switch type {
        case "BPE": return .bpe(try bpe(field))
        case "WordPiece":
            let vocabulary = try vocabulary(field["vocab"])
            return .wordPiece(
                WordPieceModel(
                    vocabulary: vocabulary, unknownID: try unknown(field["unk_token"], vocabulary),
                    prefix: try field["continuing_subword_prefix"].utf8(),
                    maximumCharacters: try field["max_input_chars_per_word"].int(in: 0...Limits.sequenceLength)))
        case "Unigram": return .unigram(try unigram(field))
        case "WordLevel":
            let vocabulary = try vocabulary(field["vocab"])
            return .wordLevel(vocabulary, unknown: vocabulary.id(of: try field["unk_token"].utf8()))
        default: throw field["type"].error("the model \(type) is not supported (BPE, WordPiece, Unigram, WordLevel are)")
        }
    }

    private static func unknown(_ field: JSONField, _ vocabulary: ByteVocabulary) throws(TokenizerError) -> Int32 {
        let id = vocabulary.id(of: try field.utf8())
        guard id >= 0 else { throw field.error("\(try field.string()) is not in the vocabulary") }
        return id
    }

    /// An object from token to id.
    static func vocabulary(_ field: JSONField) throws(TokenizerError) -> ByteVocabulary {
        let entries = try field.object()
        guard entries.count <= Limits.vocabularyEntries else {
            throw field.error("\(entries.count) entries; at most \(Limits.vocabularyEntries) are read")
        }
        var vocabulary = ByteVocabulary(capacity: entries.count)
        var text: [UInt8] = []
        try entries.forEachMember { (key, value) throws(TokenizerError) in
            text.removeAll(keepingCapacity: true)
            key.appendText(to: &text)
            guard let id = value.int, id >= 0, id <= Limits.largestID else {
                throw field.error("the id of \(String(decoding: text, as: UTF8.self)) is not a whole number in 0...\(Limits.largestID)")
            }
            vocabulary.insert(text, id: Int32(id))
        }
        try index(&vocabulary, field)
        return vocabulary
    }

    private static func index(_ vocabulary: inout ByteVocabulary, _ field: JSONField) throws(TokenizerError) {
        if let (first, second, id) = vocabulary.indexIDs() {
            throw field.error(
                "id \(id) belongs to both \(String(decoding: first, as: UTF8.self)) and \(String(decoding: second, as: UTF8.self))")
        }
    }

    private static func bpe(_ field: JSONField) throws(TokenizerError) -> BPEModel {
        let dropout = field["dropout"]
        if dropout.isPresent {
            guard let rate = dropout.value?.double else { throw dropout.error("expected a number") }
            guard rate == 0 else { throw dropout.error("\(rate): dropout makes tokenisation random and is not supported") }
        }
        let options = BPEModel.Options(
            unknown: try field["unk_token"].utf8(default: nil),
            continuingPrefix: try field["continuing_subword_prefix"].utf8(default: []) ?? [],
            endSuffix: try field["end_of_word_suffix"].utf8(default: []) ?? [], fusesUnknown: try field["fuse_unk"].bool(default: false),
            byteFallback: try field["byte_fallback"].bool(default: false), ignoresMerges: try field["ignore_merges"].bool(default: false))
        let vocabulary = try vocabulary(field["vocab"])
        let list = field["merges"]
        guard let merges = list.value, merges.kind == .array else { throw list.error("missing; expected an array of merges") }
        guard merges.count <= Limits.vocabularyEntries else {
            throw list.error("\(merges.count) merges; at most \(Limits.vocabularyEntries) are read")
        }
        var builder = BPEMergeBuilder(vocabulary, capacity: merges.count, prefix: options.continuingPrefix.count, file: field.file)
        try merges.forEach { (merge) throws(TokenizerError) in
            if merge.kind == .array {
                // Two strings are the two nodes after their array.
                let left = JSONValue(document: merge.document, index: merge.index + 1)
                let right = JSONValue(document: merge.document, index: merge.index + 2)
                guard merge.count == 2, left.isString, right.isString else {
                    throw list.error("merge \(builder.count) is not a pair of strings")
                }
                builder.begin()
                left.appendText(to: &builder.text)
                builder.separate()
                right.appendText(to: &builder.text)
                try builder.finish(list.path)
            } else {
                guard merge.isString else { throw list.error("merge \(builder.count) is neither a string nor a pair") }
                builder.begin()
                merge.appendText(to: &builder.text)
                try builder.splitAtSpace(list.path)
            }
        }
        return BPEModel(vocabulary: vocabulary, merges: builder.table, options: options)
    }

    private static func unigram(_ field: JSONField) throws(TokenizerError) -> UnigramModel {
        let list = field["vocab"]
        guard let entries = list.value, entries.kind == .array else { throw list.error("missing; expected an array of [piece, score]") }
        guard entries.count <= Limits.vocabularyEntries else {
            throw list.error("\(entries.count) entries; at most \(Limits.vocabularyEntries) are read")
        }
        var vocabulary = ByteVocabulary(capacity: entries.count)
        var scores: [Double] = []
        var repeated: [Int32: [UInt8]] = [:]
        scores.reserveCapacity(entries.count)
        var text: [UInt8] = []
        try entries.forEach { (entry) throws(TokenizerError) in
            let id = Int32(scores.count)
            guard entry.kind == .array, entry.count == 2 else { throw list.error("entry \(id) is not [piece, score]") }
            let piece = JSONValue(document: entry.document, index: entry.index + 1)
            guard piece.isString, let value = JSONValue(document: entry.document, index: entry.index + 2).double else {
                throw list.error("entry \(id) is not [piece, score]")
            }
            text.removeAll(keepingCapacity: true)
            piece.appendText(to: &text)
            let earlier = vocabulary.id(of: text)
            if earlier >= 0 { repeated[earlier] = text }
            vocabulary.insert(text, id: id)
            scores.append(value)
        }
        try index(&vocabulary, list)
        let unknown = field["unk_id"].isPresent ? try field["unk_id"].id() : -1
        guard Int(unknown) < scores.count else { throw field["unk_id"].error("\(unknown) is beyond the \(scores.count) pieces") }
        return UnigramModel(
            vocabulary: vocabulary, scores: scores, repeated: repeated, unknownID: unknown,
            byteFallback: try field["byte_fallback"].bool(default: false))
    }
}

/// Collects merges, looking up both sides and what they make.
struct BPEMergeBuilder {
    private let vocabulary: ByteVocabulary
    private let prefix: Int
    private let file: String
    private(set) var table: IntegerTable
    private(set) var count = 0
    /// The merge being read: both sides one after the other.
    var text: [UInt8] = []
    private var middle = 0

    init(_ vocabulary: ByteVocabulary, capacity: Int, prefix: Int, file: String) {
        self.vocabulary = vocabulary
        self.prefix = prefix
        self.file = file
        table = IntegerTable(capacity: capacity)
    }

    mutating func begin() { text.removeAll(keepingCapacity: true) }

    mutating func separate() { middle = text.count }

    /// Finishes a merge written as "left right".
    mutating func splitAtSpace(_ field: String) throws(TokenizerError) {
        guard let space = text.firstIndex(of: 32), text.lastIndex(of: 32) == space else {
            throw TokenizerError(
                file: file, field: "\(field)[\(count)]",
                "\"\(String(decoding: text, as: UTF8.self))\" is not two tokens with one space between")
        }
        text.remove(at: space)
        middle = space
        try finish(field)
    }

    mutating func finish(_ field: String) throws(TokenizerError) {
        guard text.count - middle >= prefix else {
            throw TokenizerError(file: file, field: "\(field)[\(count)]", "the right side is shorter than the continuing prefix")
        }
        let (left, right, whole) = text.withUnsafeBufferPointer { bytes in
            let left = vocabulary.id(of: UnsafeBufferPointer(rebasing: bytes[..<middle]))
            let right = vocabulary.id(of: UnsafeBufferPointer(rebasing: bytes[middle...]))
            if prefix == 0 { return (left, right, vocabulary.id(of: bytes)) }
            return (left, right, vocabulary.id(of: Array(bytes[..<middle]) + bytes[(middle + prefix)...]))
        }
        guard left >= 0, right >= 0, whole >= 0 else {
            let missing = left < 0 ? text[..<middle] : right < 0 ? text[middle...] : text[...]
            throw TokenizerError(
                file: file, field: "\(field)[\(count)]", "the token \(String(decoding: missing, as: UTF8.self)) is not in the vocabulary")
        }
        table.set(UInt64(UInt32(left)) << 32 | UInt64(UInt32(right)), UInt64(count) << 32 | UInt64(UInt32(whole)))
        count += 1
    }
}
