import Tensors

/// Draws for splits and resampling, the same on every machine.
struct SplitMix {
    private var generator: RandomGenerator

    init(seed: UInt64) { generator = RandomGenerator(seed: seed) }

    /// Uniform in `0..<bound`.
    mutating func below(_ bound: Int) -> Int { Int(UInt64(bound).multipliedFullWidth(by: generator.next()).high) }

    mutating func normal() -> Float { generator.normal() }

    mutating func shuffle<Element>(_ values: inout [Element]) {
        for last in stride(from: values.count - 1, to: 0, by: -1) { values.swapAt(last, below(last + 1)) }
    }
}
