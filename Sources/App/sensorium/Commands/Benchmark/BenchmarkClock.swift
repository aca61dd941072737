/// Seconds of work that is repeated.
enum BenchmarkClock {
    /// The median of `rounds` runs; one more goes before, so that memory and caches are as in the steady state.
    static func median(of rounds: Int, _ work: () throws -> Void) rethrows -> Double {
        try work()
        var seconds: [Double] = []
        for _ in 0..<rounds {
            let started = ContinuousClock.now
            try work()
            let spent = started.duration(to: .now).components
            seconds.append(Double(spent.seconds) + Double(spent.attoseconds) * 1e-18)
        }
        return seconds.sorted()[rounds / 2]
    }
}
