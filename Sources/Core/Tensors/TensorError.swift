/// What went wrong in an operation on tensors: the operation, the shapes involved and what to do.
public enum TensorError: Error, Sendable, Equatable, CustomStringConvertible {
    case shape(operation: String, shapes: [[Int]], expected: String)
    case dtype(operation: String, found: DType, expected: String)
    case index(operation: String, value: Int, bound: Int)
    case tooLarge(operation: String, shape: [Int])

    public var description: String {
        switch self {
        case let .shape(operation, shapes, expected):
            "\(operation): shapes \(shapes.map { "\($0)" }.joined(separator: " and ")) don't fit; expected \(expected)"
        case let .dtype(operation, found, expected):
            "\(operation): element type \(found) is not supported; expected \(expected)"
        case let .index(operation, value, bound):
            "\(operation): index \(value) is outside 0..<\(bound)"
        case let .tooLarge(operation, shape):
            "\(operation): a tensor of shape \(shape) doesn't fit in memory"
        }
    }
}
