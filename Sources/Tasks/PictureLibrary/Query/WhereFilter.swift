import Foundation
import GRDB

/// A piece of SQL whose values are bound, never written into it.
struct SQLCondition {
    var sql: String
    var arguments: [any DatabaseValueConvertible & Sendable] = []
}

/// A parsed filter such as `width >= 1000 and format = jpeg and taken > 2020-01-01`.
///
///     filter     = either { "or" either } ;        either = all { "and" all } ;
///     all        = "not" all | "(" filter ")" | comparison ;
///     comparison = field ( "=" | "!=" | "<" | "<=" | ">" | ">=" | "like" | "contains" ) value
///                | field [ "not" ] "in" "(" value { "," value } ")" ;
///
/// Texts compare without regard to case. `like` takes `%` and `_`; sizes take KB, MB, GB; dates may stop at the year or month.
public struct WhereFilter: Sendable {
    public let expression: String
    let condition: SQLCondition

    /// - Throws: `WhereError` naming the place, and the known fields where one isn't known.
    public init(_ expression: String, timeZone: TimeZone = .current) throws(WhereError) {
        self.expression = expression
        var lexer = try WhereLexer(expression)
        var parser = WhereParser(expression: expression, tokens: try lexer.tokens(), timeZone: timeZone)
        condition = try parser.whole()
    }

    /// The names a filter can use.
    public static var fields: [String] { WhereField.allCases.map(\.rawValue) }
}

extension SQLCondition: Sendable {}

struct WhereParser {
    static let deepest = 64
    static let mostComparisons = 200
    static let longestList = 500

    let expression: String
    let tokens: [WhereLexer.Token]
    let timeZone: TimeZone
    private var index = 0
    private var comparisons = 0

    init(expression: String, tokens: [WhereLexer.Token], timeZone: TimeZone) {
        self.expression = expression
        self.tokens = tokens
        self.timeZone = timeZone
    }

    mutating func whole() throws(WhereError) -> SQLCondition {
        guard current.kind != .end else { throw error("the filter is empty; write for example: width >= 1000") }
        let condition = try either(depth: 0)
        guard current.kind == .end else { throw error("expected \"and\", \"or\" or the end, found \(current.shown)") }
        return condition
    }

    private var current: WhereLexer.Token { tokens[min(index, tokens.count - 1)] }

    private mutating func advance() -> WhereLexer.Token {
        let token = current
        index += 1
        return token
    }

    func error(_ reason: String, at token: WhereLexer.Token? = nil) -> WhereError {
        WhereError(expression: expression, position: (token ?? current).position, reason: reason)
    }

    private mutating func either(depth: Int) throws(WhereError) -> SQLCondition {
        var parts = [try all(depth: depth)]
        while current.isKeyword("or") {
            index += 1
            parts.append(try all(depth: depth))
        }
        return joined(parts, by: " OR ")
    }

    private mutating func all(depth: Int) throws(WhereError) -> SQLCondition {
        var parts = [try unary(depth: depth)]
        while current.isKeyword("and") {
            index += 1
            parts.append(try unary(depth: depth))
        }
        return joined(parts, by: " AND ")
    }

    private func joined(_ parts: [SQLCondition], by separator: String) -> SQLCondition {
        guard parts.count > 1 else { return parts[0] }
        return SQLCondition(sql: "(" + parts.map(\.sql).joined(separator: separator) + ")", arguments: parts.flatMap(\.arguments))
    }

    private mutating func unary(depth: Int) throws(WhereError) -> SQLCondition {
        guard depth < Self.deepest else { throw error("more than \(Self.deepest) levels of parentheses and \"not\"") }
        if current.isKeyword("not") {
            index += 1
            let inner = try unary(depth: depth + 1)
            // A field that isn't known is "not so" as well: NOT NULL would drop it.
            return SQLCondition(sql: "NOT coalesce(\(inner.sql), 0)", arguments: inner.arguments)
        }
        if current.kind == .symbol("(") {
            let open = advance()
            let inner = try either(depth: depth + 1)
            guard current.kind == .symbol(")") else { throw error("this parenthesis isn't closed", at: open) }
            index += 1
            return SQLCondition(sql: "(\(inner.sql))", arguments: inner.arguments)
        }
        return try comparison()
    }

    private mutating func comparison() throws(WhereError) -> SQLCondition {
        comparisons += 1
        guard comparisons <= Self.mostComparisons else { throw error("more than \(Self.mostComparisons) comparisons") }
        let token = advance()
        guard case .word(let name) = token.kind else {
            throw error("expected a field, found \(token.shown); known fields: \(WhereField.names)", at: token)
        }
        guard let field = WhereField(name: name) else {
            throw error("unknown field \"\(name)\"; known fields: \(WhereField.names)", at: token)
        }
        if current.isKeyword("not") {
            index += 1
            guard current.isKeyword("in") else { throw error("expected \"in\" after \"not\", found \(current.shown)") }
            index += 1
            let list = try list(field)
            return SQLCondition(sql: "NOT coalesce(\(list.sql), 0)", arguments: list.arguments)
        }
        if current.isKeyword("in") {
            index += 1
            return try list(field)
        }
        let operation = try comparisonOperator()
        return try condition(field, operation.0, try value(), at: operation.1)
    }

    private mutating func comparisonOperator() throws(WhereError) -> (WhereOperator, WhereLexer.Token) {
        let token = advance()
        switch token.kind {
        case .symbol(let text): if let found = WhereOperator(rawValue: text) { return (found, token) }
        case .word(let text): if let found = WhereOperator(rawValue: text.lowercased()) { return (found, token) }
        default: break
        }
        throw error("expected one of = != < <= > >= in like contains, found \(token.shown)", at: token)
    }

    private mutating func value() throws(WhereError) -> (String, WhereLexer.Token) {
        let token = advance()
        switch token.kind {
        case .word(let text), .quoted(let text): return (text, token)
        default: throw error("expected a value, found \(token.shown)", at: token)
        }
    }

    private mutating func list(_ field: WhereField) throws(WhereError) -> SQLCondition {
        guard current.kind == .symbol("(") else { throw error("expected \"(\" after \"in\", found \(current.shown)") }
        let open = advance()
        var parts: [SQLCondition] = []
        repeat {
            guard parts.count < Self.longestList else { throw error("more than \(Self.longestList) values in a list") }
            parts.append(try condition(field, .equal, try value(), at: open))
            guard current.kind == .symbol(",") else { break }
            index += 1
        } while true
        guard current.kind == .symbol(")") else { throw error("expected \",\" or \")\", found \(current.shown)") }
        index += 1
        return joined(parts, by: " OR ")
    }
}
