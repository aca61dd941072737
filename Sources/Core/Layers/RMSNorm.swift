import Checkpoints
import Tensors

/// Root mean square norm over the last axis (Zhang and Sennrich 2019).
public struct RMSNorm: Sendable {
    private let weight: Tensor
    private let epsilon: Float

    public init(_ weights: Weights, _ width: Int, epsilon: Float) {
        weight = weights.tensor("weight", [width])
        self.epsilon = epsilon
    }

    public func callAsFunction(_ x: Tensor) throws(TensorError) -> Tensor { try x.rmsNorm(weight: weight, epsilon: epsilon) }
}
