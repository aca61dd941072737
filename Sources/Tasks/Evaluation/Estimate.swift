/// A measured value and the interval that a bootstrap gives for it.
public struct Estimate: Sendable, Hashable {
    public var value: Double
    /// Ends of the interval; nil where nothing was resampled.
    public var interval: ClosedRange<Double>?

    public init(_ value: Double, _ interval: ClosedRange<Double>? = nil) { (self.value, self.interval) = (value, interval) }
}

/// Confidence intervals by drawing the units of a data set again, with replacement (Efron 1979, the percentile method).
public struct Bootstrap: Sendable, Hashable {
    /// Draws; 0 gives no intervals.
    public var resamples: Int
    public var seed: UInt64
    /// Share of the draws that an interval holds.
    public var level: Double

    public init(resamples: Int = 1_000, seed: UInt64 = 0, level: Double = 0.95) {
        (self.resamples, self.seed, self.level) = (resamples, seed, level)
    }

    /// The statistics of the whole data with their intervals.
    /// - Parameters:
    ///   - units: what is drawn: pictures, so that the captions of one stay together.
    ///   - statistics: values from how often each unit was drawn; those that aren't finite in a draw are left out of it.
    func estimates(units: Int, _ statistics: ([Int32]) -> [Double]) -> [Estimate] {
        let whole = statistics([Int32](repeating: 1, count: units))
        guard resamples > 0, units > 0 else { return whole.map { Estimate($0) } }
        var draws = [[Double]](repeating: [], count: whole.count), generator = SplitMix(seed: seed)
        for _ in 0..<resamples {
            var counts = [Int32](repeating: 0, count: units)
            for _ in 0..<units { counts[generator.below(units)] += 1 }
            for (place, value) in statistics(counts).enumerated() where value.isFinite { draws[place].append(value) }
        }
        return zip(whole, draws).map { Estimate($0, interval($1)) }
    }

    private func interval(_ draws: [Double]) -> ClosedRange<Double>? {
        guard !draws.isEmpty else { return nil }
        let sorted = draws.sorted(), tail = (1 - level) / 2
        return quantile(sorted, tail)...quantile(sorted, 1 - tail)
    }
}

/// The value below which a share `q` of sorted numbers lies, linear between neighbours (NumPy's default).
func quantile(_ sorted: [Double], _ q: Double) -> Double {
    let place = q * Double(sorted.count - 1), low = Int(place), high = min(low + 1, sorted.count - 1)
    return sorted[low] + (place - Double(low)) * (sorted[high] - sorted[low])
}
