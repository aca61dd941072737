import Tensors

/// Where the right answers stand when candidates are ordered by their inner product with a query.
///
/// Equal scores keep the order of the candidates, as the stable sort of Chinese-CLIP's evaluation does: a model that gives everything
/// one vector gets what chance gives. (CLIP_benchmark takes `torch.topk`, which leaves the order of equal scores open.)
/// No list is sorted: a rank is one more than the number of candidates that stand before the answer.
enum Ranking {
    /// The rank, from 1, of the best of each query's right answers; 0 for a query that has none.
    /// - Parameters:
    ///   - queries: `[n, dimension]`.
    ///   - candidates: `[m, dimension]`.
    ///   - relevant: the candidates that are right, for each query.
    static func ranks(queries: Tensor, candidates: Tensor, relevant: [[Int]]) throws -> [Int] {
        var ranks: [Int] = []
        ranks.reserveCapacity(relevant.count)
        try queries.forEachProductBlock(with: candidates) { first, products in
            ranks += ranksOfBlock(products, Array(relevant[first..<first + products.dim(0)]))
        }
        return ranks
    }

    private static func ranksOfBlock(_ products: Tensor, _ relevant: [[Int]]) -> [Int] {
        let (rows, columns) = (products.dim(0), products.dim(1))
        return products.withElements(Float.self) { scores in
            [Int](unsafeUninitializedCapacity: rows) { buffer, count in
                nonisolated(unsafe) let scores = scores.baseAddress!
                nonisolated(unsafe) let out = buffer.baseAddress!
                ThreadPool.parallelFor(rows, grain: 1 + 16_384 / (columns + 1)) { range in
                    for row in range { (out + row).initialize(to: rank(scores + row * columns, columns, relevant[row])) }
                }
                count = rows
            }
        }
    }

    private static func rank(_ scores: UnsafePointer<Float>, _ count: Int, _ relevant: [Int]) -> Int {
        guard var best = relevant.first else { return 0 }
        for place in relevant where (scores[place], best) > (scores[best], place) { best = place }
        let score = scores[best]
        var before: Int32 = 1
        for place in 0..<best { before &+= scores[place] >= score ? 1 : 0 }
        for place in best + 1..<max(count, best + 1) { before &+= scores[place] > score ? 1 : 0 }
        return Int(before)
    }
}
