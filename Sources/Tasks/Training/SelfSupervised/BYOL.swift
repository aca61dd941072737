import Tensors

/// BYOL (Grill et al. 2020): each view foretells what a slow copy of the network makes of the other.
public struct BYOL: SelfSupervisedObjective {
    /// The share of the slow copy that stays, at the start; it rises to 1 along a cosine.
    public var share: Float = 0.996
    public var hidden = 4096
    public var output = 256
    /// Steps of the run.
    public var steps: Int

    public init(steps: Int) { self.steps = steps }

    public var views: ClosedRange<Int> { 2...2 }
    public func momentum(step: Int) -> Float? { CosineRise(from: share, to: 1, steps: steps)(step) }

    public func heads(width: Int, patch: Int) -> [String: HeadShape] {
        var projector = HeadShape([width, hidden, output]), predictor = HeadShape([output, hidden, output])
        (projector.norms, predictor.norms) = (true, true)
        return ["projector": projector, "predictor": predictor]
    }

    public func loss(_ student: ViewNetwork, slow: ViewNetwork?, views: [Tensor], step: Int, seed: UInt64) throws -> Tensor {
        guard let slow else { preconditionFailure("BYOL without its slow copy") }
        let pixels = try Tensor.concatenated(views), n = views[0].dim(0)
        let own = try student.encoder.embed(pixels: pixels), other = try slow.encoder.embed(pixels: pixels)
        // The norms see one view at a time.
        func side(_ view: Range<Int>, _ wanted: Range<Int>) throws -> Tensor {
            let found = try student.apply("predictor", student.apply("projector", own.sliced(0, view)))
            return try Losses.cosine(found, slow.apply("projector", other.sliced(0, wanted)).detached()).scaled(by: 2)
        }
        return try side(0..<n, n..<2 * n) + side(n..<2 * n, 0..<n)
    }
}
