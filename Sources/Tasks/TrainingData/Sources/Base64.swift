/// Base64 in either alphabet of RFC 4648 (Chinese-CLIP writes the one for URLs), with or without padding.
enum Base64 {
    private static let values: [UInt8] = {
        var values = [UInt8](repeating: 255, count: 256)
        for (value, byte) in "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/".utf8.enumerated() {
            values[Int(byte)] = UInt8(value)
        }
        values[Int(UInt8(ascii: "-"))] = 62
        values[Int(UInt8(ascii: "_"))] = 63
        return values
    }()

    struct Problem: Error, Equatable {
        let text: String
    }

    /// Throws with the place of the first byte that doesn't belong there.
    static func decode(_ text: ArraySlice<UInt8>) throws(Problem) -> [UInt8] {
        var end = text.endIndex
        while end > text.startIndex, text.endIndex - end < 2, text[end - 1] == UInt8(ascii: "=") { end -= 1 }
        let digits = text[text.startIndex..<end]
        let padding = text.endIndex - end
        guard digits.count % 4 != 1, padding == 0 || (digits.count + padding) % 4 == 0 else {
            throw Problem(text: "base64 of \(text.count) characters is cut off")
        }
        var bad: Int?
        let bytes = [UInt8](unsafeUninitializedCapacity: digits.count / 4 * 3 + 2) { target, count in
            digits.withUnsafeBufferPointer { source in
                values.withUnsafeBufferPointer { values in
                    bad = unpack(source, values, target, &count)
                }
            }
        }
        if let bad { throw Problem(text: "character \(bad + 1) isn't base64") }
        return bytes
    }

    /// The index of the first bad character, nil when there is none.
    private static func unpack(
        _ source: UnsafeBufferPointer<UInt8>, _ values: UnsafeBufferPointer<UInt8>, _ target: UnsafeMutableBufferPointer<UInt8>,
        _ count: inout Int
    ) -> Int? {
        var at = 0
        while at < source.count {
            let group = min(4, source.count - at)
            var bits: UInt32 = 0, wrong: UInt8 = 0
            for place in 0..<group {
                let value = values[Int(source[at + place])]
                wrong |= value & 128
                bits = bits << 6 | UInt32(value & 63)
            }
            if wrong != 0 { return (at..<at + group).first { values[Int(source[$0])] == 255 } }
            bits <<= UInt32(6 * (4 - group))
            for byte in 0..<group - 1 {
                target[count] = UInt8(truncatingIfNeeded: bits >> UInt32(16 - 8 * byte))
                count += 1
            }
            at += group
        }
        return nil
    }
}
