import Checkpoints
import Layers
import ModelKit
import Tensors

/// Sizes of a BERT or RoBERTa encoder (Devlin et al. 2019).
public struct BERTConfig: Sendable, Hashable {
    public var block: BlockConfig
    public var layers, vocabulary, positions, types: Int
    public var padding: Int

    public init(_ config: ConfigReader) throws {
        let width = try config.size("hidden_size", default: 768)
        block = BlockConfig(
            width: width, heads: try config.heads("num_attention_heads", width: width, default: 12),
            hidden: try config.size("intermediate_size", default: 3072), activation: try config.activation("hidden_act", default: .gelu),
            epsilon: try config.float("layer_norm_eps", default: 1e-12))
        block.norm = .after
        layers = try config.size("num_hidden_layers", default: 12)
        vocabulary = try config.size("vocab_size", default: 21128)
        positions = try config.size("max_position_embeddings", default: 512)
        types = try config.size("type_vocab_size", default: 2)
        padding = try config.int("pad_token_id", default: 0)
    }

    public init(block: BlockConfig, layers: Int, vocabulary: Int, positions: Int, types: Int) {
        (self.block, self.layers, self.vocabulary, self.positions, self.types, padding) = (block, layers, vocabulary, positions, types, 0)
        self.block.norm = .after
    }
}

/// BERT's encoder: post-LN blocks over word, position and type embeddings.
public struct BERT: Sendable {
    public let config: BERTConfig
    private let words, positions, types: Embedding
    private let norm: LayerNorm
    private let blocks: TransformerStack

    /// `weights` at the parent of `embeddings` and `encoder`.
    public init(_ weights: Weights, _ config: BERTConfig) throws {
        self.config = config
        let width = config.block.width, embeddings = weights["embeddings"]
        words = Embedding(embeddings["word_embeddings"], config.vocabulary, width)
        positions = Embedding(embeddings["position_embeddings"], config.positions, width)
        types = Embedding(embeddings["token_type_embeddings"], config.types, width)
        norm = LayerNorm(embeddings["LayerNorm"], width, epsilon: config.block.epsilon)
        blocks = try TransformerStack(weights["encoder.layer"], layers: config.layers, config.block, .bert)
    }

    /// Last hidden states `[batch, length, width]`; `mask` `[batch, length]` is 0 at padding.
    public func callAsFunction(_ batch: TokenBatch) throws -> Tensor {
        let (x, mask) = try embedded(batch)
        return try blocks(x, mask: mask, tap: "text.layer")
    }

    /// The last state of the class token, `[batch, width]`.
    public func classState(_ batch: TokenBatch) throws -> Tensor {
        let (x, mask) = try embedded(batch)
        return try blocks(x, at: [Int](repeating: 0, count: x.dim(0)), mask: mask, tap: "text.layer")
    }

    private func embedded(_ batch: TokenBatch) throws -> (Tensor, mask: Tensor?) {
        let length = batch.ids.dim(1)
        guard length <= config.positions else {
            throw TensorError.shape(operation: "BERT", shapes: [batch.ids.shape], expected: "at most \(config.positions) tokens")
        }
        let places = try positions.table.sliced(0, 0..<length) + types.table.selected(0, 0)
        let x = try norm(words(batch.ids) + places).dropout()  // [batch, length, width]
        Taps.record("text.embeddings", x)
        let mask = try batch.mask.map { try $0.asType(.bool).reshaped([batch.ids.dim(0), 1, 1, length]) }
        return (x, mask)
    }
}
