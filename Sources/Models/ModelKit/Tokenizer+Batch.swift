import Tensors
import Tokenizers

extension Tokenizer {
    /// Token ids of several texts as one batch, cut to `maxLength` with the special tokens kept.
    /// - Parameters:
    ///   - fixedLength: pads to that many tokens; nil pads to the longest of the batch.
    ///   - padding: the id that fills up.
    public func batch(_ texts: [String], maxLength: Int, fixedLength: Int?, padding: Int) throws -> TokenBatch {
        let rows = encodeBatch(texts, maxLength: maxLength, padTo: .none).map(\.ids)
        let length = max(fixedLength ?? rows.map(\.count).max() ?? 0, 1)
        var ids = [Int64](repeating: Int64(padding), count: rows.count * length), mask = [Int64](repeating: 0, count: rows.count * length)
        for (row, tokens) in rows.enumerated() {
            for (column, token) in tokens.prefix(length).enumerated() {
                ids[row * length + column] = Int64(token)
                mask[row * length + column] = 1
            }
        }
        return TokenBatch(ids: try Tensor(ids, [rows.count, length]), mask: try Tensor(mask, [rows.count, length]))
    }
}
