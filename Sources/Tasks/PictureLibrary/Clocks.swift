import Foundation

/// Seconds on a clock that only goes forward.
func monotonicSeconds() -> Double {
    let time = monotonicStart.duration(to: .now).components
    return Double(time.seconds) + Double(time.attoseconds) * 1e-18
}

private let monotonicStart = ContinuousClock.now

func secondsSince1970() -> Double { Date().timeIntervalSince1970 }
