import Checkpoints
import Imaging
import Layers
import ModelKit
import Tensors
import Vision

/// A published picture tower and the head that brings what it gives into the common space.
struct SensoriumCLIPPicture: StagedImageEncoder {
    private enum Tower: Sendable {
        case clip(CLIPVisionTower)
        case dinov2(DINOv2)
    }

    let dimension: Int
    let transform: ImageTransform
    private let tower: Tower
    private let head: any PictureHead

    /// `weights` at the root: `vision_model...`, `visual_projection` (CLIP's), `head...`.
    init(_ weights: Weights, _ config: SensoriumCLIPConfig, transform: ImageTransform) throws {
        dimension = config.projection
        self.transform = transform
        switch config.tower {
        case let .clip(vision, projection):
            tower = .clip(try CLIPVisionTower(weights, vision, projection: projection, transform: transform))
            head = ResidualHead(weights["head"], projection, config)
        case let .dinov2(vision):
            tower = .dinov2(try DINOv2(weights["vision_model"], vision, transform: transform, labels: []))
            head = try PoolingHead(weights["head"], vision.block.width, config)
        }
    }

    var shortestUsefulSide: Int { transform.shortestUsefulSide ?? ImageTransform.longestSide }
    var preprocessing: String { transform.fingerprint }
    func prepare(_ picture: Picture) throws -> Tensor { try transform.apply(picture) }

    /// CLIP's embedding scaled to length 1, `[n, width]`; DINOv2's patch tokens in the means of 2 x 2, `[n, 64, width]`.
    func features(_ prepared: [Tensor]) throws -> Tensor {
        switch tower {
        case let .clip(clip): return try clip.embed(prepared).unitLength()
        case let .dinov2(dinov2):
            let tokens = try dinov2.tokens(pixels: Tensor.stacked(prepared)), width = tokens.dim(2)
            let patches = try dinov2.patches(of: tokens)
            let side = Int(Double(patches.dim(1)).squareRoot())
            let grid = try patches.reshaped([tokens.dim(0), side / 2, 2, side / 2, 2, width])
            return try grid.mean([2, 4]).reshaped([tokens.dim(0), side / 2 * (side / 2), width])
        }
    }

    func embed(features: Tensor) throws -> Tensor { try head(features) }
    func embed(_ prepared: [Tensor]) throws -> Tensor { try embed(features: features(prepared)) }
}

/// From a tower's features to embeddings.
private protocol PictureHead: Sendable {
    func callAsFunction(_ features: Tensor) throws -> Tensor
}

/// `W x + b` and a small network beside it: for towers whose embedding is of a common space already.
private struct ResidualHead: PictureHead {
    private let linear, up, down: Linear

    init(_ weights: Weights, _ width: Int, _ config: SensoriumCLIPConfig) {
        linear = Linear(weights["linear"], width, config.projection)
        up = Linear(weights["up"], width, config.hidden)
        down = Linear(weights["down"], config.hidden, config.projection)
    }

    /// `[n, width] -> [n, projection]`
    func callAsFunction(_ features: Tensor) throws -> Tensor {
        try down(up(features, activation: .gelu).dropout(), residual: linear(features))
    }
}

/// A transformer over a tower's tokens, then the tokens' mean beside what a learnt query attends to.
private struct PoolingHead: PictureHead {
    private let norm, after: LayerNorm
    private let blocks: TransformerStack
    private let query: Tensor
    private let key, value, linear, up, down: Linear
    private let heads: Int

    init(_ weights: Weights, _ width: Int, _ config: SensoriumCLIPConfig) throws {
        heads = config.heads ?? max(1, width / 64)
        let block = BlockConfig(width: width, heads: heads, hidden: 4 * width, activation: .gelu, epsilon: 1e-6)
        norm = LayerNorm(weights["norm"], width, epsilon: 1e-6)
        after = LayerNorm(weights["post_norm"], width, epsilon: 1e-6)
        blocks = try TransformerStack(weights["layers"], layers: config.blocks, block, .clip)
        query = weights.tensor("query", [width])
        (key, value) = (Linear(weights["k_proj"], width, width), Linear(weights["v_proj"], width, width))
        linear = Linear(weights["linear"], 2 * width, config.projection)
        up = Linear(weights["up"], 2 * width, config.hidden)
        down = Linear(weights["down"], config.hidden, config.projection)
    }

    /// `[n, tokens, width] -> [n, projection]`
    func callAsFunction(_ features: Tensor) throws -> Tensor {
        let (n, tokens, width) = (features.dim(0), features.dim(1), features.dim(2))
        let x = try after(blocks(norm(features), tap: "head.layer"))
        func split(_ y: Tensor, _ count: Int) throws(TensorError) -> Tensor {
            try y.reshaped([n, count, heads, width / heads]).permuted([0, 2, 1, 3])
        }
        let asked = try query.reshaped([1, 1, width]).broadcast(to: [n, 1, width])
        let mixed = try Tensor.attention(queries: split(asked, 1), keys: split(key(x), tokens), values: split(value(x), tokens))
        let pooled = try Tensor.concatenated([mixed.reshaped([n, width]), x.mean([1])], axis: 1)
        return try down(up(pooled, activation: .gelu).dropout(), residual: linear(pooled))
    }
}
