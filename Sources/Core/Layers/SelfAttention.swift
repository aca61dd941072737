import Checkpoints
import Tensors

/// Multi-head self-attention (Vaswani et al. 2017); the three projections run as one product.
public struct SelfAttention: Sendable {
    private let joint: Linear
    /// Parts of `joint`.
    private let query, keysAndValues: Linear
    private let output: Linear
    private let heads: Int
    private let width: Int

    /// - Parameters: weights of the four projections, each `[width, width]`.
    public init(
        query: Weights, key: Weights, value: Weights, output: Weights, width: Int, heads: Int, inputBias: [Bool] = [true, true, true],
        outputBias: Bool = true
    ) throws(TensorError) {
        joint = try Linear(joining: [query, key, value], width, width, bias: inputBias)
        self.query = try joint.outputs(0..<width)
        keysAndValues = try joint.outputs(width..<3 * width)
        self.output = Linear(output, width, width, bias: outputBias)
        self.heads = heads
        self.width = width
    }

    /// `[batch, tokens, width]`; `mask` broadcasts to `[batch, heads, tokens, tokens]`, added to the scores (or bool: keep). `scale` `[width]`
    /// multiplies the output before the residual is added.
    public func callAsFunction(
        _ x: Tensor, mask: Tensor? = nil, causal: Bool = false, scale: Tensor? = nil, residual: Tensor? = nil
    ) throws(TensorError) -> Tensor {
        let (batch, tokens) = (x.dim(0), x.dim(1))
        let parts = try joint(x).reshaped([batch, tokens, 3, heads, width / heads])
        let mixed = try Tensor.attention(joint: parts, mask: mask, causal: causal)  // [batch, tokens, heads, width / heads]
        return try output(mixed.reshaped([batch, tokens, width]), scale: scale, residual: residual)
    }

    /// The output for some tokens alone, `selected` `[batch, chosen, width]` out of `x` `[batch, tokens, width]`; `mask` broadcasts to
    /// `[batch, heads, chosen, tokens]`.
    public func callAsFunction(
        selected: Tensor, of x: Tensor, mask: Tensor?, scale: Tensor? = nil, residual: Tensor? = nil
    ) throws(TensorError) -> Tensor {
        let (batch, tokens, chosen) = (x.dim(0), x.dim(1), selected.dim(1))
        let queries = try query(selected).reshaped([batch, chosen, heads, width / heads]).permuted([0, 2, 1, 3])
        let parts = try keysAndValues(x).inProductPrecision().reshaped([batch, tokens, 2, heads, width / heads]).permuted([2, 0, 3, 1, 4])
        let mixed = try Tensor.attention(queries: queries, keys: parts.selected(0, 0), values: parts.selected(0, 1), mask: mask)
        return try output(mixed.reshaped([batch, chosen, width]), scale: scale, residual: residual)
    }
}
