#if canImport(Glibc)
    import Glibc
#endif

/// A seeded generator (SplitMix64): the same numbers on every machine.
public struct RandomGenerator: RandomNumberGenerator, Sendable {
    private var state: UInt64

    public init(seed: UInt64) { state = seed }

    public mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var z = state
        z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
        z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
        return z ^ (z >> 31)
    }

    /// Uniform in [0, 1).
    public mutating func uniform() -> Float { Float(next() >> 40) * 0x1p-24 }

    /// Standard normal (Box and Muller).
    public mutating func normal() -> Float {
        let radius = (-2 * log(max(Double(next() >> 11) * 0x1p-53, 1e-300))).squareRoot()
        return Float(radius * cos(2 * .pi * Double(next() >> 11) * 0x1p-53))
    }
}

extension Tensor {
    /// Normal values with the given deviation.
    public static func randomNormal(_ shape: [Int], deviation: Float = 1, using generator: inout RandomGenerator) -> Tensor {
        let count = shape.reduce(1, *)
        return makeFloats(shape) { out in for i in 0..<count { out[i] = generator.normal() * deviation } }
    }
}
