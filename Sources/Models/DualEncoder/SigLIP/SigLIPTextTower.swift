import Checkpoints
import Layers
import ModelKit
import Tensors

/// SigLIP's text transformer: every token sees every other, padding too; the embedding is the last position through a head.
struct SigLIPTextTower: TextEncoder {
    let dimension: Int
    private let config: SigLIPTextConfig
    private let tokens: Embedding
    private let positions: Tensor
    private let blocks: TransformerStack
    private let norm: LayerNorm
    private let head: Linear
    private let tokenizer: SigLIPTokenizer?

    /// `weights` at `text_model`.
    init(_ weights: Weights, _ config: SigLIPTextConfig, tokenizer: SigLIPTokenizer?) throws {
        self.config = config
        self.tokenizer = tokenizer
        let width = config.block.width
        tokens = Embedding(weights["embeddings.token_embedding"], config.vocabulary, width)
        positions = weights["embeddings.position_embedding"].tensor("weight", [config.positions, width])
        blocks = try TransformerStack(weights["encoder.layers"], layers: config.layers, config.block, .clip)
        norm = LayerNorm(weights["final_layer_norm"], width, epsilon: config.block.epsilon)
        head = Linear(weights["head"], width, config.projection)
        dimension = config.projection
    }

    /// Always the full context: the embedding is read at its last position.
    func tokenize(_ texts: [String]) throws -> TokenBatch {
        guard let tokenizer else { throw RoleError(model: "SigLIP", role: "text encoder", reason: "the checkpoint has no tokenizer files") }
        return TokenBatch(ids: try tokenizer.batch(texts, length: config.positions).ids)
    }

    func embed(_ batch: TokenBatch) throws -> Tensor {
        let ids = batch.ids
        guard ids.rank == 2, ids.dim(1) >= 1, ids.dim(1) <= config.positions else {
            throw TensorError.shape(
                operation: "SigLIP text tower", shapes: [ids.shape], expected: "[batch, at most \(config.positions) tokens]")
        }
        let x = try tokens(ids) + positions.sliced(0, 0..<ids.dim(1))  // [batch, length, width]
        Taps.record("text.embeddings", x)
        let last = try blocks(x, at: [Int](repeating: ids.dim(1) - 1, count: ids.dim(0)), tap: "text.layer")  // [batch, width]
        return try head(norm(last))
    }
}
