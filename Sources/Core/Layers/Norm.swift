import Checkpoints
import Tensors

/// Layer norm over the last axis (Ba et al. 2016).
public struct LayerNorm: Sendable {
    private let weight: Tensor
    private let bias: Tensor?
    private let epsilon: Float

    public init(_ weights: Weights, _ width: Int, epsilon: Float, bias: Bool = true) {
        weight = weights.tensor("weight", [width])
        self.bias = bias ? weights.tensor("bias", [width]) : nil
        self.epsilon = epsilon
    }

    public func callAsFunction(_ x: Tensor) throws(TensorError) -> Tensor {
        try x.layerNorm(weight: weight, bias: bias, epsilon: epsilon)
    }
}
