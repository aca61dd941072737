import Checkpoints
import Tensors

/// A table of `count` vectors of `width`.
public struct Embedding: Sendable {
    public let table: Tensor

    public init(_ weights: Weights, _ count: Int, _ width: Int) { table = weights.tensor("weight", [count, width]) }

    /// Whole numbers of any shape -> `[..., width]`. Throws for one outside the table.
    public func callAsFunction(_ indices: Tensor) throws(TensorError) -> Tensor { try table.gathered(indices) }
}
