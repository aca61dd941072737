/// BERT's greedy longest-match tokenisation of words.
struct WordPieceModel: Sendable {
    let vocabulary: ByteVocabulary
    let unknownID: Int32
    let maximumCharacters: Int
    private let trie: ByteTrie
    /// Where entries that continue a word begin, if there are any.
    private let continuation: Int?

    init(vocabulary: ByteVocabulary, unknownID: Int32, prefix: [UInt8], maximumCharacters: Int) {
        self.vocabulary = vocabulary
        self.unknownID = unknownID
        self.maximumCharacters = maximumCharacters
        var trie = ByteTrie(capacity: vocabulary.count * 3)
        vocabulary.forEach { trie.insert($0, value: $1) }
        self.trie = trie
        continuation = trie.node(after: prefix)
    }

    func tokenize(_ piece: inout AlignedText, into tokens: inout [ModelToken]) {
        piece.spellByteLevel()
        let before = tokens.count
        let isKnown = piece.withBytes { bytes in
            guard bytes.count(where: { $0 & 0xC0 != 0x80 }) <= maximumCharacters else { return false }
            var start = 0
            while start < bytes.count {
                guard let root = start == 0 ? 0 : continuation, let found = trie.longest(bytes, from: start, end: bytes.count, root: root)
                else { return false }
                tokens.append(ModelToken(id: found.value, lower: start, upper: found.end))
                start = found.end
            }
            return true
        }
        if !isKnown {
            tokens.removeSubrange(before...)
            tokens.append(ModelToken(id: unknownID, lower: 0, upper: piece.count))
        }
    }
}
