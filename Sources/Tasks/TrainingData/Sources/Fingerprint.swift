/// FNV-1a over 64 bits: tells whether data changed by accident. No defence against somebody who wants two data sets to look alike.
struct Fingerprint {
    private var state: UInt64 = 0xCBF2_9CE4_8422_2325

    mutating func add(_ bytes: some Sequence<UInt8>) {
        for byte in bytes { state = (state ^ UInt64(byte)) &* 0x100_0000_01B3 }
        // An end mark keeps "ab" + "c" apart from "a" + "bc".
        state = (state ^ 0x100) &* 0x100_0000_01B3
    }

    mutating func add(_ text: String) { add(text.utf8) }

    mutating func add(_ number: Int) {
        for shift in stride(from: 0, to: 64, by: 8) {
            state = (state ^ UInt64(truncatingIfNeeded: (number >> shift) & 255)) &* 0x100_0000_01B3
        }
    }

    var text: String {
        let digits = String(state, radix: 16)
        return String(repeating: "0", count: 16 - digits.count) + digits
    }
}
