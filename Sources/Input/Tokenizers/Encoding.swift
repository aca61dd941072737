/// The tokens of one text or pair of texts. All arrays have the same length.
public struct Encoding: Sendable, Equatable {
    /// Vocabulary ids.
    public internal(set) var ids: [Int32] = []
    /// The tokens' texts as the vocabulary spells them (unknown and stripped text as it stands in the input).
    public internal(set) var tokens: [String] = []
    /// Unicode scalar ranges of the input text, as Python counts them; `0..<0` for special tokens and padding. A token of
    /// the pair refers to the pair's text.
    public internal(set) var offsets: [Range<Int>] = []
    /// 1 for tokens that a post-processor or padding put in.
    public internal(set) var specialTokensMask: [UInt8] = []
    /// The segment each token belongs to.
    public internal(set) var typeIDs: [Int32] = []
    /// 0 for padding.
    public internal(set) var attentionMask: [UInt8] = []

    public init() {}

    public var count: Int { ids.count }

    mutating func append(id: Int32, token: String, offsets range: Range<Int>, type: Int32, special: Bool) {
        ids.append(id)
        tokens.append(token)
        offsets.append(range)
        typeIDs.append(type)
        specialTokensMask.append(special ? 1 : 0)
        attentionMask.append(1)
    }

    mutating func append(_ other: Encoding) {
        ids += other.ids
        tokens += other.tokens
        offsets += other.offsets
        typeIDs += other.typeIDs
        specialTokensMask += other.specialTokensMask
        attentionMask += other.attentionMask
    }

    mutating func setType(_ type: Int32) { typeIDs = Array(repeating: type, count: count) }

    mutating func keep(_ range: Range<Int>) {
        ids = Array(ids[range])
        tokens = Array(tokens[range])
        offsets = Array(offsets[range])
        typeIDs = Array(typeIDs[range])
        specialTokensMask = Array(specialTokensMask[range])
        attentionMask = Array(attentionMask[range])
    }
}
