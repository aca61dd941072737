import Checkpoints
import Layers
import Tensors

/// Self-attention within square windows, with a learned bias for each distance between two places (LeViT's, Graham et al. 2021).
struct WindowAttention: Sendable {
    private let norm: LayerNorm
    private let joint, output: Linear
    /// `[1, heads, places, places]`
    private let bias: Tensor
    private let width, heads, side: Int

    init(_ weights: Weights, _ width: Int, heads: Int, side: Int) throws(TensorError) {
        (self.width, self.heads, self.side) = (width, heads, side)
        norm = LayerNorm(weights["norm"], width, epsilon: 1e-5)
        joint = Linear(weights["qkv"], width, 3 * width)
        output = Linear(weights["proj"], width, width)
        let places = side * side, distances = weights.tensor("attention_biases", [heads, places])
        bias = try distances.gathered(Self.distanceIndices(side), axis: 1).reshaped([1, heads, places, places])
    }

    /// For each pair of places the number of its (|dy|, |dx|), counted in the order in which pairs first show it: the
    /// checkpoint's order. From place 0 every distance is met once, row by row, so the count is |dy| * side + |dx|.
    private static func distanceIndices(_ side: Int) throws(TensorError) -> Tensor {
        var indices: [Int64] = []
        indices.reserveCapacity(side * side * side * side)
        for a in 0..<side * side {
            for b in 0..<side * side { indices.append(Int64(abs(a / side - b / side) * side + abs(a % side - b % side))) }
        }
        return try Tensor(indices, [indices.count])
    }

    /// `[batch, h, w, width]`: the input plus what attention adds to it. Windows that stick out at the right and at the bottom are
    /// filled with zeros, which take part as tokens, as in the reference.
    func callAsFunction(_ x: Tensor) throws(TensorError) -> Tensor {
        let (batch, height, width) = (x.dim(0), x.dim(1), x.dim(2))
        if height == side && width == side { return try attend(x.reshaped([batch, side * side, self.width])).reshaped(x.shape) }
        let rows = (height + side - 1) / side, columns = (width + side - 1) / side
        let pads = rows * side != height || columns * side != width
        let padded = pads ? try x.padded([(0, 0), (0, rows * side - height), (0, columns * side - width), (0, 0)]) : x
        // [batch, rows, side, columns, side, width]
        let cells = try padded.splitAxis(1, into: [rows, side]).splitAxis(3, into: [columns, side])
        let windows = try cells.permuted([0, 1, 3, 2, 4, 5]).reshaped([batch * rows * columns, side * side, self.width])
        let mixed = try attend(windows).reshaped([batch, rows, columns, side, side, self.width])
        let whole = try mixed.permuted([0, 1, 3, 2, 4, 5]).reshaped([batch, rows * side, columns * side, self.width])
        return pads ? try whole.sliced(1, 0..<height).sliced(2, 0..<width).contiguous() : whole
    }

    /// `[windows, places, width]`
    private func attend(_ x: Tensor) throws(TensorError) -> Tensor {
        let (windows, places) = (x.dim(0), x.dim(1))
        // Each head keeps its query, key and value side by side.
        let parts = try joint(norm(x)).reshaped([windows, places, heads, 3, width / heads]).permuted([3, 0, 2, 1, 4])
        let mixed = try Tensor.attention(
            queries: parts.selected(0, 0), keys: parts.selected(0, 1), values: parts.selected(0, 2), mask: bias)
        return try output(mixed.reshaped([windows, places, width]), residual: x)
    }
}
