import Checkpoints
import Tensors

/// `x W^T + b` with `weight` `[output, input]` packed for the CPU at load.
public struct Linear: Sendable {
    private let matrix: WeightMatrix
    private let bias: Tensor?

    public init(_ weights: Weights, _ input: Int, _ output: Int, bias: Bool = true) {
        self.init(weight: weights.tensor("weight", [output, input]), bias: bias ? weights.tensor("bias", [output]) : nil)
    }

    public init(weight: Tensor, bias: Tensor?) {
        matrix = WeightMatrix(weight)
        self.bias = bias
    }

    /// Several projections of one input as one product: rows of the parts one after another.
    public init(joining parts: [Weights], _ input: Int, _ output: Int, bias: [Bool]) throws(TensorError) {
        var matrices: [Tensor] = [], biases: [Tensor] = []
        for (part, hasBias) in zip(parts, bias) {
            matrices.append(part.tensor("weight", [output, input]))
            biases.append(hasBias ? part.tensor("bias", [output]) : Tensor.zeros([output]))
        }
        self.init(weight: try .concatenated(matrices), bias: bias.contains(true) ? try .concatenated(biases) : nil)
    }

    /// `[..., input] -> [..., output]`: `activation(x W^T + b) + residual`.
    public func callAsFunction(_ x: Tensor, activation: Activation? = nil, residual: Tensor? = nil) throws(TensorError) -> Tensor {
        try matrix.apply(x, bias: bias, activation: activation, residual: residual)
    }
}
