import Checkpoints
import Imaging
import Layers
import ModelKit
import Tensors

/// SigLIP's picture transformer for squares of one size: no class token; the embedding is the attention pooling head's.
struct SigLIPVisionTower: FixedSizeImageEncoder {
    let transform: ImageTransform
    let dimension: Int
    private let image: Int
    private let patches: PatchEmbedding
    private let positions: Tensor
    private let blocks: TransformerStack
    private let norm: LayerNorm
    private let head: AttentionPoolingHead

    /// `weights` at `vision_model`.
    init(_ weights: Weights, _ config: SigLIPVisionConfig, image: Int, transform: ImageTransform) throws {
        self.transform = transform
        self.image = image
        let width = config.block.width
        dimension = width
        patches = try PatchEmbedding(
            weights["embeddings.patch_embedding"], channels: config.channels, patch: config.patch, width: width, bias: true)
        positions = weights["embeddings.position_embedding"].tensor("weight", [config.grid * config.grid, width])
        blocks = try TransformerStack(weights["encoder.layers"], layers: config.layers, config.block, .clip)
        norm = LayerNorm(weights["post_layernorm"], width, epsilon: config.block.epsilon)
        head = try AttentionPoolingHead(weights["head"], config.block)
    }

    func embed(pixels: Tensor) throws -> Tensor {
        guard pixels.rank == 4, pixels.dim(2) == image, pixels.dim(3) == image else {
            throw TensorError.shape(operation: "SigLIP picture tower", shapes: [pixels.shape], expected: "[batch, 3, \(image), \(image)]")
        }
        let x = try patches(pixels) + positions  // [batch, patches, width]
        Taps.record("vision.embeddings", x)
        let states = try norm(blocks(TrainingNoise.keepingTokens(x, leading: 0), tap: "vision.layer"))
        Taps.record("vision.post_layernorm", states)
        return try head(states)
    }
}

/// One learned query attends to every token; then a feed-forward network (Zhai et al. 2022, "MAP head").
struct AttentionPoolingHead: Sendable {
    /// The projected query `[1, heads, 1, width / heads]`: the same for every picture.
    private let query: Tensor
    private let joint, output, up, down: Linear
    private let norm: LayerNorm
    private let config: BlockConfig

    init(_ weights: Weights, _ config: BlockConfig) throws(TensorError) {
        self.config = config
        let width = config.width, attention = weights["attention"]
        let matrix = attention.tensor("in_proj_weight", [3 * width, width]), bias = attention.tensor("in_proj_bias", [3 * width])
        let probe = weights.tensor("probe", [1, 1, width])
        let first = Linear(weight: try matrix.sliced(0, 0..<width), bias: try bias.sliced(0, 0..<width), precision: weights.precision)
        query = try first(probe).reshaped([1, 1, config.heads, width / config.heads]).permuted([0, 2, 1, 3])
        joint = Linear(
            weight: try matrix.sliced(0, width..<3 * width), bias: try bias.sliced(0, width..<3 * width).contiguous(),
            precision: weights.precision)
        output = Linear(attention["out_proj"], width, width)
        norm = LayerNorm(weights["layernorm"], width, epsilon: config.epsilon)
        up = Linear(weights["mlp.fc1"], width, config.hidden)
        down = Linear(weights["mlp.fc2"], config.hidden, width)
    }

    /// `[batch, tokens, width] -> [batch, width]`; `mask` broadcasts to `[batch, heads, 1, tokens]`.
    func callAsFunction(_ x: Tensor, mask: Tensor? = nil) throws(TensorError) -> Tensor {
        let (batch, tokens, width) = (x.dim(0), x.dim(1), config.width)
        let parts = try joint(x).reshaped([batch, tokens, 2, config.heads, width / config.heads]).permuted([2, 0, 3, 1, 4])
        let mixed = try Tensor.attention(
            queries: query.broadcast(to: [batch, config.heads, 1, width / config.heads]), keys: parts.selected(0, 0),
            values: parts.selected(0, 1), mask: mask)
        let y = try output(mixed.reshaped([batch, width]))
        let pooled = try down(up(norm(y), activation: config.activation), residual: y)
        Taps.record("vision.pooled", pooled)
        return pooled
    }
}
