import Checkpoints
import Tensors

/// What adapters add to a product: `(x A^T) (scale B)^T`; the matrix `B A` is never made.
struct LowRankProduct: Sendable {
    /// `[ranks, input]`: the A of all parts, one below another.
    private let down: WeightMatrix
    /// `[outputs, ranks]`
    private let up: WeightMatrix

    init(_ addition: LowRank) {
        down = WeightMatrix(addition.down.asType(.f32))
        up = WeightMatrix(addition.up.asType(.f32).scaled(by: addition.scale))
    }

    /// Of several projections of one input, `rows` outputs each: one product for all A and one for all B, whose rows see only their own
    /// part's. nil where no part has an addition.
    init?(joining parts: [LowRank?], rows: Int) throws(TensorError) {
        let ranks = parts.reduce(0) { $0 + ($1?.rank ?? 0) }
        guard ranks > 0 else { return nil }
        var downs: [Tensor] = [], ups: [Tensor] = [], before = 0
        for part in parts {
            guard let part else {
                ups.append(.zeros([rows, ranks]))
                continue
            }
            downs.append(part.down.asType(.f32))
            ups.append(try part.up.asType(.f32).scaled(by: part.scale).padded([(0, 0), (before, ranks - before - part.rank)]))
            before += part.rank
        }
        down = WeightMatrix(try .concatenated(downs))
        up = WeightMatrix(try .concatenated(ups))
    }

    private init(down: WeightMatrix, up: WeightMatrix) { (self.down, self.up) = (down, up) }

    func outputs(_ range: Range<Int>) -> LowRankProduct { LowRankProduct(down: down, up: up.sliced(range)) }

    /// `y + (x A^T) (scale B)^T` for `x` `[..., input]` and `y` `[..., outputs]`.
    func callAsFunction(_ x: Tensor, addedTo y: Tensor) throws(TensorError) -> Tensor {
        try up.apply(down.apply(TrainingNoise.adapterInput(x)), residual: y)
    }
}
