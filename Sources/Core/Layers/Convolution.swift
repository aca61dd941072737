import Checkpoints
import Tensors

/// A 2-d convolution, with the batch norm that follows it folded in where there is one.
public struct Convolution: Sendable {
    private let weight: Tensor
    private let bias: Tensor?
    private let window: Window
    private let groups: Int

    public init(
        _ weights: Weights, _ input: Int, _ output: Int, kernel: (Int, Int), window: Window = Window(), groups: Int = 1, bias: Bool = true
    ) {
        weight = weights.tensor("weight", [output, input / groups, kernel.0, kernel.1])
        self.bias = bias ? weights.tensor("bias", [output]) : nil
        self.window = window
        self.groups = groups
    }

    /// Convolution without a bias, then batch norm with `norm`'s stored statistics, as one convolution.
    public init(
        _ weights: Weights, norm: Weights, _ input: Int, _ output: Int, kernel: (Int, Int), window: Window = Window(), groups: Int = 1,
        epsilon: Float = 1e-5
    ) throws(TensorError) {
        let batchNorm = BatchNorm(norm, output, epsilon: epsilon)
        let plain = weights.tensor("weight", [output, input / groups, kernel.0, kernel.1])
        let (scale, shift) = try batchNorm.affine()
        weight = try plain * scale.reshaped([output, 1, 1, 1])
        bias = shift
        self.window = window
        self.groups = groups
    }

    /// `[batch, input, h, w] -> [batch, output, h', w']`: `activation(convolution + residual)`.
    public func callAsFunction(_ x: Tensor, residual: Tensor? = nil, activation: Activation? = nil) throws(TensorError) -> Tensor {
        try x.conv2d(weight: weight, bias: bias, residual: residual, window: window, groups: groups, activation: activation)
    }
}

/// Batch norm with stored statistics (inference).
public struct BatchNorm: Sendable {
    private let weight, bias, mean, variance: Tensor
    private let epsilon: Float

    public init(_ weights: Weights, _ channels: Int, epsilon: Float = 1e-5) {
        weight = weights.tensor("weight", [channels])
        bias = weights.tensor("bias", [channels])
        mean = weights.tensor("running_mean", [channels])
        variance = weights.tensor("running_var", [channels])
        // A counter of training steps that inference has no use for.
        _ = weights.optional("num_batches_tracked", [], as: .i64)
        self.epsilon = epsilon
    }

    /// The scale and shift of each channel that the norm amounts to.
    public func affine() throws(TensorError) -> (scale: Tensor, shift: Tensor) {
        let scale = try weight * variance.adding(epsilon).rsqrt()
        return (scale, try bias - mean * scale)
    }

    public func callAsFunction(_ x: Tensor) throws(TensorError) -> Tensor {
        try x.batchNorm(mean: mean, variance: variance, weight: weight, bias: bias, epsilon: epsilon)
    }
}
