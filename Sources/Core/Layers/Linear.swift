import Checkpoints
import Tensors

/// `x W^T + b` with `weight` `[output, input]`, read where the checkpoint has it and as it is stored there (f32, f16, bf16, int8 or
/// ggml's blocks), unless the loader asks for another precision.
public struct Linear: Sendable {
    private let matrix: WeightMatrix
    private let bias: Tensor?
    private let addition: LowRankProduct?

    /// - Parameter adapts: whether adapters may add to it; false where the matrix belongs to another layer, too.
    public init(_ weights: Weights, _ input: Int, _ output: Int, bias: Bool = true, adapts: Bool = true) {
        addition = adapts ? weights.addition(input, output).map { LowRankProduct($0) } : nil
        matrix = WeightMatrix([weights.matrix("weight", [output, input])])
        self.bias = bias ? weights.tensor("bias", [output]) : nil
    }

    /// A matrix that isn't one of the checkpoint as it stands, rounded to `precision` where one is given.
    public init(weight: Tensor, bias: Tensor?, precision: WeightFormat? = nil) {
        let rows = StoredRows(weight)
        matrix = WeightMatrix([precision.map { rows.converted(to: $0) } ?? rows])
        self.bias = bias
        addition = nil
    }

    /// Several projections of one input as one product: rows of the parts one after another.
    public init(joining parts: [Weights], _ input: Int, _ output: Int, bias: [Bool]) throws(TensorError) {
        matrix = WeightMatrix(parts.map { $0.matrix("weight", [output, input]) })
        addition = try LowRankProduct(joining: parts.map { $0.addition(input, output) }, rows: output)
        let biases = zip(parts, bias).map { $1 ? $0.tensor("bias", [output]) : Tensor.zeros([output]) }
        self.bias = bias.contains(true) ? try .concatenated(biases) : nil
    }

    private init(matrix: WeightMatrix, bias: Tensor?, addition: LowRankProduct?) {
        (self.matrix, self.bias, self.addition) = (matrix, bias, addition)
    }

    /// The layer that gives outputs `range` of this one; the weights are shared.
    public func outputs(_ range: Range<Int>) throws(TensorError) -> Linear {
        Linear(
            matrix: matrix.sliced(range), bias: try bias.map { (bias: Tensor) throws(TensorError) in try bias.sliced(0, range) },
            addition: addition?.outputs(range))
    }

    /// `[..., input] -> [..., output]`: `activation((x W^T + b) scale) + residual`; `scale` `[output]`.
    public func callAsFunction(
        _ x: Tensor, scale: Tensor? = nil, activation: Activation? = nil, residual: Tensor? = nil
    ) throws(TensorError) -> Tensor {
        guard let addition else { return try matrix.apply(x, bias: bias, scale: scale, activation: activation, residual: residual) }
        // Only a residual can be added before the addition is.
        let isPlain = scale == nil && activation == nil
        var y = try addition(x, addedTo: matrix.apply(x, bias: bias, residual: isPlain ? residual : nil))
        if let scale { y = try y * scale }
        if let activation { y = y.activated(activation) }
        if let residual, !isPlain { y = try y + residual }
        return y
    }
}
