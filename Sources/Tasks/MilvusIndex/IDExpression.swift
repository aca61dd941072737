import VectorIndex

/// Filters of ids as Milvus' expressions, each of a bounded size: what passes any of them is exactly the set.
enum IDExpression {
    /// Ids that one expression lists.
    static let mostListed = 8_192
    /// Runs of consecutive ids from this length on are said by their ends.
    static let leastRun = 64
    /// Of these in one expression.
    static let mostRuns = 16

    static func within(_ range: ClosedRange<Int64>) -> String {
        // The smallest number can't be written: without its sign it is one too large.
        let upper = "id <= \(range.upperBound)"
        return range.lowerBound > Int64.min ? "id >= \(range.lowerBound) && " + upper : upper
    }

    static func among(_ ids: some Collection<Int64>) -> String { "id in [" + ids.map(literal).joined(separator: ",") + "]" }

    private static func literal(_ id: Int64) -> String { "\(id)" }

    /// - Parameter largest: ids that pass one expression, at most.
    static func parts(_ filter: IDSet, largest: Int) -> [(expression: String, count: Int)] {
        let ids = filter.sorted
        var parts: [(String, Int)] = [], listed: [Int64] = [], runs: [String] = [], inRuns = 0, start = 0
        func flushRuns() {
            if !runs.isEmpty { parts.append((runs.joined(separator: " || "), inRuns)) }
            (runs, inRuns) = ([], 0)
        }
        while start < ids.count {
            var end = start + 1
            while end < ids.count, ids[end] == ids[end - 1] &+ 1, end - start < largest { end += 1 }
            if end - start >= leastRun {
                if inRuns + end - start > largest || runs.count == mostRuns { flushRuns() }
                runs.append("(" + within(ids[start]...ids[end - 1]) + ")")
                inRuns += end - start
            } else {
                listed += ids[start..<end]
            }
            start = end
        }
        flushRuns()
        for place in stride(from: 0, to: listed.count, by: min(mostListed, largest)) {
            let part = listed[place..<min(listed.count, place + min(mostListed, largest))]
            parts.append((among(part), part.count))
        }
        return parts
    }
}
