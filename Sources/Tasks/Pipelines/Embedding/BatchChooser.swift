/// Finds how many pictures a network is best given at once, from the speed of its own batches: a size and its double are tried in turn,
/// times are compared without the worst of each, and the double is kept as long as it pays. Small batches keep memory small and
/// results early, so a larger one must be clearly faster.
package struct BatchChooser: Sendable {
    /// Batches of each size that are compared.
    package static let trials = 4
    /// How many times faster a batch twice as large must be.
    package static let gain = 1.05
    /// Part of the memory at hand that a batch may take, and the bytes that it may take in any case.
    package static let memoryShare = 0.25, mostBytes = 1 << 30

    package private(set) var isSettled: Bool
    private var size: Int
    private let most: Int
    private let isFixed: Bool
    private var bytesPerPicture = 0
    private var trials = Trials(), doubled = Trials()

    private struct Trials: Sendable {
        var count = 0
        private var sum = 0.0, worst = 0.0
        /// Seconds for a picture, but for the worst trial.
        var mean: Double { count > 1 ? (sum - worst) / Double(count - 1) : .infinity }

        mutating func add(_ seconds: Double) {
            count += 1
            sum += seconds
            worst = max(worst, seconds)
        }
    }

    /// Chooses sizes from 1 to `most`.
    package init(upTo most: Int) { (size, self.most, isFixed, isSettled) = (1, max(1, most), false, most <= 1) }

    /// Always this size.
    package init(always size: Int) { (self.size, most, isFixed, isSettled) = (max(1, size), max(1, size), true, true) }

    /// Pictures wanted in the next batch.
    package var next: Int { isSettled || trials.count <= doubled.count ? size : 2 * size }

    /// A batch that was run. One smaller than wanted tells what memory it took and nothing of speed.
    /// - Parameters:
    ///   - bytes: memory that it took beyond its input.
    ///   - available: bytes that may still be used.
    package mutating func record(count: Int, seconds: Double, bytes: Int, available: () -> Int) {
        guard !isFixed, count > 0 else { return }
        bytesPerPicture = max(bytesPerPicture, bytes / count)
        guard !isSettled else { return }
        if count == next {
            if count == size { trials.add(seconds / Double(count)) } else { doubled.add(seconds / Double(count)) }
        }
        let allowed = allowed(available())
        if 2 * size > allowed { return settle(min(size, allowed)) }
        guard trials.count >= Self.trials, doubled.count >= Self.trials else { return }
        guard trials.mean >= doubled.mean * Self.gain else { return settle(size) }
        (size, trials, doubled) = (2 * size, doubled, Trials())
        if 2 * size > allowed { settle(size) }
    }

    private func allowed(_ available: Int) -> Int {
        let room = min(Double(max(0, available)) * Self.memoryShare, Double(Self.mostBytes))
        return max(1, min(most, bytesPerPicture > 0 ? Int(room / Double(bytesPerPicture)) : most))
    }

    private mutating func settle(_ chosen: Int) { (size, isSettled) = (max(1, chosen), true) }
}
