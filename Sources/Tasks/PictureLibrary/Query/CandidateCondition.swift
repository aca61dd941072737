import Foundation
import GRDB
import Imaging
import VectorIndex

/// The filters of a query as one SQL condition over `file f JOIN content c`.
struct CandidateCondition: Sendable {
    static let join = "file f JOIN content c ON c.id = f.content_id"

    let sql: String
    let arguments: StatementArguments
    /// Whether only dead files are left out.
    let isTrivial: Bool

    /// - Parameter excluded: Files whose words match any of these are left out.
    init(_ query: Query, excluding excluded: [TextQuery] = []) {
        var parts = [SQLCondition(sql: "f.state = 'indexed'")]
        if let filter = query.filter {
            parts.append(SQLCondition(sql: "coalesce(\(filter.condition.sql), 0)", arguments: filter.condition.arguments))
        }
        if let folder = query.folder {
            let range = folder.beneath
            parts.append(SQLCondition(sql: "(f.path >= ? AND f.path < ?)", arguments: [range.from, range.to]))
        }
        if let color = query.color {
            let condition = color.condition
            parts.append(SQLCondition(sql: "c.id IN (SELECT content_id FROM (\(condition.sql)))", arguments: condition.arguments))
        }
        for case .readText(let text) in query.terms.filter({ $0.weight <= 0 }).map(\.subject) {
            let condition = ReadTextRanking.condition(containing: WordSplitting.folded(String(text.prefix(ReadTextRanking.longestQuery))))
            parts.append(SQLCondition(sql: "NOT " + condition.sql, arguments: condition.arguments))
        }
        if !excluded.isEmpty {
            let any = excluded.map { "(\($0.strict))" }.joined(separator: " OR ")
            parts.append(SQLCondition(sql: "f.id NOT IN (SELECT rowid FROM words WHERE words MATCH ?)", arguments: [any]))
        }
        sql = parts.map(\.sql).joined(separator: " AND ")
        arguments = StatementArguments(parts.flatMap(\.arguments))
        isTrivial = parts.count == 1
    }

    func contentIDs(_ database: Database) throws -> IDSet {
        IDSet(try Int64.fetchAll(database, sql: "SELECT f.content_id FROM \(Self.join) WHERE \(sql)", arguments: arguments))
    }
}

/// bm25 with each column's weight: title, description, tags, name, folder.
enum TextRanking {
    struct Match: Sendable {
        var content: Int64
        /// More is better.
        var score: Double
        /// Whether every word was found.
        var isWhole = true
    }

    private static let weights = "8.0, 4.0, 6.0, 4.0, 1.0"
    /// The best score of pictures with some of the words, as a part of the least of those with all.
    private static let belowAll = 0.999

    /// Contents that match, best first: those with every word, then, unless `strictly`, those with any.
    static func matches(
        _ query: TextQuery, excluding excluded: [TextQuery], condition: CandidateCondition, limit: Int, strictly: Bool, _ database: Database
    ) throws -> [Match] {
        var found: [Match] = []
        var known: Set<Int64> = []
        let stages = strictly ? [query.strict] : [query.strict, query.loose, query.characters].compactMap { $0 }
        for (stage, expression) in stages.enumerated() where found.count < limit {
            if stage > 1 && !found.isEmpty { break }
            if stage == 1 && expression == query.strict { continue }
            let minus = excluded.map { " NOT (\($0.strict))" }.joined()
            let last = found.last?.score
            let more = try matches("(\(expression))" + minus, condition, limit, database).filter { known.insert($0.content).inserted }
            // Those with fewer words stay below those with all, and among themselves in order.
            let scale = last.map { min(1, $0 * belowAll / max(more.first?.score ?? 0, .leastNormalMagnitude)) } ?? 1
            found += more.prefix(limit - found.count).map { Match(content: $0.content, score: $0.score * scale, isWhole: stage == 0) }
        }
        return found
    }

    private static func matches(_ expression: String, _ condition: CandidateCondition, _ limit: Int, _ database: Database) throws -> [Match]
    {
        var arguments: StatementArguments = [expression]
        arguments += condition.arguments
        arguments += [limit]
        return try Row.fetchAll(
            database,
            sql: """
                WITH w AS MATERIALIZED (SELECT rowid AS file, -bm25(words, \(weights)) AS score FROM words WHERE words MATCH ?)
                SELECT f.content_id AS content, MAX(w.score) AS score FROM w
                JOIN file f ON f.id = w.file JOIN content c ON c.id = f.content_id
                WHERE \(condition.sql) GROUP BY f.content_id ORDER BY score DESC, content LIMIT ?
                """, arguments: arguments
        ).map { Match(content: $0["content"], score: $0["score"]) }
    }
}
