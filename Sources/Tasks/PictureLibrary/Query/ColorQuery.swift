import Foundation
import Imaging

/// Pictures that hold a colour: by the share of each dominant colour times its nearness.
public struct ColorQuery: Sendable, Equatable {
    /// OKLab distance from which on a colour counts as another.
    public static let reach = 0.2

    public var color: Color
    /// Pictures with a smaller score are left out; 0.05 is for example 5% of exactly this colour.
    public var threshold: Double

    public init(_ color: Color, threshold: Double = 0.05) {
        self.color = color
        self.threshold = threshold
    }

    /// `#c02020`, `c02020`, `#c22` or a name, as `Color` reads it.
    public init(_ text: String, threshold: Double = 0.05) throws(LibraryError) {
        guard let color = Color(text) else {
            throw .badQuery(reason: "\"\(text.prefix(40))\" is no colour; write #rrggbb, #rgb or a name such as red or 红色")
        }
        self.init(color, threshold: threshold)
    }

    /// Score of each content that reaches the threshold, as rows of (`content_id`, `score`). The square saves SQLite a root.
    var condition: SQLCondition {
        let point = OKLab(color)
        let distance = "((l - ?) * (l - ?) + (a - ?) * (a - ?) + (b - ?) * (b - ?))"
        return SQLCondition(
            sql: """
                SELECT content_id, SUM(share * max(0.0, 1.0 - \(distance) / ?)) AS score FROM color GROUP BY content_id HAVING score >= ?
                """,
            arguments: [point.lightness, point.lightness, point.a, point.a, point.b, point.b, Self.reach * Self.reach, threshold])
    }
}
