/// GPT-2's spelling of bytes as visible characters
/// (https://github.com/openai/gpt-2/blob/master/src/encoder.py, `bytes_to_unicode`).
enum ByteLevelAlphabet {
    /// Character for each byte.
    static let scalars: [UInt32] = {
        var table = [UInt32](repeating: 0, count: 256)
        var next: UInt32 = 256
        for byte in 0..<256 {
            if (33...126).contains(byte) || (161...172).contains(byte) || (174...255).contains(byte) {
                table[byte] = UInt32(byte)
            } else {
                table[byte] = next
                next += 1
            }
        }
        return table
    }()

    /// Byte for each character below U+0144, or -1.
    private static let bytes: [Int16] = {
        var table = [Int16](repeating: -1, count: 256 + 68)
        for (byte, scalar) in scalars.enumerated() { table[Int(scalar)] = Int16(byte) }
        return table
    }()

    @inline(__always)
    static func byte(of scalar: UInt32) -> UInt8? {
        guard Int(scalar) < bytes.count, bytes[Int(scalar)] >= 0 else { return nil }
        return UInt8(bytes[Int(scalar)])
    }

    static func spell(_ text: some Sequence<UInt8>) -> [UInt8] {
        var out: [UInt8] = []
        for byte in text { UTF8Text.append(scalars[Int(byte)], to: &out) }
        return out
    }
}
