import Checkpoints
import Tensors

/// Causal self-attention with rotary positions in which groups of query heads share keys and values (Ainslie et al. 2023), over a
/// cache of the tokens seen.
public struct GroupedQueryAttention: Sendable {
    public struct Config: Sendable, Hashable {
        public var width, heads, keyHeads, headWidth: Int
        /// Whether the projections of queries, keys and values have biases, and whether that of the output has.
        public var inputBias = false
        public var outputBias = false

        public init(width: Int, heads: Int, keyHeads: Int, headWidth: Int) {
            (self.width, self.heads, self.keyHeads, self.headWidth) = (width, heads, keyHeads, headWidth)
        }
    }

    private let config: Config
    private let query, key, value, output: Linear

    /// `weights` at the parent of `q_proj`, `k_proj`, `v_proj` and `o_proj`.
    public init(_ weights: Weights, _ config: Config) {
        self.config = config
        let inner = config.heads * config.headWidth, shared = config.keyHeads * config.headWidth
        query = Linear(weights["q_proj"], config.width, inner, bias: config.inputBias)
        key = Linear(weights["k_proj"], config.width, shared, bias: config.inputBias)
        value = Linear(weights["v_proj"], config.width, shared, bias: config.inputBias)
        output = Linear(weights["o_proj"], inner, config.width, bias: config.outputBias)
    }

    /// `[batch, tokens, width]` of tokens that follow those in the cache, which takes them in.
    public func callAsFunction(
        _ x: Tensor, rotary: RotaryEmbedding, angles: Tensor, cache: inout KeyValueCache, layer: Int, residual: Tensor
    ) throws(TensorError) -> Tensor {
        let (batch, tokens) = (x.dim(0), x.dim(1))
        let q = try rotary(query(x).reshaped([batch, tokens, config.heads, config.headWidth]), angles)
        let k = try rotary(key(x).reshaped([batch, tokens, config.keyHeads, config.headWidth]), angles)
        let v = try value(x).reshaped([batch, tokens, config.keyHeads, config.headWidth])
        let seen = try cache.append(layer: layer, keys: k, values: v)
        let mixed = try Tensor.attention(  // [batch, tokens, heads, head width]
            queries: q.permuted([0, 2, 1, 3]), keys: seen.keys, values: seen.values, causal: true)
        return try output(mixed.reshaped([batch, tokens, config.heads * config.headWidth]), residual: residual)
    }
}
