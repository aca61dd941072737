import Tensors

/// The nearest rows by inner product, best first; equal scores in the order of the rows.
struct NearestRows: Sendable {
    let count: Int
    /// `count` numbers of rows for each query.
    let indices: [Int32]
    /// Their inner products.
    let scores: [Float]

    /// - Parameters:
    ///   - count: neighbours of a query; at most the number of candidates, less one where a row isn't its own neighbour.
    ///   - excludesItself: leaves candidate i out for query i.
    init(of queries: Tensor, among candidates: Tensor, count: Int, excludesItself: Bool = false) throws {
        self.count = count
        var indices = [Int32](repeating: 0, count: queries.dim(0) * count)
        var scores = [Float](repeating: 0, count: queries.dim(0) * count)
        try queries.forEachProductBlock(with: candidates) { first, products in
            let (rows, columns) = (products.dim(0), products.dim(1))
            products.withElements(Float.self) { values in
                indices.withUnsafeMutableBufferPointer { indices in
                    scores.withUnsafeMutableBufferPointer { scores in
                        nonisolated(unsafe) let values = values.baseAddress!
                        nonisolated(unsafe) let chosen = indices.baseAddress!
                        nonisolated(unsafe) let kept = scores.baseAddress!
                        ThreadPool.parallelFor(rows, grain: 1 + 16_384 / (columns + 1)) { range in
                            for row in range {
                                let place = (first + row) * count
                                Self.select(
                                    values + row * columns, columns, without: excludesItself ? first + row : -1, count, chosen + place,
                                    kept + place)
                            }
                        }
                    }
                }
            }
        }
        (self.indices, self.scores) = (indices, scores)
    }

    subscript(query: Int) -> ArraySlice<Int32> { indices[query * count..<(query + 1) * count] }
    func scores(of query: Int) -> ArraySlice<Float> { scores[query * count..<(query + 1) * count] }

    /// Keeps an ordered list: after the first candidates few are better than its last.
    private static func select(
        _ values: UnsafePointer<Float>, _ columns: Int, without own: Int, _ count: Int, _ indices: UnsafeMutablePointer<Int32>,
        _ scores: UnsafeMutablePointer<Float>
    ) {
        var filled = 0
        for column in 0..<columns where column != own {
            let value = values[column]
            if filled == count, value <= scores[count - 1] { continue }
            var place = filled == count ? count - 1 : filled
            while place > 0, scores[place - 1] < value {
                (scores[place], indices[place]) = (scores[place - 1], indices[place - 1])
                place -= 1
            }
            (scores[place], indices[place]) = (value, Int32(truncatingIfNeeded: column))
            if filled < count { filled += 1 }
        }
    }
}
