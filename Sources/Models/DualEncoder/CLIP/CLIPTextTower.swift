import Checkpoints
import Layers
import ModelKit
import Tensors
import Tokenizers

/// CLIP's causal text transformer; the embedding is the projected state at the end-of-text token.
struct CLIPTextTower: TextEncoder {
    let dimension: Int
    private let config: CLIPTextConfig
    private let tokens: Embedding
    private let positions: Tensor
    private let blocks: TransformerStack
    private let norm: LayerNorm
    private let projection: Linear?
    private let tokenizer: Tokenizer?

    /// `weights` at the root: `text_model...` and `text_projection`.
    init(_ weights: Weights, _ config: CLIPTextConfig, projection: Int?, tokenizer: Tokenizer?) throws {
        self.config = config
        self.tokenizer = tokenizer
        let width = config.block.width, tower = weights["text_model"]
        tokens = Embedding(tower["embeddings.token_embedding"], config.vocabulary, width)
        positions = tower.tensor("embeddings.position_embedding.weight", [config.positions, width])
        blocks = try TransformerStack(tower["encoder.layers"], layers: config.layers, config.block, .clip)
        norm = LayerNorm(tower["final_layer_norm"], width, epsilon: config.block.epsilon)
        self.projection = projection.map { Linear(weights["text_projection"], width, $0, bias: false) }
        dimension = projection ?? width
    }

    func tokenize(_ texts: [String]) throws -> TokenBatch {
        guard let tokenizer else { throw RoleError(model: "CLIP", role: "text encoder", reason: "the checkpoint has no tokenizer files") }
        return try tokenizer.batch(texts, maxLength: config.positions, fixedLength: nil, padding: 0)
    }

    func embed(_ batch: TokenBatch) throws -> Tensor {
        let ids = batch.ids, length = ids.dim(1)
        guard length <= config.positions else {
            throw TensorError.shape(operation: "CLIP text tower", shapes: [ids.shape], expected: "at most \(config.positions) tokens")
        }
        let x = try tokens(ids) + positions.sliced(0, 0..<length)  // [batch, length, width]
        Taps.record("text.embeddings", x)
        // What follows the end of text can't be seen by it: the attention is causal.
        var ends: [Int] = []
        for row in 0..<ids.dim(0) { ends.append(end(of: try ids.selected(0, row).ints())) }
        let pooled = try norm(blocks(x, at: ends, causal: true, tap: "text.layer"))
        Taps.record("text.pooled", pooled)
        return try projection?(pooled) ?? pooled
    }

    /// The place of the first end-of-text token: the first largest id where the configuration doesn't name it.
    private func end(of ids: [Int]) -> Int {
        if let end = config.endOfText { return ids.firstIndex(of: end) ?? 0 }
        return ids.firstIndex(of: ids.max() ?? 0) ?? 0
    }
}
