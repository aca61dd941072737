import Tensors

/// Numbers that follow from the seed, the epoch and the sample alone: the same whoever computes them, and when.
enum SampleRandom {
    /// What the numbers are for; each purpose has its own.
    enum Purpose: Sendable {
        case shards, buffer, permutation, caption
        /// The view of that index.
        case view(Int)

        fileprivate var number: UInt64 {
            switch self {
            case .shards: 1
            case .buffer: 2
            case .permutation: 3
            case .caption: 4
            case let .view(index): 16 + UInt64(truncatingIfNeeded: index)
            }
        }
    }

    static func key(seed: UInt64, epoch: Int, sample: UInt64 = 0, _ purpose: Purpose) -> UInt64 {
        var key = mix(seed &+ 0x9E37_79B9_7F4A_7C15)
        key = mix(key ^ UInt64(truncatingIfNeeded: epoch) &* 0xD6E8_FEB8_6659_FD93)
        key = mix(key ^ sample &* 0xCA5A_8263_9512_1157)
        return mix(key ^ purpose.number &* 0x8CB9_2BA7_2F3D_8DD7)
    }

    static func generator(seed: UInt64, epoch: Int, sample: UInt64 = 0, _ purpose: Purpose) -> RandomGenerator {
        RandomGenerator(seed: key(seed: seed, epoch: epoch, sample: sample, purpose))
    }

    /// The finaliser of SplitMix64: every bit of the input moves half of the output's.
    @inline(__always) static func mix(_ value: UInt64) -> UInt64 {
        var z = value
        z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
        z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
        return z ^ (z >> 31)
    }
}

extension RandomGenerator {
    /// Uniform in `0..<bound` for a positive bound. Our own, since the standard library may change how it draws.
    mutating func below(_ bound: Int) -> Int { Int(next().multipliedFullWidth(by: UInt64(bound)).high) }

    /// True with this probability.
    mutating func chance(_ probability: Double) -> Bool { Double(uniform()) < probability }

    /// Uniform between the bounds.
    mutating func between(_ low: Double, _ high: Double) -> Double { low + (high - low) * Double(uniform()) }
}
