/// A permutation of `0..<count` in constant memory: a Feistel network over the next power of four, walked until it comes back inside.
/// (Black and Rogaway, "Ciphers with Arbitrary Finite Domains", 2002.)
struct Permutation: Sendable {
    let count: Int
    private let key: UInt64
    /// Half of the bits that a number in the network has.
    private let half: UInt64
    private static let rounds: UInt64 = 6

    init(count: Int, key: UInt64) {
        precondition(count >= 0)
        self.count = count
        self.key = key
        let bits = count <= 1 ? 0 : Int.bitWidth - (count - 1).leadingZeroBitCount
        half = UInt64(max(1, (bits + 1) / 2))
    }

    /// Where `index` goes; a different place for each.
    func callAsFunction(_ index: Int) -> Int {
        precondition((0..<count).contains(index))
        var value = UInt64(index)
        // The network is less than four times as large, so this takes less than four steps on average.
        repeat { value = encrypted(value) } while value >= UInt64(count)
        return Int(value)
    }

    private func encrypted(_ value: UInt64) -> UInt64 {
        let mask = (UInt64(1) << half) - 1
        var left = value >> half, right = value & mask
        for round in 0..<Self.rounds {
            let mixed = SampleRandom.mix(key ^ (round &* 0x9E37_79B9_7F4A_7C15) ^ right) & mask
            (left, right) = (right, left ^ mixed)
        }
        return left << half | right
    }
}
