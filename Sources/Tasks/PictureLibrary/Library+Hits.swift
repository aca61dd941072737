import Foundation
import GRDB
import Imaging

extension Library {
    /// Hits with their files, for contents best first; what has been removed meanwhile is passed over.
    func hits(_ scored: [ScoredContent], limit: Int, _ condition: CandidateCondition) throws(LibraryError) -> [SearchHit] {
        var found: [SearchHit] = []
        // SQLite takes a bounded number of values in a statement.
        for start in stride(from: 0, to: scored.count, by: 500) where found.count < limit {
            let part = Array(scored[start..<min(start + 500, scored.count)])
            let files = try database.read { try $0.shown(part.map(\.content), condition) }
            for item in part {
                guard let rows = files[item.content], let first = rows.first else { continue }
                found.append(
                    SearchHit(
                        rank: found.count + 1, id: first.id, path: first.path, score: item.score, similarity: item.similarity,
                        textScore: item.textScore, readLine: item.readLine, colorScore: item.colorScore, shares: item.shares,
                        title: first.title, width: first.width, height: first.height, copies: rows.dropFirst().map(\.path)))
                if found.count == limit { break }
            }
        }
        return found
    }
}

struct ShownFile: Sendable {
    var id: Int64
    var path: FilePath
    var title: String?
    var width: Int
    var height: Int
}

extension Database {
    /// Files of each content that pass the condition.
    func shown(_ contents: [Int64], _ condition: CandidateCondition) throws -> [Int64: [ShownFile]] {
        let marks = contents.map { _ in "?" }.joined(separator: ", ")
        let rows = try Row.fetchAll(
            self,
            sql: """
                SELECT f.content_id AS content, f.id, f.path, f.title, c.width, c.height FROM \(CandidateCondition.join)
                WHERE f.content_id IN (\(marks)) AND \(condition.sql) ORDER BY f.id
                """, arguments: StatementArguments(contents) + condition.arguments)
        return Dictionary(grouping: rows) { $0["content"] as Int64 }.mapValues { rows in
            rows.map {
                ShownFile(id: $0["id"], path: FilePath($0["path"] as Data), title: $0["title"], width: $0["width"], height: $0["height"])
            }
        }
    }

    /// Which of these contents have a file to show.
    func live(_ contents: [Int64]) throws -> Set<Int64> {
        var live: Set<Int64> = []
        for start in stride(from: 0, to: contents.count, by: 500) {
            let part = contents[start..<min(start + 500, contents.count)]
            let marks = part.map { _ in "?" }.joined(separator: ", ")
            let sql = "SELECT id FROM content WHERE files > 0 AND id IN (\(marks))"
            live.formUnion(try Int64.fetchSet(self, sql: sql, arguments: StatementArguments(part)))
        }
        return live
    }
}
