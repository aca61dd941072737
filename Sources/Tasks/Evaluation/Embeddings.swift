import Tensors

/// Rows of numbers from a model or a file, checked before anything is measured on them.
public enum Embeddings {
    /// f32 `[rows, dimension]`; throws for another rank, no rows, or a number that isn't finite.
    /// - Parameter name: what the rows are, for the message.
    public static func checked(_ rows: Tensor, _ name: String) throws(EvaluationError) -> Tensor {
        guard rows.rank == 2, rows.dim(1) > 0 else {
            throw .unusable("\(name): an array of shape \(rows.shape); [rows, dimension] is expected")
        }
        guard rows.dim(0) > 0 else { throw .unusable("\(name): there are no rows to measure") }
        let floats = rows.asType(.f32).contiguous(), width = rows.dim(1)
        let bad = floats.withElements(Float.self) { values in values.firstIndex { !$0.isFinite } }
        if let bad {
            throw .unusable("\(name): the number at row \(bad / width), column \(bad % width) isn't finite (NaN or infinite)")
        }
        return floats
    }

    /// Both checked, of equal dimension.
    static func pair(
        _ a: Tensor, _ aName: String, _ b: Tensor, _ bName: String
    ) throws(EvaluationError) -> (Tensor, Tensor) {
        let (first, second) = (try checked(a, aName), try checked(b, bName))
        guard first.dim(1) == second.dim(1) else {
            throw .unusable(
                "\(aName) have \(first.dim(1)) numbers each, \(bName) \(second.dim(1)): they must come from one model's shared space")
        }
        return (first, second)
    }
}

/// Rows of a product that are looked at together: some megabytes, so that they stay near the processor.
func blockRows(columns: Int) -> Int { max(1, min(1_024, (4 << 20) / max(columns, 1))) }

extension Tensor {
    /// The inner products of each row of `self` with all rows of `others`, some rows at a time.
    /// - Parameter body: takes the number of the first row and products `[rows, others]`.
    func forEachProductBlock(with others: Tensor, _ body: (Int, Tensor) throws -> Void) throws {
        let transposed = try others.transposed(), step = blockRows(columns: others.dim(0))
        for start in stride(from: 0, to: dim(0), by: step) {
            try body(start, sliced(0, start..<Swift.min(dim(0), start + step)).matmul(transposed))
        }
    }
}
