import Imaging

/// What to look for.
public struct Query: Sendable {
    /// May be empty when there is a colour or a filter.
    public var terms: [QueryTerm]
    public var filter: WhereFilter?
    public var color: ColorQuery?
    /// Only pictures in this folder or beneath it.
    public var folder: FilePath?
    /// Most hits.
    public var limit: Int
    /// Hits with less are left out: of similarity where the query has vectors, else of the score.
    public var minScore: Double?
    /// How much each ranking counts. Words that can't be compared with pictures are looked up though both weights of words be 0.
    public var weights: RankingWeights

    /// Where hits end before the limit.
    public var cutoff: Cutoff

    public static let largestLimit = 100_000

    public init(
        terms: [QueryTerm] = [], filter: WhereFilter? = nil, color: ColorQuery? = nil, folder: FilePath? = nil, limit: Int = 20,
        minScore: Double? = nil, weights: RankingWeights = RankingWeights(), cutoff: Cutoff = .off
    ) {
        self.terms = terms
        self.filter = filter
        self.color = color
        self.folder = folder
        self.limit = limit
        self.minScore = minScore
        self.weights = weights
        self.cutoff = cutoff
    }
}

/// One picture found. Files with equal bytes are one hit.
public struct SearchHit: Sendable, Equatable {
    /// From 1.
    public var rank: Int
    /// Of the file in the catalogue; a file that was moved keeps it.
    public var id: Int64
    public var path: FilePath
    /// What hits are ordered by: the sum of reciprocal rank fusion where several rankings took part; else of the only one:
    /// the cosine similarity, the text's bm25 (turned so that more is better), or the colour's score.
    public var score: Double
    /// Cosine of the picture's vector and the query's, -1 to 1; nil without vectors.
    public var similarity: Double?
    /// Best bm25 over the query's words; more is better.
    public var textScore: Double?
    /// The line of text in the picture that fits best.
    public var readLine: String?
    public var colorScore: Double?
    /// Each ranking that knows the picture: its place there, and what that adds to the score.
    public var shares: [RankingShare]
    public var title: String?
    public var width: Int
    public var height: Int
    /// Other files with the same bytes that also pass the filters.
    public var copies: [FilePath]

    /// Place in the vector ranking, from 1; nil where it didn't come that far. Equal scores share the mean of their places.
    public var vectorRank: Double? { rank(.meaning) }
    public var textRank: Double? { rank(.words) }
    /// Place among the pictures in which these words can be read; nil where they can't.
    public var readRank: Double? { rank(.text) }
    /// Place in the ranking by colour; where other rankings take part, among what they found.
    public var colorRank: Double? { rank(.color) }

    private func rank(_ ranking: Ranking) -> Double? { shares.filter { $0.ranking == ranking }.map(\.rank).min() }
}
