import Tensors

/// Where two tensors differ most.
public struct TensorDifference: Sendable, CustomStringConvertible {
    public let worst: Float
    public let index: Int
    public let found: Float
    public let expected: Float
    public let shapes: ([Int], [Int])

    public init(_ found: Tensor, _ expected: Tensor) {
        shapes = (found.shape, expected.shape)
        let (a, b) = (found.floats(), expected.floats())
        var worst: Float = a.count == b.count ? 0 : .infinity, index = 0
        for i in 0..<min(a.count, b.count) {
            let difference = a[i] == b[i] ? 0 : abs(a[i] - b[i])
            if difference > worst || difference.isNaN { (worst, index) = (difference.isNaN ? .infinity : difference, i) }
        }
        (self.worst, self.index) = (worst, index)
        self.found = a.indices.contains(index) ? a[index] : .nan
        self.expected = b.indices.contains(index) ? b[index] : .nan
    }

    public func isWithin(_ tolerance: Float) -> Bool { shapes.0 == shapes.1 && worst <= tolerance }

    public var description: String {
        shapes.0 == shapes.1 ? "worst \(worst) at \(index): \(found), expected \(expected)" : "shape \(shapes.0), expected \(shapes.1)"
    }
}
