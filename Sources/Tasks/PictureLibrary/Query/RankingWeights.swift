/// What a hit can be ranked by.
public enum Ranking: String, Sendable, CaseIterable {
    /// What pictures show: the similarity of vectors.
    case meaning
    /// Words of titles, descriptions, tags and names.
    case words
    /// Text that was read in pictures.
    case text
    case color
}

/// How much each ranking counts where several are put together; 0 leaves one out.
public struct RankingWeights: Sendable, Equatable {
    public static let largest = 1_000.0

    private var weights: [Ranking: Double] = [:]

    /// 1 each.
    public init() {}

    public subscript(_ ranking: Ranking) -> Double {
        get { weights[ranking] ?? 1 }
        set { weights[ranking] = newValue == 1 ? nil : newValue }
    }

    /// Whether none is left out.
    var isEveryRankingIn: Bool { !weights.values.contains(0) }

    /// `meaning=1,words=0.5,text=2,color=0`; what isn't named is 1.
    public init(_ text: String) throws(LibraryError) {
        for part in text.split(separator: ",", omittingEmptySubsequences: false) {
            let sides = part.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false).map { $0.filter { !$0.isWhitespace } }
            guard sides.count == 2, let weight = Double(sides[1]) else {
                throw .badQuery(reason: "the weight \"\(part.prefix(40))\" isn't as in \"meaning=1,words=0.5\"")
            }
            try set(sides[0], weight)
        }
    }

    /// - Throws: `.badQuery` for a ranking that there isn't, or a weight that isn't 0 to `largest`.
    public mutating func set(_ name: String, _ weight: Double) throws(LibraryError) {
        // As the British write it, too.
        guard let ranking = Ranking(rawValue: name == "colour" ? "color" : name) else {
            let known = Ranking.allCases.map(\.rawValue).joined(separator: ", ")
            throw .badQuery(reason: "there is no ranking \"\(name.prefix(40))\" to weigh; known: \(known)")
        }
        guard (0...Self.largest).contains(weight) else {
            throw .badQuery(reason: "the weight of \(ranking.rawValue) must be 0 to \(Int(Self.largest))")
        }
        self[ranking] = weight
    }
}

/// What one ranking says of a hit.
public struct RankingShare: Sendable, Equatable {
    public var ranking: Ranking
    /// The words that were ranked by, where there are words.
    public var words: String?
    /// Place from 1; equal scores share the mean of their places.
    public var rank: Double
    /// That of the ranking times that of the terms behind it.
    public var weight: Double
    /// What it adds to the hit's score: `weight / (60 + rank)`, or, where it is the only ranking, all of it.
    public var share: Double
}
