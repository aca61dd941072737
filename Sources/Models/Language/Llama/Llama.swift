import Checkpoints
import Layers
import ModelKit
import Tensors
import Tokenizers

/// Llama (Touvron et al. 2023): pre-norm blocks of grouped-query attention with rotary positions and a gated feed-forward network.
public struct Llama: LanguageModel {
    public let tokenizer: Tokenizer?
    public let tokenizerAbsence: String?
    private let config: LlamaConfig
    private let tokens: TokenEmbedding
    private let rotary: RotaryEmbedding
    private let blocks: [LlamaBlock]
    private let norm: RMSNorm
    private let head: Linear

    init(_ weights: Weights, _ config: LlamaConfig, tokenizer: Tokenizer?, tokenizerAbsence: String?) {
        (self.config, self.tokenizer, self.tokenizerAbsence) = (config, tokenizer, tokenizerAbsence)
        let width = config.attention.width, model = weights["model"]
        tokens = TokenEmbedding(model["embed_tokens"], config.vocabulary, width)
        rotary = RotaryEmbedding(width: config.rotated, base: config.base, pairing: config.pairing, scaling: config.scaling)
        blocks = (0..<config.layers).map { LlamaBlock(model["layers"][$0], config) }
        norm = RMSNorm(model["norm"], width, epsilon: config.epsilon)
        head = Linear(
            config.isTied ? model["embed_tokens"] : weights["lm_head"], width, config.vocabulary, bias: false, adapts: !config.isTied)
    }

    public var width: Int { config.attention.width }
    public var vocabularySize: Int { config.vocabulary }
    public var contextLength: Int { config.context }
    public var endTokens: [Int32] { tokenizer?.specialTokens.end.map { [$0] } ?? [] }

    public func makeCache(batch: Int, capacity: Int) -> KeyValueCache {
        KeyValueCache(
            layers: config.layers, batch: batch, heads: config.attention.keyHeads, width: config.attention.headWidth, capacity: capacity,
            limit: config.context)
    }

    public func embeddings(_ ids: Tensor) throws -> Tensor { try tokens(ids) }

    public func states(_ embeddings: Tensor, cache: inout KeyValueCache) throws -> Tensor {
        guard embeddings.rank == 3, embeddings.dim(0) == cache.batch, embeddings.dim(2) == width else {
            throw TensorError.shape(operation: "Llama", shapes: [embeddings.shape], expected: "[\(cache.batch), tokens, \(width)]")
        }
        let count = embeddings.dim(1)
        try cache.reserve(count)
        let angles = rotary.angles(from: cache.count, count: count)
        Taps.record("language.embeddings", embeddings)
        var x = embeddings  // [batch, tokens, width]
        for (index, block) in blocks.enumerated() {
            x = try block(x, rotary: rotary, angles: angles, cache: &cache, layer: index)
            Taps.record("language.layer.\(index)", x)
        }
        cache.advance(by: count)
        return try norm(x)
    }

    public func logits(_ states: Tensor) throws -> Tensor { try head(states) }
}

/// Attention and a gated feed-forward network, each behind a norm and in a residual branch.
private struct LlamaBlock: Sendable {
    private let firstNorm, secondNorm: RMSNorm
    private let attention: GroupedQueryAttention
    private let gate, up, down: Linear

    init(_ weights: Weights, _ config: LlamaConfig) {
        let width = config.attention.width, mlp = weights["mlp"]
        firstNorm = RMSNorm(weights["input_layernorm"], width, epsilon: config.epsilon)
        secondNorm = RMSNorm(weights["post_attention_layernorm"], width, epsilon: config.epsilon)
        attention = GroupedQueryAttention(weights["self_attn"], config.attention)
        gate = Linear(mlp["gate_proj"], width, config.hidden, bias: config.hiddenBias)
        up = Linear(mlp["up_proj"], width, config.hidden, bias: config.hiddenBias)
        down = Linear(mlp["down_proj"], config.hidden, width, bias: config.hiddenBias)
    }

    func callAsFunction(
        _ x: Tensor, rotary: RotaryEmbedding, angles: Tensor, cache: inout KeyValueCache, layer: Int
    ) throws(TensorError) -> Tensor {
        let y = try attention(firstNorm(x), rotary: rotary, angles: angles, cache: &cache, layer: layer, residual: x)
        let inner = try secondNorm(y)
        return try down(gate(inner, activation: .silu) * up(inner), residual: y)
    }
}
