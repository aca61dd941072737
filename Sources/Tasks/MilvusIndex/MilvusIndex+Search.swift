import Tensors
import VectorIndex

extension MilvusIndex {
    /// As `LocalIndex.search`. A filter of many ids, and more hits than the server gives at once, become several searches whose hits are
    /// merged: the answer is the same.
    public func search(_ queries: Tensor, k: Int, filter: IDSet? = nil) throws(IndexError) -> [[Hit]] {
        guard k >= 0 else { throw .invalid(operation: "search", field: "k", value: "\(k)", expected: "0 or more") }
        guard queries.rank == 2, queries.shape[1] == dimension, queries.dtype.isFloatingPoint else {
            throw .invalid(
                operation: "search", field: "queries", value: "\(queries.dtype) \(queries.shape)", expected: "floats [n, \(dimension)]")
        }
        let count = queries.shape[0]
        var values = queries.asType(.f32).floats(), hits = [[Hit]](repeating: [], count: count)
        for row in 0..<count { try prepare(&values, row, "search", "query \(row)") }
        guard count > 0, k > 0 else { return hits }
        for part in try parts(k, filter) {
            // A few more, so that equal scores at the end can come by smaller id.
            let wanted = min(part.count, k + 16, Self.mostHits)
            guard wanted > 0 else { continue }
            let block = max(1, min(1_024, (1 << 20) / wanted))
            for start in stride(from: 0, to: count, by: block) {
                let rows = start..<min(count, start + block)
                for (place, found) in try search(values, rows, wanted, part.expression).enumerated() {
                    let row = start + place, isFirst = hits[row].isEmpty
                    hits[row] += found
                    if !isFirst || found.count > k { hits[row] = Self.best(hits[row], k) }
                }
            }
        }
        return hits.map { Self.best($0, k) }
    }

    private static func best(_ hits: [Hit], _ k: Int) -> [Hit] {
        Array(hits.sorted { $0.score > $1.score || ($0.score == $1.score && $0.id < $1.id) }.prefix(k))
    }

    /// Searches that together see all that passes: their filters, and how many ids pass each at most.
    private func parts(_ k: Int, _ filter: IDSet?) throws(IndexError) -> [(expression: String?, count: Int)] {
        let isDeep = k > Self.mostHits
        if let filter {
            return IDExpression.parts(filter, largest: isDeep ? Self.mostHits : .max).map { (expression: $0.expression, count: $0.count) }
        }
        guard isDeep else { return [(nil, .max)] }
        return try ranges(most: Self.mostHits).map { (expression: IDExpression.within($0), count: Self.mostHits) }
    }

    private func search(_ values: [Float], _ rows: Range<Int>, _ k: Int, _ expression: String?) throws(IndexError) -> [[Hit]] {
        let answer = try reading { (after) throws(IndexError) in
            let message = values.withUnsafeBufferPointer { all in
                MilvusMessage.search(
                    address, metric: serverMetric,
                    queries: UnsafeBufferPointer(rebasing: all[rows.lowerBound * dimension..<rows.upperBound * dimension]),
                    count: rows.count, k: k, expression: expression, after: after)
            }
            return try client.call("Search", message, "search")
        }
        let found = try client.reading("search") { () throws(ProtobufReader.Malformed) in
            try MilvusRows.hits(answer, queries: rows.count)
        }
        // Milvus says how far L2 is, we how near.
        return found.map { hits in hits.map { Hit(id: $0.id, score: metric == .l2 ? -$0.score : $0.score) } }
    }
}
