/// The unigram language model (Kudo 2018): the segmentation of highest total score, found by Viterbi's algorithm.
struct UnigramModel: Sendable {
    let vocabulary: ByteVocabulary
    let unknownID: Int32
    /// Number of pieces, repeated ones included.
    let size: Int
    private let scores: [Double]
    private let repeated: [Int32: [UInt8]]
    private let byteFallback: Bool
    private let unknownScore: Double
    private let trie: ByteTrie
    private let fallbackIDs: [Int32]

    struct Workspace {
        fileprivate var best: [Node] = []
        fileprivate var path: [(start: Int, end: Int, id: Int32)] = []
    }

    fileprivate struct Node {
        var score = 0.0
        var start: Int32 = -1
        var id: Int32 = 0
    }

    /// - Parameters:
    ///   - vocabulary: piece to id, indexed; of repeated pieces the last id.
    ///   - repeated: the texts of ids that a later, equal piece has replaced.
    init(vocabulary: ByteVocabulary, scores: [Double], repeated: [Int32: [UInt8]], unknownID: Int32, byteFallback: Bool) {
        self.vocabulary = vocabulary
        self.scores = scores
        self.repeated = repeated
        self.unknownID = unknownID
        self.byteFallback = byteFallback
        size = scores.count
        unknownScore = (scores.reduce(Double.infinity) { $1 < $0 ? $1 : $0 }) - 10
        var trie = ByteTrie(capacity: vocabulary.count * 2)
        vocabulary.forEach { trie.insert($0, value: $1) }
        self.trie = trie
        fallbackIDs = ByteFallback.ids(in: vocabulary)
    }

    func text(of id: Int32) -> ArraySlice<UInt8>? { vocabulary.bytes(of: id) ?? repeated[id].map { $0[...] } }

    func tokenize(_ piece: inout AlignedText, _ work: inout Workspace, into tokens: inout [ModelToken]) {
        piece.spellByteLevel()
        piece.withBytes { bytes in
            guard forward(bytes, &work.best) else { return }
            work.path.removeAll(keepingCapacity: true)
            var end = bytes.count
            while end > 0 {
                let node = work.best[end]
                let start = Int(node.start)
                // Neighbouring unknown characters become one token.
                if node.id == unknownID, let last = work.path.last, last.id == unknownID {
                    work.path[work.path.count - 1].start = start
                } else {
                    work.path.append((start, end, node.id))
                }
                end = start
            }
            for part in work.path.reversed() { emit(bytes, part.start, part.end, into: &tokens) }
        }
    }

    private func emit(_ bytes: UnsafeBufferPointer<UInt8>, _ start: Int, _ end: Int, into tokens: inout [ModelToken]) {
        let text = UnsafeBufferPointer(rebasing: bytes[start..<end])
        let id = vocabulary.id(of: text)
        if id >= 0 {
            tokens.append(ModelToken(id: id, lower: start, upper: end))
        } else if byteFallback, text.allSatisfy({ fallbackIDs[Int($0)] >= 0 }) {
            for byte in text { tokens.append(ModelToken(id: fallbackIDs[Int(byte)], lower: start, upper: end)) }
        } else {
            tokens.append(ModelToken(id: unknownID, lower: start, upper: end, showsText: true))
        }
    }

    /// Best path to each position; false when some character has neither a piece nor an unknown token to stand for it.
    private func forward(_ bytes: UnsafeBufferPointer<UInt8>, _ best: inout [Node]) -> Bool {
        best.removeAll(keepingCapacity: true)
        best.append(contentsOf: repeatElement(Node(), count: bytes.count + 1))
        return best.withUnsafeMutableBufferPointer { best in
            func offer(_ end: Int, _ score: Double, _ start: Int, _ id: Int32) {
                if best[end].start < 0 || score > best[end].score {
                    best[end] = Node(score: score, start: Int32(truncatingIfNeeded: start), id: id)
                }
            }
            var start = 0
            while start < bytes.count {
                let sofar = best[start].score
                let length = min(UTF8Text.length(leading: bytes[start]), bytes.count - start)
                var hasSingle = false
                var node = 0
                var end = start
                while end < bytes.count, let next = trie.child(of: node, bytes[end]) {
                    node = next
                    end += 1
                    let id = trie.value(at: node)
                    guard id >= 0 else { continue }
                    offer(end, scores[Int(id)] + sofar, start, id)
                    hasSingle = hasSingle || end - start == length
                }
                if !hasSingle {
                    guard unknownID >= 0 else { return false }
                    offer(start + length, unknownScore + sofar, start, unknownID)
                }
                start += length
            }
            return true
        }
    }
}
