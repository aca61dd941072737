import Tensors

/// Masked image modelling: pixels of hidden patches are foretold from the others. SimMIM's encoder sees mask tokens in their place (Xie et
/// al. 2022); targets may be MAE's normalised patches (He et al. 2022).
public struct MaskedPictures: SelfSupervisedObjective {
    /// Share of a picture that is hidden.
    public var hidden: Float = 0.6
    /// Side in pixels of what is hidden together: a multiple of the patch's side.
    public var unit = 32
    /// Patches' pixels less their mean, over their deviation.
    public var normalised = true
    /// The mean of absolute differences, as SimMIM has it, or of squares, as MAE has it.
    public var absolute = false

    public init() {}

    public var views: ClosedRange<Int> { 1...1 }

    /// One layer from a patch's state to its pixels.
    public func heads(width: Int, patch: Int) -> [String: HeadShape] { ["decoder": HeadShape([width, 3 * patch * patch])] }

    public func loss(_ student: ViewNetwork, slow: ViewNetwork?, views: [Tensor], step: Int, seed: UInt64) throws -> Tensor {
        let patch = student.encoder.patchSide
        return try loss(student, views[0], hidden: mask(of: views[0], patch: patch, seed: seed))
    }

    /// - Parameter hidden: `[pictures, patches]`, 1 for hidden ones.
    func loss(_ student: ViewNetwork, _ pixels: Tensor, hidden: Tensor) throws -> Tensor {
        let found = try student.apply("decoder", student.encoder.patches(pixels: pixels, hidden: hidden))
        var wanted = try Self.patches(of: pixels, side: student.encoder.patchSide)
        if normalised { wanted = try Self.normalised(wanted) }
        return try Losses.reconstruction(found, wanted, hidden: hidden, absolute: absolute)
    }

    /// Units of each picture at random, as many in each.
    func mask(of pixels: Tensor, patch: Int, seed: UInt64) throws -> Tensor {
        let step = unit / patch, rows = pixels.dim(2) / patch, columns = pixels.dim(3) / patch
        guard unit % patch == 0, step > 0, rows % step == 0, columns % step == 0 else {
            throw TrainingError.data(
                "units of \(unit) pixels don't divide pictures of \(pixels.dim(2)) x \(pixels.dim(3)) in patches of \(patch)")
        }
        var generator = RandomGenerator(seed: seed)
        let across = columns / step, units = rows / step * across, count = Int((Float(units) * hidden).rounded(.up))
        return Tensor.makeFloats([pixels.dim(0), rows * columns]) { out in
            for picture in 0..<pixels.dim(0) {
                let chosen = Set((0..<units).shuffled(using: &generator).prefix(count))
                for place in 0..<rows * columns {
                    let own = place / columns / step * across + place % columns / step
                    out[picture * rows * columns + place] = chosen.contains(own) ? 1 : 0
                }
            }
        }
    }

    /// `[pictures, patches, 3 * side * side]`, a patch's pixels channel by channel.
    static func patches(of pixels: Tensor, side: Int) throws -> Tensor {
        let rows = pixels.dim(2) / side, columns = pixels.dim(3) / side
        let cells = try pixels.splitAxis(2, into: [rows, side]).splitAxis(4, into: [columns, side])
        return try cells.permuted([0, 2, 4, 1, 3, 5]).reshaped([pixels.dim(0), rows * columns, 3 * side * side])
    }

    /// MAE's targets.
    static func normalised(_ patches: Tensor) throws -> Tensor {
        let spread = try patches.variance([-1], keepDims: true).adding(1e-6).rsqrt()
        return try (patches - patches.mean([-1], keepDims: true)) * spread
    }
}
