#if canImport(Glibc)
    import Glibc
#endif

/// The learning rate over the steps of a run: a linear rise, then a shape.
public struct Schedule: Sendable, Hashable {
    public enum Shape: String, Sendable, Hashable, CaseIterable { case constant, linear, cosine }

    public var shape: Shape
    /// The highest rate.
    public var rate: Float
    /// Steps of the rise.
    public var warmUp: Int
    /// Steps in all.
    public var total: Int
    /// What is left at the end, as a share of the highest rate.
    public var final: Float

    public init(_ shape: Shape, rate: Float, warmUp: Int = 0, total: Int, final: Float = 0) {
        (self.shape, self.rate, self.warmUp, self.total, self.final) = (shape, rate, warmUp, total, final)
    }

    /// The rate of step `step`, counted from 0, as transformers' `get_*_schedule_with_warmup` has it; after the end it stays.
    public func callAsFunction(_ step: Int) -> Float {
        if step < warmUp { return rate * Float(step) / Float(max(1, warmUp)) }
        let progress = min(1, Float(step - warmUp) / Float(max(1, total - warmUp)))
        switch shape {
        case .constant: return rate
        case .linear: return rate * (final + (1 - final) * (1 - progress))
        case .cosine: return rate * (final + (1 - final) * 0.5 * (1 + cos(.pi * progress)))
        }
    }
}
