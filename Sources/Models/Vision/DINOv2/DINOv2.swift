import Checkpoints
import Imaging
import Layers
import ModelKit
import Tensors

/// DINOv2 (Oquab et al. 2023), with or without registers (Darcet et al. 2023). Embedding: the class token after the last norm.
public struct DINOv2: PatchImageEncoder, ImageClassifier {
    public let transform: ImageTransform
    public let labels: [String]
    public let dimension: Int
    public let maskToken: (name: String, shape: [Int])
    private let config: DINOv2Config
    private let classToken, positions: Tensor
    /// Only training hides patches.
    private let mask: Tensor?
    private let registers: Tensor?
    private let patches: PatchEmbedding
    private let blocks: TransformerStack
    private let norm: LayerNorm
    private let classifier: Linear?

    package init(_ weights: Weights, _ config: DINOv2Config, transform: ImageTransform, labels: [String]) throws {
        self.config = config
        self.transform = transform
        self.labels = labels
        let width = config.block.width, side = config.image / config.patch
        let root = config.prefix.map { weights[$0] } ?? weights
        let embeddings = root["embeddings"]
        classToken = embeddings.tensor("cls_token", [1, 1, width])
        positions = embeddings.tensor("position_embeddings", [1, side * side + 1, width])
        registers = config.registers > 0 ? embeddings.tensor("register_tokens", [1, config.registers, width]) : nil
        maskToken = (embeddings.path + ".mask_token", [1, width])
        mask = embeddings.optional("mask_token", maskToken.shape)
        patches = try PatchEmbedding(
            embeddings["patch_embeddings.projection"], channels: config.channels, patch: config.patch, width: width, bias: true)
        var names = BlockNames.dinov2
        if config.block.feedForward == .swiglu { (names.up, names.down) = ("mlp.weights_in", "mlp.weights_out") }
        blocks = try TransformerStack(root["encoder.layer"], layers: config.layers, config.block, names)
        norm = LayerNorm(root["layernorm"], width, epsilon: config.block.epsilon)
        classifier = config.classes.map { Linear(weights["classifier"], 2 * width, $0) }
        dimension = width
    }

    /// Tokens after the last norm, `[batch, 1 + registers + patches, width]`; any picture size of whole patches.
    public func tokens(pixels: Tensor) throws -> Tensor { try norm(blocks(embedded(pixels), tap: "vision.layer")) }

    /// The patches among `tokens`, `[batch, patches, width]`.
    package func patches(of tokens: Tensor) throws -> Tensor { try tokens.sliced(1, 1 + config.registers..<tokens.dim(1)) }

    public func embed(pixels: Tensor) throws -> Tensor {
        try norm(blocks(embedded(pixels), at: [Int](repeating: 0, count: pixels.dim(0)), tap: "vision.layer"))
    }

    public var pictureSide: Int { config.image }
    public var patchSide: Int { config.patch }

    public func patches(pixels: Tensor, hidden: Tensor?) throws -> Tensor {
        try patches(of: norm(blocks(embedded(pixels, hidden), tap: "vision.layer")))
    }

    private func embedded(_ pixels: Tensor, _ hidden: Tensor? = nil) throws -> Tensor {
        let (batch, width) = (pixels.dim(0), config.block.width)
        let embedded = try hiding(hidden, of: patches(pixels), behind: mask, model: "DINOv2")  // [batch, patches, width]
        let lead = try classToken.broadcast(to: [batch, 1, width])
        let rows = pixels.dim(2) / config.patch, columns = pixels.dim(3) / config.patch
        // Antialiased in the family with registers.
        let places = try resized(positions, rows: rows, columns: columns, antialias: config.registers > 0)
        var x = try Tensor.concatenated([lead, embedded], axis: 1) + places
        if let registers {
            let inserted = try registers.broadcast(to: [batch, config.registers, width])
            x = try .concatenated([x.sliced(1, 0..<1), inserted, x.sliced(1, 1..<x.dim(1))], axis: 1)
        }
        Taps.record("vision.embeddings", x)
        return x
    }

    public func logits(_ prepared: [Tensor]) throws -> Tensor {
        guard let classifier else {
            throw RoleError(model: "DINOv2", role: "classifier", reason: "the checkpoint has no classifier.weight")
        }
        let tokens = try tokens(pixels: Tensor.stacked(prepared))
        let mean = try tokens.sliced(1, 1 + config.registers..<tokens.dim(1)).mean([1])
        return try classifier(.concatenated([tokens.selected(1, 0), mean], axis: -1))
    }
}
