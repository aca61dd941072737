import Layers
import Tensors
import Tokenizers

/// Tokens to the probabilities of the next one. A forward pass is three steps, so that a connector may put other vectors among
/// the tokens' and a measure may ask for the logits of some positions alone.
public protocol LanguageModel: Sendable {
    var width: Int { get }
    var vocabularySize: Int { get }
    /// The most tokens that it attends to.
    var contextLength: Int { get }
    /// nil where the checkpoint holds none; `tokenizerAbsence` then says why.
    var tokenizer: Tokenizer? { get }
    var tokenizerAbsence: String? { get }
    /// Tokens that end a text.
    var endTokens: [Int32] { get }

    /// An empty cache with room for `capacity` tokens, which grows.
    func makeCache(batch: Int, capacity: Int) -> KeyValueCache
    /// Ids `[batch, n]` to vectors `[batch, n, width]`. Throws for an id outside the vocabulary.
    func embeddings(_ ids: Tensor) throws -> Tensor
    /// Vectors `[batch, n, width]` of tokens that follow those in the cache to their last hidden states, of the same shape.
    func states(_ embeddings: Tensor, cache: inout KeyValueCache) throws -> Tensor
    /// Hidden states `[..., width]` to logits `[..., vocabularySize]`.
    func logits(_ states: Tensor) throws -> Tensor
}

extension LanguageModel {
    /// Logits `[batch, n, vocabularySize]` of ids `[batch, n]` from an empty context.
    public func logits(ids: Tensor) throws -> Tensor {
        guard ids.rank == 2 else { throw TensorError.shape(operation: "language model", shapes: [ids.shape], expected: "[batch, tokens]") }
        var cache = makeCache(batch: ids.dim(0), capacity: ids.dim(1))
        return try logits(states(embeddings(ids), cache: &cache))
    }

    /// Logits `[vocabularySize]` of the token after `ids`, which follow those in a cache of one row.
    public func nextLogits(_ ids: [Int32], cache: inout KeyValueCache) throws -> Tensor {
        guard !ids.isEmpty else { throw TensorError.shape(operation: "language model", shapes: [[1, 0]], expected: "at least one token") }
        let states = try states(embeddings(Tensor(ids, [1, ids.count])), cache: &cache)
        return try logits(states.sliced(1, ids.count - 1..<ids.count)).reshaped([vocabularySize])
    }
}
