/// What becomes of the delimiters that a splitting pre-tokenizer finds.
enum SplitBehavior: String, Sendable {
    case removed = "Removed"
    case isolated = "Isolated"
    case mergedWithPrevious = "MergedWithPrevious"
    case mergedWithNext = "MergedWithNext"
    case contiguous = "Contiguous"

    /// Ranges to keep out of `count` bytes, given the matches in ascending order. With `invert`, what lies between
    /// matches counts as the match.
    func parts(of count: Int, matches: [Range<Int>], invert: Bool = false) -> [Range<Int>] {
        var pieces: [(range: Range<Int>, isMatch: Bool)] = []
        pieces.reserveCapacity(matches.count * 2 + 1)
        var last = 0
        for match in matches {
            if last != match.lowerBound { pieces.append((last..<match.lowerBound, invert)) }
            pieces.append((match, !invert))
            last = match.upperBound
        }
        if last != count || count == 0 { pieces.append((last..<count, invert)) }
        return select(pieces)
    }

    private func select(_ pieces: [(range: Range<Int>, isMatch: Bool)]) -> [Range<Int>] {
        switch self {
        case .isolated: return pieces.map(\.range)
        case .removed: return pieces.compactMap { $0.isMatch ? nil : $0.range }
        case .contiguous: return joined(pieces) { $0 == $1 }
        case .mergedWithPrevious: return joined(pieces) { current, previous in current && !previous }
        case .mergedWithNext:
            var out: [Range<Int>] = []
            var previous = false
            for piece in pieces.reversed() {
                if piece.isMatch, !previous, let last = out.last {
                    out[out.count - 1] = piece.range.lowerBound..<last.upperBound
                } else {
                    out.append(piece.range)
                }
                previous = piece.isMatch
            }
            return out.reversed()
        }
    }

    private func joined(_ pieces: [(range: Range<Int>, isMatch: Bool)], _ joins: (Bool, Bool) -> Bool) -> [Range<Int>] {
        var out: [Range<Int>] = []
        var previous = false
        for piece in pieces {
            if joins(piece.isMatch, previous), let last = out.last {
                out[out.count - 1] = last.lowerBound..<piece.range.upperBound
            } else {
                out.append(piece.range)
            }
            previous = piece.isMatch
        }
        return out
    }
}
