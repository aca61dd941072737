/// Why something can't be measured.
public enum EvaluationError: Error, Sendable, Equatable, CustomStringConvertible {
    /// Data that can't be read: the file, the line (from 1) where it is known, and what is wrong.
    case data(file: String, line: Int?, problem: String)
    /// Arrays or a data set that no measure is defined for.
    case unusable(String)

    public var description: String {
        switch self {
        case let .data(file, line, problem): line.map { "\(file), line \($0): \(problem)" } ?? "\(file): \(problem)"
        case let .unusable(problem): problem
        }
    }
}
