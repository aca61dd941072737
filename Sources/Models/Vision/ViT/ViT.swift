import Checkpoints
import Imaging
import Layers
import ModelKit
import Tensors

/// Vision transformer: patches, a class token, pre-LN blocks. Embedding: the class token after the last norm.
public struct ViT: PatchImageEncoder, ImageClassifier {
    public let transform: ImageTransform
    public let labels: [String]
    public let dimension: Int
    public let maskToken: (name: String, shape: [Int])
    private let config: ViTConfig
    private let classToken, positions: Tensor
    /// Only training hides patches.
    private let mask: Tensor?
    private let patches: PatchEmbedding
    private let blocks: TransformerStack
    private let norm: LayerNorm
    private let pooler, classifier: Linear?

    init(_ weights: Weights, _ config: ViTConfig, transform: ImageTransform, labels: [String]) throws {
        self.config = config
        self.transform = transform
        self.labels = labels
        let width = config.block.width, count = (config.image / config.patch) * (config.image / config.patch)
        let vit = weights.has("vit.embeddings") ? weights["vit"] : weights
        maskToken = (vit["embeddings"].path + ".mask_token", [1, 1, width])
        classToken = vit["embeddings"].tensor("cls_token", [1, 1, width])
        positions = vit["embeddings"].tensor("position_embeddings", [1, count + 1, width])
        mask = vit["embeddings"].optional("mask_token", maskToken.shape)
        patches = try PatchEmbedding(
            vit["embeddings.patch_embeddings.projection"], channels: config.channels, patch: config.patch, width: width, bias: true)
        blocks = try TransformerStack(vit["encoder.layer"], layers: config.layers, config.block, .vit)
        norm = LayerNorm(vit["layernorm"], width, epsilon: config.block.epsilon)
        pooler = config.pooler == nil ? nil : Linear(vit["pooler.dense"], width, config.pooled)
        classifier = config.classes.map { Linear(weights["classifier"], width, $0) }
        dimension = width
    }

    public var pictureSide: Int { config.image }
    public var patchSide: Int { config.patch }

    /// Tokens after the last norm, `[batch, 1 + patches, width]`; any picture size of whole patches.
    public func tokens(pixels: Tensor) throws -> Tensor { try norm(blocks(embedded(pixels), tap: "vision.layer")) }

    public func patches(pixels: Tensor, hidden: Tensor?) throws -> Tensor {
        let tokens = try norm(blocks(embedded(pixels, hidden), tap: "vision.layer"))
        return try tokens.sliced(1, 1..<tokens.dim(1))
    }

    private func embedded(_ pixels: Tensor, _ hidden: Tensor? = nil) throws -> Tensor {
        let embedded = try hiding(hidden, of: patches(pixels), behind: mask, model: "ViT")  // [batch, patches, width]
        let lead = try classToken.broadcast(to: [pixels.dim(0), 1, config.block.width])
        let places = try resized(positions, rows: pixels.dim(2) / config.patch, columns: pixels.dim(3) / config.patch)
        let x = try Tensor.concatenated([lead, embedded], axis: 1) + places
        Taps.record("vision.embeddings", x)
        return x
    }

    public func embed(pixels: Tensor) throws -> Tensor {
        try norm(blocks(embedded(pixels), at: [Int](repeating: 0, count: pixels.dim(0)), tap: "vision.layer"))
    }

    /// The pooler's output `[batch, pooled]`; nil where the checkpoint has none.
    public func pooled(pixels: Tensor) throws -> Tensor? {
        try pooler?(embed(pixels: pixels), activation: config.pooler)
    }

    public func logits(_ prepared: [Tensor]) throws -> Tensor {
        guard let classifier else { throw RoleError(model: "ViT", role: "classifier", reason: "the checkpoint has no classifier.weight") }
        return try classifier(embed(pixels: Tensor.stacked(prepared)))
    }
}
