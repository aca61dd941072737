import Tensors

/// How well queries of one kind find what belongs to them.
public struct RetrievalScores: Sendable {
    public struct Recall: Sendable {
        public var k: Int
        /// Share of queries with a right answer among the first k, 0...1 (CLIP_benchmark's recall@k, Chinese-CLIP's R@k).
        public var share: Estimate
    }

    public var queries: Int
    public var candidates: Int
    public var recalls: [Recall]
    /// Mean of the recalls (Chinese-CLIP's MR).
    public var meanRecall: Estimate
    /// Of the ranks, which count from 1, of each query's best right answer.
    public var meanRank: Estimate
    /// The mean of the two middle ranks where their number is even.
    public var medianRank: Estimate
    /// Mean of 1 / rank.
    public var meanReciprocalRank: Estimate
}

/// Retrieval in both directions, with confidence intervals by resampling pictures together with their captions.
///
/// Recall@k is 1 for a query with at least one right answer among its first k and 0 otherwise, averaged over queries: CLIP_benchmark's
/// `zeroshot_retrieval` and Chinese-CLIP's `evaluation.py`. Pictures without captions are candidates but no queries, as in
/// Chinese-CLIP's annotations for text retrieval.
public struct RetrievalReport: Sendable {
    public let textToImage: RetrievalScores
    public let imageToText: RetrievalScores
    /// Mean of both directions' MR.
    public let meanRecall: Estimate

    /// - Parameters:
    ///   - images: `[pictures, dimension]`, in the order of the set; scaled to unit length here.
    ///   - texts: `[captions, dimension]`, likewise.
    ///   - ks: the k of recall@k, at least one, each at least 1.
    public init(
        _ set: RetrievalSet, images: Tensor, texts: Tensor, ks: [Int] = [1, 5, 10], bootstrap: Bootstrap = Bootstrap()
    ) throws {
        guard !ks.isEmpty, ks.allSatisfy({ $0 >= 1 }) else { throw EvaluationError.unusable("recall@k needs k of at least 1") }
        let (images, texts) = try Embeddings.pair(images, "the pictures' embeddings", texts, "the captions' embeddings")
        guard images.dim(0) == set.pictures.count else {
            throw EvaluationError.unusable("\(images.dim(0)) rows of pictures' embeddings for \(set.pictures.count) pictures")
        }
        guard texts.dim(0) == set.captions.count else {
            throw EvaluationError.unusable("\(texts.dim(0)) rows of captions' embeddings for \(set.captions.count) captions")
        }
        let (pictures, captions) = (images.unitLength(), texts.unitLength())
        let found = try Ranking.ranks(queries: captions, candidates: pictures, relevant: set.captions.map(\.pictures))
        let owned = set.captionsOfPictures
        let back = try Ranking.ranks(queries: pictures, candidates: captions, relevant: owned)
        // A caption of several pictures is drawn with its first.
        let forward = RankTable(ranks: found, units: set.captions.map { $0.pictures[0] }, ks: ks)
        let backward = RankTable(ranks: back, units: Array(set.pictures.indices), ks: ks)
        let estimates = bootstrap.estimates(units: set.pictures.count) { counts in
            let (a, b) = (forward.statistics(counts), backward.statistics(counts))
            return a + b + [(a[ks.count] + b[ks.count]) / 2]
        }
        let half = ks.count + 4
        textToImage = forward.scores(estimates[..<half], candidates: set.pictures.count)
        imageToText = backward.scores(estimates[half..<2 * half], candidates: set.captions.count)
        meanRecall = estimates[2 * half]
    }
}

/// The ranks of all queries, in an order that makes every statistic one pass.
private struct RankTable {
    private var ranks: [Int32] = [], units: [Int32] = []
    private let ks: [Int]

    /// A rank of 0 is a query without a right answer: none.
    init(ranks: [Int], units: [Int], ks: [Int]) {
        self.ks = ks
        let order = ranks.indices.filter { ranks[$0] > 0 }.sorted { (ranks[$0], $0) < (ranks[$1], $1) }
        self.ranks = order.map { Int32(clamping: ranks[$0]) }
        self.units = order.map { Int32(clamping: units[$0]) }
    }

    /// Recalls, their mean, mean rank, median rank and mean reciprocal rank where unit u counts `weights[u]` times.
    func statistics(_ weights: [Int32]) -> [Double] {
        var total = 0
        for unit in units { total += Int(weights[Int(unit)]) }
        guard total > 0 else { return [Double](repeating: .nan, count: ks.count + 4) }
        let low = (total - 1) / 2, high = total / 2
        var seen = 0, sum = 0, reciprocals = 0.0, middle = (0, 0), hits = [Int](repeating: 0, count: ks.count)
        for (rank, unit) in zip(ranks, units) {
            let weight = Int(weights[Int(unit)]), end = seen + weight
            if weight == 0 { continue }
            if seen <= low, low < end { middle.0 = Int(rank) }
            if seen <= high, high < end { middle.1 = Int(rank) }
            seen = end
            sum += weight * Int(rank)
            reciprocals += Double(weight) / Double(rank)
            for (place, k) in ks.enumerated() where Int(rank) <= k { hits[place] += weight }
        }
        let recalls = hits.map { Double($0) / Double(total) }
        return recalls
            + [
                recalls.reduce(0, +) / Double(ks.count), Double(sum) / Double(total), Double(middle.0 + middle.1) / 2,
                reciprocals / Double(total),
            ]
    }

    func scores(_ estimates: ArraySlice<Estimate>, candidates: Int) -> RetrievalScores {
        let values = Array(estimates), rest = ks.count
        return RetrievalScores(
            queries: ranks.count, candidates: candidates,
            recalls: zip(ks, values).map { RetrievalScores.Recall(k: $0, share: $1) },
            meanRecall: values[rest], meanRank: values[rest + 1], medianRank: values[rest + 2], meanReciprocalRank: values[rest + 3])
    }
}
