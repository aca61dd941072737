import Foundation

/// Where the hits of a query end.
public enum Cutoff: Sendable, Equatable {
    /// At the limit only.
    case off
    /// Where pictures are no more similar to the query than pictures that have nothing to do with it: worked out from the library itself.
    case auto
    /// At this similarity.
    case similarity(Double)

    /// `auto`, `off` or a similarity.
    public init(_ text: String) throws(LibraryError) {
        switch text {
        case "auto": self = .auto
        case "off": self = .off
        default:
            guard let least = Double(text), least.isFinite else {
                throw .badQuery(reason: "the cut-off \"\(text.prefix(40))\" is neither auto nor off nor a similarity")
            }
            self = .similarity(least)
        }
    }
}

/// Where the hits of a query ended, and why there.
public struct CutoffReport: Sendable, Equatable {
    /// What the threshold was worked out from.
    public struct Calibration: Sendable, Equatable {
        /// Median similarity of the query to the library's pictures.
        public var median: Double
        /// How far similarities of unrelated queries lie from their median, as a standard deviation.
        public var spread: Double
        /// Pictures that were looked at for both.
        public var sample: Int
        /// Pictures that could have been found.
        public var candidates: Int
    }

    /// Pictures with less similarity aren't hits, but where every word asked for stands in what is written about them or read in them.
    /// Nil where nothing could be worked out.
    public var threshold: Double?
    /// Why there is no threshold.
    public var reason: String?
    /// Hits that were left out, among as many as were asked for.
    public var cut = 0
    /// Nil for a threshold that was given.
    public var calibration: Calibration?
}

/// How similar pictures are to a query with which they have nothing to do.
///
/// Most pictures of a library have nothing to do with a query, so the median of the query's similarities is theirs; captions of the kind
/// that the library is full of are the exception, and for these it isn't taken to be higher than background queries allow. How far
/// unrelated similarities lie from the median is taken from background queries, too: those of this one can be of two kinds, what it is
/// about and what it isn't. Beyond that they are taken to be normal.
///
/// A picture is a hit as long as, of those at least as similar, no more than `falseShare` would be there by chance
/// (Benjamini, Hochberg, "Controlling the false discovery rate", 1995): a query that many pictures fit goes deeper than one that few
/// do, and one that none fits finds none, in small libraries and large ones alike.
struct Background: Sendable, Equatable {
    /// Part of the hits that may be there by chance.
    static let falseShare = 0.05
    /// Fewer pictures say nothing about the rest.
    static let leastSample = 50
    static let sample = 2_000
    /// Background queries where these are pictures of the sample.
    static let pictureQueries = 64
    /// How far, in spreads, the median may lie above that of background queries.
    private static let highestMedian = 2.0

    /// Of the background queries: the median of their medians, and of the distances to the 16 % below, a normal's standard deviation.
    let median: Double
    let spread: Double

    /// - Parameter similarities: of each background query to the pictures of the sample.
    init(_ similarities: [[Float]]) {
        let sorted = similarities.map { $0.sorted() }
        median = Self.quantile(sorted.map { Self.quantile($0, 0.5) }.sorted(), 0.5)
        spread = max(Self.quantile(sorted.map { Self.quantile($0, 0.5) - Self.quantile($0, 0.1587) }.sorted(), 0.5), 1e-6)
    }

    private static func quantile(_ sorted: [some BinaryFloatingPoint], _ part: Double) -> Double {
        Double(sorted[min(sorted.count - 1, Int(Double(sorted.count) * part))])
    }

    /// - Parameters:
    ///   - best: Similarities of the nearest pictures, highest first.
    ///   - own: Similarities of the query to the pictures of the sample.
    func cutoff(best: some Sequence<Double>, own: [Float], candidates: Int) -> CutoffReport {
        let middle = min(Self.quantile(own.sorted(), 0.5), median + Self.highestMedian * spread)
        var threshold: Double?
        for (place, similarity) in best.enumerated()
        where Double(candidates) * Self.chance((similarity - middle) / spread) <= Self.falseShare * Double(place + 1) {
            threshold = similarity
        }
        return CutoffReport(
            threshold: threshold ?? middle + spread * Self.deviations(Self.falseShare / Double(max(1, candidates))),
            calibration: .init(median: middle, spread: spread, sample: own.count, candidates: candidates))
    }

    /// The chance of a normal to lie at least so many standard deviations above its mean.
    static func chance(_ deviations: Double) -> Double { 0.5 * erfc(deviations / 2.0.squareRoot()) }

    /// The inverse of `chance`.
    static func deviations(_ chance: Double) -> Double {
        var (low, high) = (-40.0, 40.0)
        for _ in 0..<100 {
            let middle = (low + high) / 2
            if Self.chance(middle) > chance { low = middle } else { high = middle }
        }
        return high
    }
}

/// Texts of many kinds, with which most pictures of any library have nothing to do.
enum BackgroundTexts {
    static let all = [
        "a photo", "a dog", "a cat", "a person", "a house", "a car", "food on a table", "a tree", "a flower", "the sea", "a mountain",
        "a street at night", "a building", "a map", "a page of text", "a drawing", "a diagram", "a screenshot", "a logo", "a bird",
        "a fish",
        "a horse", "a train", "an airplane", "a boat", "a computer", "a book", "a chair", "clothes", "a toy", "a ball",
        "a musical instrument", "a bottle", "a cake", "fruit", "a face", "a crowd", "a baby", "an old man", "two women talking",
        "a sports match", "a bridge", "a kitchen", "a factory", "a forest", "a desert", "snow", "a sunset", "stars in the sky", "a statue",
        "a flag", "a clock", "一只猫", "一条狗", "一个人", "城市的街道", "山和湖", "花", "一辆车", "一页文字", "食物", "一幅画", "海边", "一台电脑",
    ]
}
