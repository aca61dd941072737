import Tensors

/// SimCLR (Chen et al. 2020): two views of one picture find each other among those of all others.
public struct SimCLR: SelfSupervisedObjective {
    public var temperature: Float = 0.5
    /// Lengths of the projector's layers; the hidden one is the encoder's where nil.
    public var hidden: Int?
    public var output = 128

    public init() {}

    public var views: ClosedRange<Int> { 2...2 }

    public func heads(width: Int, patch: Int) -> [String: HeadShape] {
        var shape = HeadShape([width, hidden ?? width, output])
        (shape.norms, shape.normsLast) = (true, true)
        return ["projector": shape]
    }

    /// Both views are one batch for the norms, as in the published code.
    public func loss(_ student: ViewNetwork, slow: ViewNetwork?, views: [Tensor], step: Int, seed: UInt64) throws -> Tensor {
        let found = try student.apply("projector", student.encoder.embed(pixels: .concatenated(views))), n = views[0].dim(0)
        return try Losses.normalizedContrast(found.sliced(0, 0..<n), found.sliced(0, n..<2 * n), temperature: temperature)
    }
}
