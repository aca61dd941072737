import Foundation
import GRDB
import Imaging
import Pipelines

/// A line of text in a picture of the library.
public struct ReadLine: Sendable, Equatable {
    public var text: String
    /// Mean probability of its characters, 0 to 1.
    public var score: Float
    /// As parts of the picture's sides, 0 to 1, clockwise from the text's top left.
    public var corners: [PicturePoint]

    /// What was read in a picture of this size.
    init(_ line: TextLine, width: Int, height: Int) {
        (text, score) = (line.text, line.score)
        corners = line.corners.map { PicturePoint(x: $0.x / Float(width), y: $0.y / Float(height)) }
    }

    fileprivate init(_ row: Row) {
        (text, score) = (row["text"], Float(row["score"] as Double))
        corners = (0..<4).map { PicturePoint(x: Float(row["x\($0)"] as Double), y: Float(row["y\($0)"] as Double)) }
    }
}

extension Database {
    func hasReading(content: Int64) throws -> Bool {
        try Bool.fetchOne(self, sql: "SELECT EXISTS (SELECT 1 FROM reading WHERE content_id = ? AND problem IS NULL)", arguments: [content])
            ?? false
    }

    func readLines(content: Int64) throws -> [ReadLine] {
        try Row.fetchAll(self, sql: "SELECT * FROM line WHERE content_id = ? ORDER BY place", arguments: [content]).map(ReadLine.init)
    }

    /// Puts what was read in the place of what was read before.
    func save(_ lines: [ReadLine], content: Int64, reader: String, problem: String?, at time: Double) throws {
        // A picture that was removed meanwhile has nothing to keep.
        guard try Bool.fetchOne(self, sql: "SELECT EXISTS (SELECT 1 FROM content WHERE id = ?)", arguments: [content]) == true else {
            return
        }
        try execute(sql: "DELETE FROM line WHERE content_id = ?", arguments: [content])
        for (place, line) in lines.enumerated() {
            var arguments: StatementArguments = [content, place, line.text, WordSplitting.folded(line.text), Double(line.score)]
            for corner in line.corners { arguments += [Double(corner.x), Double(corner.y)] }
            try execute(
                sql: """
                    INSERT INTO line (content_id, place, text, folded, score, x0, y0, x1, y1, x2, y2, x3, y3)
                    VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
                    """, arguments: arguments)
        }
        try execute(
            sql: "INSERT OR REPLACE INTO reading (content_id, reader, problem, time) VALUES (?, ?, ?, ?)",
            arguments: [content, reader, problem, time])
    }

    /// Pictures that can be shown and that this reader hasn't read, by id.
    /// - Parameter retriesFailed: those that couldn't be read among them.
    func unread(reader: String, after: Int64, retriesFailed: Bool, limit: Int) throws -> [Int64] {
        try Int64.fetchAll(
            self,
            sql: """
                SELECT c.id FROM content c LEFT JOIN reading r ON r.content_id = c.id AND r.reader = ?
                WHERE c.files > 0 AND c.id > ? AND (r.content_id IS NULL OR (r.problem IS NOT NULL AND ?)) ORDER BY c.id LIMIT ?
                """, arguments: [reader, after, retriesFailed, limit])
    }

    func unreadCount(reader: String) throws -> Int {
        try Int.fetchOne(
            self,
            sql:
                "SELECT COUNT(*) FROM content c WHERE c.files > 0 AND NOT EXISTS (SELECT 1 FROM reading WHERE content_id = c.id AND reader = ?)",
            arguments: [reader]) ?? 0
    }
}
