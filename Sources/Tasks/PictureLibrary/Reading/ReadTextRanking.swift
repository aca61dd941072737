import Foundation
import GRDB

/// Pictures in which words can be read, by the parts of lines that the words are.
enum ReadTextRanking {
    struct Match: Sendable {
        var content: Int64
        /// Part of the best line that the words are, 0 to 1; 1 more where they stand there as they were asked for.
        var score: Double
        var line: String
    }

    /// Trigrams know three characters and more.
    private static let shortestIndexed = 3
    static let longestQuery = 1_000
    /// Lines that are looked at for one query.
    private static let mostLines = 100_000

    /// Lines of which `folded` is a part, as a condition on `line l`.
    private static func lines(containing folded: String) -> SQLCondition {
        guard folded.unicodeScalars.count >= shortestIndexed else {
            return SQLCondition(sql: "instr(l.folded, ?) > 0", arguments: [folded])
        }
        let phrase = "\"" + folded.replacing("\"", with: "\"\"") + "\""
        return SQLCondition(sql: "l.id IN (SELECT rowid FROM line_text WHERE line_text MATCH ?)", arguments: [phrase])
    }

    /// Pictures with such a line, as a condition on `content c`.
    static func condition(containing folded: String) -> SQLCondition {
        let lines = lines(containing: folded)
        return SQLCondition(sql: "(c.id IN (SELECT l.content_id FROM line l WHERE \(lines.sql)))", arguments: lines.arguments)
    }

    /// Best first: pictures with a line that has the whole text, then those whose lines have each of its words.
    static func matches(_ text: String, condition: CandidateCondition, limit: Int, _ database: Database) throws -> [Match] {
        let whole = WordSplitting.folded(String(text.prefix(longestQuery)))
        guard !whole.isEmpty, try Bool.fetchOne(database, sql: "SELECT EXISTS (SELECT 1 FROM line)") == true else { return [] }
        let parts = WordSplitting.units(text).map { unit in
            switch unit {
            case .word(let word): WordSplitting.folded(word)
            case .ideographs(let run): run.map(String.init).joined()
            }
        }
        var found: [Int64: Match] = [:]
        func take(_ rows: [(content: Int64, text: String, folded: String)], _ parts: [String], bonus: Double) {
            for row in rows {
                let part = Double(parts.filter(row.folded.contains).reduce(0) { $0 + $1.count }) / Double(max(row.folded.count, 1))
                let score = min(part, 1) + bonus
                if (found[row.content]?.score ?? -1) < score {
                    found[row.content] = Match(content: row.content, score: score, line: row.text)
                }
            }
        }
        take(try rows(lines(containing: whole), pictures: [], condition, database), [whole], bonus: 1)
        if !parts.isEmpty, parts != [whole] {
            // Any of the words in a line, where the picture has all of them.
            let conditions = parts.map(lines)
            let any = SQLCondition(
                sql: "(" + conditions.map(\.sql).joined(separator: " OR ") + ")", arguments: conditions.flatMap(\.arguments))
            take(try rows(any, pictures: parts.map(Self.condition), condition, database), parts, bonus: 0)
        }
        return Array(found.values.sorted { ($0.score, $1.content) > ($1.score, $0.content) }.prefix(limit))
    }

    private static func rows(
        _ lines: SQLCondition, pictures: [SQLCondition], _ condition: CandidateCondition, _ database: Database
    ) throws -> [(content: Int64, text: String, folded: String)] {
        let sql = ([lines.sql] + pictures.map(\.sql) + [condition.sql]).joined(separator: " AND ")
        let arguments = StatementArguments(lines.arguments + pictures.flatMap(\.arguments)) + condition.arguments + [mostLines]
        return try Row.fetchAll(
            database,
            sql: """
                SELECT DISTINCT l.id, l.content_id AS content, l.text, l.folded FROM line l
                JOIN content c ON c.id = l.content_id JOIN file f ON f.content_id = c.id WHERE \(sql) LIMIT ?
                """, arguments: arguments
        ).map { ($0["content"], $0["text"], $0["folded"]) }
    }
}
