import Tensors

#if canImport(Glibc)
    import Glibc
#endif

/// DINO (Caron et al. 2021): views of any size find the sharpened, centred distribution that a slow copy of the network gives the two
/// large ones.
public struct DINO: SelfSupervisedObjective {
    /// The share of the slow copy that stays, at the start; it rises to 1 along a cosine.
    public var share: Float = 0.996
    public var hidden = 2048
    public var bottleneck = 256
    public var prototypes = 65_536
    public var studentTemperature: Float = 0.1
    /// Of the slow copy: it goes from the first to the second in `temperatureSteps` steps.
    public var temperatures: (Float, Float) = (0.04, 0.07)
    public var temperatureSteps = 0
    /// The share of the centre that stays at each step.
    public var centring: Float = 0.9
    /// Steps in which the prototypes stay as they are; the authors' first epoch.
    public var fixedSteps = 0
    /// Steps of the run.
    public var steps: Int

    private var centre: Tensor?
    /// Sums over rows of what the slow copy gave in this step, and the rows.
    private var seen: (sum: Tensor, rows: Int)?

    public init(steps: Int) { self.steps = steps }

    /// Two large ones, then small ones of one size.
    public var views: ClosedRange<Int> { 2...64 }
    public var resultIsSlow: Bool { true }
    public func momentum(step: Int) -> Float? { CosineRise(from: share, to: 1, steps: steps)(step) }

    public func isFixed(_ name: String, step: Int) -> Bool {
        step < fixedSteps && name == "\(SelfSupervisedTask.prefix)projector.prototypes"
    }

    public func heads(width: Int, patch: Int) -> [String: HeadShape] {
        var shape = HeadShape([width, hidden, hidden, bottleneck])
        (shape.activation, shape.prototypes) = (.gelu, prototypes)
        return ["projector": shape]
    }

    func temperature(step: Int) -> Float {
        guard step < temperatureSteps else { return temperatures.1 }
        return temperatures.0 + (temperatures.1 - temperatures.0) * Float(step) / Float(temperatureSteps)
    }

    public mutating func loss(_ student: ViewNetwork, slow: ViewNetwork?, views: [Tensor], step: Int, seed: UInt64) throws -> Tensor {
        guard let slow else { preconditionFailure("DINO without its slow copy") }
        let n = views[0].dim(0), large = try Tensor.concatenated(Array(views[..<2]))
        let taught = try slow.apply("projector", slow.encoder.embed(pixels: large)).detached()
        var states = [try student.encoder.embed(pixels: large)]
        if views.count > 2 { states.append(try student.encoder.embed(pixels: .concatenated(Array(views[2...])))) }
        let found = try student.apply("projector", .concatenated(states))
        let centre = centre ?? Tensor.zeros([1, taught.dim(1)])
        let total = try taught.sum([0], keepDims: true)
        seen = try seen.map { (try $0.sum + total, $0.rows + 2 * n) } ?? (total, 2 * n)
        return try Losses.selfDistillation(
            views.indices.map { try found.sliced(0, $0 * n..<($0 + 1) * n) }, from: [taught.sliced(0, 0..<n), taught.sliced(0, n..<2 * n)],
            centre: centre, temperatures: (studentTemperature, temperature(step: step)))
    }

    public mutating func afterUpdate() throws {
        guard let (sum, rows) = seen else { return }
        let mean = sum.scaled(by: 1 / Float(rows))
        centre = try (centre ?? Tensor.zeros(mean.shape)).scaled(by: centring) + mean.scaled(by: 1 - centring)
        seen = nil
    }

    public var state: [String: Tensor] { centre.map { ["centre": $0] } ?? [:] }

    public mutating func restore(_ state: [String: Tensor]) {
        centre = state["centre"]
        seen = nil
    }
}

/// From one number to another along half a cosine, as DINO's and BYOL's published schedules have it: the end would be step `steps`.
struct CosineRise {
    let from, to: Float
    let steps: Int

    func callAsFunction(_ step: Int) -> Float {
        let progress = Double(min(step, steps)) / Double(max(1, steps))
        return to + (from - to) * Float(0.5 * (1 + cos(.pi * progress)))
    }

    init(from: Float, to: Float, steps: Int) { (self.from, self.to, self.steps) = (from, to, steps) }
}
