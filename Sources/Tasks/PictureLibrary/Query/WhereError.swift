/// What is wrong with a `--where` expression, and where.
public struct WhereError: Error, Sendable, Equatable, CustomStringConvertible {
    public var expression: String
    /// Character of the expression, counted from 0, at which it goes wrong.
    public var position: Int
    public var reason: String

    public var description: String {
        let shown = expression.map { $0.isNewline ? " " : $0 }
        let start = max(0, position - 60)
        let excerpt = String(shown.dropFirst(start).prefix(120))
        return "\(reason) (at character \(position + 1))\n  \(excerpt)\n  \(String(repeating: " ", count: max(0, position - start)))^"
    }
}
