import Checkpoints
import Imaging
import Layers
import ModelKit
import Tensors

/// CLIP's picture transformer: patches without bias, a norm before the blocks and one after on the class token, a projection.
struct CLIPVisionTower: FixedSizeImageEncoder {
    let transform: ImageTransform
    let dimension: Int
    private let config: CLIPVisionConfig
    private let classToken, positions: Tensor
    private let patches: PatchEmbedding
    private let before, after: LayerNorm
    private let blocks: TransformerStack
    private let projection: Linear?

    /// `weights` at the root: `vision_model...` and `visual_projection`.
    init(_ weights: Weights, _ config: CLIPVisionConfig, projection: Int?, transform: ImageTransform) throws {
        self.config = config
        self.transform = transform
        let width = config.block.width, side = config.image / config.patch, tower = weights["vision_model"]
        classToken = tower.tensor("embeddings.class_embedding", [width])
        positions = tower.tensor("embeddings.position_embedding.weight", [side * side + 1, width])
        patches = try PatchEmbedding(
            tower["embeddings.patch_embedding"], channels: config.channels, patch: config.patch, width: width, bias: false)
        before = LayerNorm(tower["pre_layrnorm"], width, epsilon: config.block.epsilon)  // spelt so in every checkpoint
        after = LayerNorm(tower["post_layernorm"], width, epsilon: config.block.epsilon)
        blocks = try TransformerStack(tower["encoder.layers"], layers: config.layers, config.block, .clip)
        self.projection = projection.map { Linear(weights["visual_projection"], width, $0, bias: false) }
        dimension = projection ?? width
    }

    func embed(pixels: Tensor) throws -> Tensor {
        guard pixels.rank == 4, pixels.dim(2) == config.image, pixels.dim(3) == config.image else {
            throw TensorError.shape(
                operation: "CLIP picture tower", shapes: [pixels.shape], expected: "[batch, 3, \(config.image), \(config.image)]")
        }
        let lead = try classToken.broadcast(to: [pixels.dim(0), 1, config.block.width])
        let x = try Tensor.concatenated([lead, patches(pixels)], axis: 1) + positions  // [batch, 1 + patches, width]
        Taps.record("vision.embeddings", x)
        let classes = [Int](repeating: 0, count: pixels.dim(0))
        let pooled = try after(blocks(TrainingNoise.keepingTokens(before(x), leading: 1), at: classes, tap: "vision.layer"))
        Taps.record("vision.pooled", pooled)
        return try projection?(pooled) ?? pooled
    }
}
