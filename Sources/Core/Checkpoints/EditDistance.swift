/// Names that a reader may have meant.
package enum EditDistance {
    /// Up to `limit` candidates within a distance of a third of the name, nearest first. Work is bounded: long names and
    /// candidates beyond the first 20,000 aren't compared.
    package static func nearest(to name: String, among candidates: some Sequence<String>, limit: Int = 3) -> [String] {
        let wanted = Array(name.utf8)
        guard wanted.count <= 256 else { return [] }
        let bound = max(2, wanted.count / 3)
        var found: [(distance: Int, name: String)] = []
        for candidate in candidates.prefix(20_000) {
            let cutoff = found.count == limit ? found[limit - 1].distance - 1 : bound
            guard let distance = between(wanted, Array(candidate.utf8), atMost: cutoff) else { continue }
            let place = found.firstIndex { $0.distance > distance } ?? found.count
            found.insert((distance, candidate), at: place)
            if found.count > limit { found.removeLast() }
        }
        return found.map(\.name)
    }

    /// Levenshtein distance, nil when it exceeds `bound`; only the diagonal band of that width is computed.
    static func between(_ a: [UInt8], _ b: [UInt8], atMost bound: Int) -> Int? {
        guard bound >= 0, abs(a.count - b.count) <= bound else { return nil }
        let far = bound + 1
        var previous = (0...b.count).map { min($0, far) }
        var current = previous
        for i in 1..<(a.count + 1) {
            let first = max(1, i - bound), last = min(b.count, i + bound)
            current[0] = min(i, far)
            if first > 1 { current[first - 1] = far }
            var best = current[first - 1]
            for j in stride(from: first, through: last, by: 1) {
                let substitution = previous[j - 1] + (a[i - 1] == b[j - 1] ? 0 : 1)
                let above = j <= i - 1 + bound ? previous[j] + 1 : far
                current[j] = min(substitution, above, current[j - 1] + 1, far)
                best = min(best, current[j])
            }
            if best > bound { return nil }
            swap(&previous, &current)
        }
        return previous[b.count] <= bound ? previous[b.count] : nil
    }
}
