import Checkpoints
import Tensors

/// Cuts pictures into square patches and projects each: a convolution whose stride is its kernel, computed as one product.
public struct PatchEmbedding: Sendable {
    private let projection: Linear
    public let patch: Int
    private let channels: Int

    /// `weight` `[width, channels, patch, patch]` of the checkpoint's convolution.
    public init(_ weights: Weights, channels: Int = 3, patch: Int, width: Int, bias: Bool) throws(TensorError) {
        let kernel = weights.tensor("weight", [width, channels, patch, patch])
        projection = Linear(
            weight: try kernel.reshaped([width, channels * patch * patch]), bias: bias ? weights.tensor("bias", [width]) : nil,
            precision: weights.precision)
        self.patch = patch
        self.channels = channels
    }

    /// `[batch, channels, h, w] -> [batch, h/patch * w/patch, width]`; what doesn't fill a patch is left out.
    public func callAsFunction(_ pixels: Tensor) throws(TensorError) -> Tensor {
        guard pixels.rank == 4, pixels.dim(1) == channels, pixels.dim(2) >= patch, pixels.dim(3) >= patch else {
            throw .shape(
                operation: "patch embedding", shapes: [pixels.shape], expected: "[batch, \(channels), at least \(patch), at least \(patch)]"
            )
        }
        let rows = pixels.dim(2) / patch, columns = pixels.dim(3) / patch, batch = pixels.dim(0)
        let whole = try pixels.sliced(2, 0..<rows * patch).sliced(3, 0..<columns * patch)
        let cells = try whole.splitAxis(2, into: [rows, patch]).splitAxis(4, into: [columns, patch])  // [batch, c, rows, p, columns, p]
        let patches = try cells.permuted([0, 2, 4, 1, 3, 5]).reshaped([batch, rows * columns, channels * patch * patch])
        return try projection(patches)
    }
}
