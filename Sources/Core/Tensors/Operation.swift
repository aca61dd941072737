import CKernels

/// What a recorded result was computed by, with what its gradient needs: the module `Autograd` has a rule for each. Kept tensors are
/// constants, so that they don't hold the graph.
package enum Operation: Sendable {
    // Element-wise, operands broadcast; of bf16, x gave a result of bf16
    case unary(sn_unary, x: Tensor)
    case add, subtract
    case multiply(Tensor, Tensor)
    case divide(Tensor, Tensor)
    /// The larger or the smaller of two; equal elements share the gradient.
    case extremum(Tensor, Tensor, largest: Bool)
    case power(Tensor, Tensor)
    case scale(Float)
    /// The larger or the smaller of an element and a number; where they are equal the element has the gradient.
    case bound(Float, x: Tensor, largest: Bool)
    case powerOf(Float, x: Tensor)
    /// The first operand where the condition holds, the second elsewhere.
    case select(condition: Tensor)

    // Products
    case matmul(Tensor, Tensor)
    /// `x W^T + bias`: operands x, bias, then those rows of W that are tensors of their own. No x is kept that its trace gives again.
    case linear(x: Tensor?, weights: WeightMatrix, ProductPrecision)
    case attention(queries: Tensor, keys: Tensor, values: Tensor, scale: Float, mask: Tensor?, causal: Bool)
    /// Of queries, keys and values side by side, `[batch, n, 3, heads, width]`.
    case jointAttention(Tensor, scale: Float, mask: Tensor?, causal: Bool)
    case conv2d(x: Tensor, weight: Tensor, Window, groups: Int)

    // Norms
    case layerNorm(x: Tensor, weight: Tensor?, bias: Tensor?, epsilon: Float)
    case rmsNorm(x: Tensor, weight: Tensor?, epsilon: Float)
    case softmax(result: Tensor)
    case logSoftmax(result: Tensor)
    /// Vectors along the last axis scaled to unit length.
    case unitLength(x: Tensor, result: Tensor)

    // Over axes; `kept` is the result's shape with the axes as ones
    case sum(kept: [Int])
    case mean(kept: [Int], length: Int)
    case variance(x: Tensor, axes: [Int], kept: [Int], length: Int, correction: Int)
    /// The largest or the smallest; equal elements share the gradient.
    case extremumOver(x: Tensor, result: Tensor, kept: [Int])
    case cumulativeSum(axis: Int)

    // Places
    case reshape
    case permute([Int])
    case broadcast
    case slice(axis: Int, start: Int, step: Int)
    case concatenate(axis: Int, sizes: [Int])
    case gather(indices: [Int], axis: Int)
    case takeAlong(indices: [Int], shape: [Int], axis: Int)
    case pad([(Int, Int)])
    case triangle(lower: Bool, diagonal: Int)

    // Windows
    case maxPool(x: Tensor, kernel: (Int, Int), Window)
    case averagePool(kernel: (Int, Int), Window, countPadding: Bool)
    case interpolate(Interpolated)

    /// An operation of another module, with its rule: from the result's gradient to those of the operands.
    case custom(@Sendable (Tensor) throws -> [Tensor?])
    /// Computed anew, and recorded, on the way back.
    case recompute(@Sendable () throws -> Tensor)
}
