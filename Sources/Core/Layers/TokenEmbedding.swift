import Checkpoints
import Tensors

/// A table of `count` vectors of `width` of which a few rows are read at a time: it stays in the checkpoint's file in the format
/// that it has there, wherever the file allows it.
public struct TokenEmbedding: Sendable {
    private enum Table: Sendable {
        case stored(StoredRows)
        case floats(Tensor)
    }

    private let table: Table

    public init(_ weights: Weights, _ count: Int, _ width: Int) {
        table = weights.storedRows("weight", [count, width]).map { .stored($0) } ?? .floats(weights.tensor("weight", [count, width]))
    }

    /// Whole numbers of any shape -> f32 `[..., width]`. Throws for one outside the table.
    public func callAsFunction(_ indices: Tensor) throws(TensorError) -> Tensor {
        switch table {
        case let .stored(rows): try rows.gathered(indices)
        case let .floats(tensor): try tensor.gathered(indices)
        }
    }
}
