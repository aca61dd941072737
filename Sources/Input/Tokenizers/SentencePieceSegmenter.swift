/// The two segmentations of SentencePiece over normalised text, as ranges and piece ids.
enum SentencePieceSegmenter {
    private struct Node {
        var score: Float = 0
        var start = -1
        var id: Int32 = -1
    }

    /// `unigram_model.cc`, `EncodeOptimized`, with its single-precision sums.
    static func unigram(_ model: SentencePieceModel, _ text: [UInt8]) -> [(range: Range<Int>, id: Int32)] {
        var best = [Node](repeating: Node(), count: text.count + 1)
        let unknownScore = model.minimumScore - 10
        func offer(_ end: Int, _ score: Double, _ start: Int, _ id: Int32) {
            if best[end].start < 0 || score > Double(best[end].score) { best[end] = Node(score: Float(score), start: start, id: id) }
        }
        var start = 0
        while start < text.count {
            let sofar = best[start].score
            let length = min(UTF8Text.length(leading: text[start]), text.count - start)
            var hasSingle = false
            var node = 0
            var end = start
            while end < text.count, let next = model.trie.child(of: node, text[end]) {
                node = next
                end += 1
                let id = model.trie.value(at: node)
                guard id >= 0, model.types[Int(id)] != .unused else { continue }
                if model.types[Int(id)] == .userDefined {
                    // Certain to win: a little less than the best score there is, for every byte.
                    offer(end, Double(Float(end - start) * model.maximumScore) - 0.1 + Double(sofar), start, id)
                } else {
                    offer(end, Double(model.scores[Int(id)] + sofar), start, id)
                }
                hasSingle = hasSingle || end - start == length
            }
            if !hasSingle { offer(start + length, Double(unknownScore + sofar), start, model.unknownID) }
            start += length
        }
        var out: [(range: Range<Int>, id: Int32)] = []
        var end = text.count
        while end > 0 {
            out.append((best[end].start..<end, best[end].id))
            end = best[end].start
        }
        return out.reversed()
    }

    private struct Symbol {
        var range: Range<Int>
        var previous: Int
        var next: Int
        var isFrozen: Bool
    }

    private struct Pair {
        var left: Int
        var right: Int
        var score: Float
        var size: Int

        func precedes(_ other: Pair) -> Bool { score != other.score ? score > other.score : left < other.left }
    }

    /// `bpe_model.cc`: merges the adjacent pieces of highest joint score until none is left.
    static func bpe(_ model: SentencePieceModel, _ text: [UInt8]) -> [(range: Range<Int>, id: Int32)] {
        var symbols = self.symbols(model, text)
        guard !symbols.isEmpty else { return [] }
        var heap: [Pair] = []
        var halves: [ArraySlice<UInt8>: Int] = [:]
        func offer(_ left: Int, _ right: Int) {
            guard left >= 0, right >= 0, !symbols[left].isFrozen, !symbols[right].isFrozen else { return }
            let range =
                symbols[left].range.lowerBound..<symbols[left].range.lowerBound + symbols[left].range.count + symbols[right].range.count
            let id = model.textual.id(of: text[range])
            guard id >= 0 else { return }
            push(Pair(left: left, right: right, score: model.scores[Int(id)], size: range.count), &heap)
            if model.types[Int(id)] == .unused { halves[text[range]] = symbols[left].range.count }
        }
        for right in symbols.indices.dropFirst() { offer(right - 1, right) }
        while let top = pop(&heap) {
            let (left, right) = (symbols[top.left].range, symbols[top.right].range)
            guard !left.isEmpty, !right.isEmpty, left.count + right.count == top.size else { continue }
            symbols[top.left].range = left.lowerBound..<left.lowerBound + top.size
            symbols[top.left].next = symbols[top.right].next
            if symbols[top.right].next >= 0 { symbols[symbols[top.right].next].previous = top.left }
            symbols[top.right].range = right.lowerBound..<right.lowerBound
            offer(symbols[top.left].previous, top.left)
            offer(top.left, symbols[top.left].next)
        }
        var out: [(range: Range<Int>, id: Int32)] = []
        var index = 0
        while index >= 0 {
            emit(model, text, symbols[index].range, halves, into: &out)
            index = symbols[index].next
        }
        return out
    }

    private static func symbols(_ model: SentencePieceModel, _ text: [UInt8]) -> [Symbol] {
        var symbols: [Symbol] = []
        text.withUnsafeBufferPointer { bytes in
            var start = 0
            while start < bytes.count {
                let symbol = model.userDefined?.longest(bytes, from: start, end: bytes.count)
                let end = symbol?.end ?? min(start + UTF8Text.length(leading: bytes[start]), bytes.count)
                let index = symbols.count
                symbols.append(
                    Symbol(range: start..<end, previous: index - 1, next: end == bytes.count ? -1 : index + 1, isFrozen: symbol != nil))
                start = end
            }
        }
        return symbols
    }

    /// Puts out a symbol; one that is an unused piece falls back into the halves it was made of.
    private static func emit(
        _ model: SentencePieceModel, _ text: [UInt8], _ range: Range<Int>, _ halves: [ArraySlice<UInt8>: Int],
        into out: inout [(range: Range<Int>, id: Int32)]
    ) {
        var open = [range]
        while let part = open.popLast() {
            let id = model.id(of: Array(text[part])) ?? model.unknownID
            if model.types[Int(id)] == .unused, let half = halves[text[part]], half > 0, half < part.count {
                open.append(part.lowerBound + half..<part.upperBound)
                open.append(part.lowerBound..<part.lowerBound + half)
            } else {
                out.append((part, id))
            }
        }
    }

    private static func push(_ pair: Pair, _ heap: inout [Pair]) {
        heap.append(pair)
        var child = heap.count - 1
        while child > 0, heap[child].precedes(heap[(child - 1) / 2]) {
            heap.swapAt(child, (child - 1) / 2)
            child = (child - 1) / 2
        }
    }

    private static func pop(_ heap: inout [Pair]) -> Pair? {
        guard let top = heap.first, let last = heap.popLast() else { return nil }
        guard !heap.isEmpty else { return top }
        heap[0] = last
        var parent = 0
        while true {
            var first = parent
            for child in [parent * 2 + 1, parent * 2 + 2] where child < heap.count && heap[child].precedes(heap[first]) { first = child }
            if first == parent { return top }
            heap.swapAt(parent, first)
            parent = first
        }
    }
}
