import Checkpoints
import Imaging
import Layers
import ModelKit
import Tensors

/// SigLIP 2's picture transformer for pictures of any shape (NaFlex). A prepared picture is `[rows, columns, patch * patch * 3]`:
/// its shape says where its patches lie, and pictures of a batch are padded to the longest only here.
struct SigLIPNaFlexTower: ImageEncoder {
    let dimension: Int
    private let config: SigLIPVisionConfig
    private let transform: NaFlexTransform
    private let patches: Linear
    /// `[1, width, grid, grid]`
    private let positions: Tensor
    private let blocks: TransformerStack
    private let norm: LayerNorm
    private let head: AttentionPoolingHead

    /// `weights` at `vision_model`.
    init(_ weights: Weights, _ config: SigLIPVisionConfig, transform: NaFlexTransform) throws {
        self.config = config
        self.transform = transform
        let width = config.block.width, grid = config.grid
        dimension = width
        patches = Linear(weights["embeddings.patch_embedding"], config.channels * config.patch * config.patch, width)
        positions = try weights["embeddings.position_embedding"].tensor("weight", [grid * grid, width])
            .reshaped([1, grid, grid, width]).permuted([0, 3, 1, 2]).contiguous()
        blocks = try TransformerStack(weights["encoder.layers"], layers: config.layers, config.block, .clip)
        norm = LayerNorm(weights["post_layernorm"], width, epsilon: config.block.epsilon)
        head = try AttentionPoolingHead(weights["head"], config.block)
    }

    /// The longest side that a prepared picture can have: what is shrunk to no less keeps its shape to less than a patch.
    var shortestUsefulSide: Int { transform.mostPatches * transform.patch }
    var preprocessing: String { transform.fingerprint }
    func prepare(_ picture: Picture) throws -> Tensor { try transform.apply(picture) }

    func embed(_ prepared: [Tensor]) throws -> Tensor {
        let length = config.patch * config.patch * config.channels
        for picture in prepared where picture.rank != 3 || picture.dim(2) != length || picture.dim(0) * picture.dim(1) == 0 {
            throw TensorError.shape(operation: "SigLIP 2 picture tower", shapes: [picture.shape], expected: "[rows, columns, \(length)]")
        }
        let counts = prepared.map { $0.dim(0) * $0.dim(1) }, longest = counts.max() ?? 0
        guard longest > 0 else { return Tensor.zeros([0, dimension]) }
        var rows: [Tensor] = [], places: [[Int]: Tensor] = [:]
        for picture in prepared {
            let grid = [picture.dim(0), picture.dim(1)], count = grid[0] * grid[1]
            let place = try places[grid] ?? position(rows: grid[0], columns: grid[1])
            places[grid] = place
            let embedded = try patches(picture.reshaped([count, length])) + place  // [count, width]
            rows.append(count == longest ? embedded : try embedded.padded([(0, longest - count), (0, 0)]))
        }
        let mask = counts.contains { $0 < longest } ? try mask(counts, longest) : nil
        let x = try Tensor.stacked(rows)  // [batch, longest, width]
        Taps.record("vision.embeddings", x)
        let states = try norm(blocks(x, mask: mask, tap: "vision.layer"))
        Taps.record("vision.post_layernorm", states)
        return try head(states, mask: mask)
    }

    /// The table of positions resized to a picture's grid, `[rows * columns, width]`.
    private func position(rows: Int, columns: Int) throws(TensorError) -> Tensor {
        let resized = try positions.interpolated(height: rows, width: columns, .bilinear, antialias: true)
        return try resized.reshaped([dimension, rows * columns]).transposed()
    }

    /// 0 for a picture's patches and -inf for what fills up, `[batch, 1, 1, longest]`.
    private func mask(_ counts: [Int], _ longest: Int) throws(TensorError) -> Tensor {
        let values = counts.flatMap { count in (0..<longest).map { $0 < count ? Float(0) : -.infinity } }
        return try Tensor(values, [counts.count, 1, 1, longest])
    }
}
