import Foundation
import GRDB

enum WhereOperator: String {
    case equal = "="
    case unequal = "!="
    case less = "<"
    case lessOrEqual = "<="
    case greater = ">"
    case greaterOrEqual = ">="
    case like, contains
}

/// SQL for one comparison, by the kind of its field.
extension WhereParser {
    func condition(
        _ field: WhereField, _ operation: WhereOperator, _ value: (text: String, token: WhereLexer.Token), at place: WhereLexer.Token
    ) throws(WhereError) -> SQLCondition {
        switch field.kind {
        case .number, .bytes:
            let number = try number(field, value)
            try refuseText(field, operation, at: place)
            return SQLCondition(sql: "(\(field.column) \(operation.rawValue) ?)", arguments: [number])
        case .localDate:
            let date = try date(field, value)
            try refuseText(field, operation, at: place)
            return span(field.column, operation, date.start, date.end)
        case .instant:
            let date = try date(field, value)
            try refuseText(field, operation, at: place)
            return span(field.column, operation, date.startInstant, date.endInstant)
        case .format:
            return text(field.column, operation, Self.formatNames[value.text.lowercased()] ?? value.text)
        case .orientation:
            guard ["landscape", "portrait", "square"].contains(value.text.lowercased()) else {
                throw error("orientation is landscape, portrait or square, not \(value.token.shown)", at: value.token)
            }
            guard operation == .equal || operation == .unequal else { throw error("orientation takes = and !=", at: place) }
            return text(field.column, operation, value.text)
        case .tags:
            return try tags(field, operation, value.text, at: place)
        case .readText:
            return try readText(field, operation, value, at: place)
        case .text:
            return text(field.column, operation, value.text)
        }
    }

    /// Whether any line that was read in the picture is so.
    private func readText(
        _ field: WhereField, _ operation: WhereOperator, _ value: (text: String, token: WhereLexer.Token), at place: WhereLexer.Token
    ) throws(WhereError) -> SQLCondition {
        let folded = String(WordSplitting.folded(value.text).prefix(1_000))
        guard !folded.isEmpty else { throw error("text is compared with characters that a picture can show", at: value.token) }
        func anyLine(_ sql: String) -> SQLCondition {
            SQLCondition(sql: "(c.id IN (SELECT l.content_id FROM line l WHERE \(sql)))", arguments: [folded])
        }
        switch operation {
        case .contains: return ReadTextRanking.condition(containing: folded)
        case .like: return anyLine("\(field.column) LIKE ?")
        case .equal: return anyLine("\(field.column) = ?")
        case .unequal:
            let equal = anyLine("\(field.column) = ?")
            return SQLCondition(sql: "(NOT \(equal.sql))", arguments: equal.arguments)
        default: throw error("text takes contains like = !=", at: place)
        }
    }

    private func refuseText(_ field: WhereField, _ operation: WhereOperator, at place: WhereLexer.Token) throws(WhereError) {
        if operation == .like || operation == .contains {
            throw error("\(field.rawValue) is no text: compare it with = != < <= > >=", at: place)
        }
    }

    private func number(_ field: WhereField, _ value: (text: String, token: WhereLexer.Token)) throws(WhereError) -> Double {
        var text = value.text.lowercased()
        var factor = 1.0
        if field == .aspect {
            let sides = text.split(separator: ":").compactMap { Double($0) }
            if sides.count == 2, sides[1] > 0, text.contains(":"), sides[0].isFinite { return sides[0] / sides[1] }
        }
        if field.kind == .bytes {
            for (unit, size) in [
                ("kb", 1e3), ("mb", 1e6), ("gb", 1e9), ("kib", 1024.0), ("mib", 1_048_576), ("gib", 1_073_741_824), ("b", 1),
            ]
            where text.hasSuffix(unit) && Double(text.dropLast(unit.count)) != nil {
                text = String(text.dropLast(unit.count))
                factor = size
                break
            }
        }
        guard let number = Double(text), number.isFinite else {
            throw error("\(field.rawValue) is compared with a number, not \(value.token.shown)", at: value.token)
        }
        return number * factor
    }

    private func date(_ field: WhereField, _ value: (text: String, token: WhereLexer.Token)) throws(WhereError) -> WhereDate {
        guard let date = WhereDate(value.text, timeZone: timeZone) else {
            throw error(
                "\(field.rawValue) is compared with a date such as 2020, 2020-05, 2020-05-17 or \"2020-05-17 12:30\", not \(value.token.shown)",
                at: value.token)
        }
        return date
    }

    /// A date is a span of time: equal means inside it, after means from its end on.
    private func span<Bound: DatabaseValueConvertible & Sendable>(
        _ column: String, _ operation: WhereOperator, _ start: Bound, _ end: Bound
    ) -> SQLCondition {
        switch operation {
        case .less: SQLCondition(sql: "(\(column) < ?)", arguments: [start])
        case .lessOrEqual: SQLCondition(sql: "(\(column) < ?)", arguments: [end])
        case .greater: SQLCondition(sql: "(\(column) >= ?)", arguments: [end])
        case .greaterOrEqual: SQLCondition(sql: "(\(column) >= ?)", arguments: [start])
        case .unequal: SQLCondition(sql: "(\(column) < ? OR \(column) >= ?)", arguments: [start, end])
        default: SQLCondition(sql: "(\(column) >= ? AND \(column) < ?)", arguments: [start, end])
        }
    }

    /// `fold` is ours (see `CatalogueDatabase`): SQLite knows the case of ASCII only.
    private func text(_ column: String, _ operation: WhereOperator, _ value: String) -> SQLCondition {
        let folded = value.lowercased()
        switch operation {
        case .like: return SQLCondition(sql: "(fold(\(column)) LIKE ?)", arguments: [String(folded.prefix(1_000))])
        case .contains: return SQLCondition(sql: "(instr(fold(\(column)), ?) > 0)", arguments: [folded])
        default: return SQLCondition(sql: "(fold(\(column)) \(operation.rawValue) ?)", arguments: [folded])
        }
    }

    /// Tags lie in one column, a line each, with a line end on both sides.
    private func tags(
        _ field: WhereField, _ operation: WhereOperator, _ value: String, at place: WhereLexer.Token
    ) throws(WhereError) -> SQLCondition {
        let folded = value.lowercased()
        switch operation {
        case .equal: return SQLCondition(sql: "(instr(fold(\(field.column)), ?) > 0)", arguments: ["\n\(folded)\n"])
        case .unequal: return SQLCondition(sql: "(instr(fold(\(field.column)), ?) = 0)", arguments: ["\n\(folded)\n"])
        case .contains: return SQLCondition(sql: "(instr(fold(\(field.column)), ?) > 0)", arguments: [folded])
        case .like: return SQLCondition(sql: "(fold(\(field.column)) LIKE ?)", arguments: ["%\n" + String(folded.prefix(1_000)) + "\n%"])
        default: throw error("tag takes = != in like contains", at: place)
        }
    }

    private static let formatNames = ["jpg": "jpeg", "jpe": "jpeg", "tif": "tiff", "heic": "heif"]
}
