import CVips

#if canImport(Glibc)
    import Glibc
#endif

/// As much of an ICC profile (ICC.1:2010) as tells whether it is needed: its colour space, and whether it is sRGB under any name.
struct ColorProfile {
    /// Bytes of a profile that are looked at; the largest of printers hold 2 MiB.
    static let longest = 4 << 20

    let bytes: [UInt8]

    /// Whether the profile describes pixels of this many bands.
    func isUsable(bands: Int) -> Bool {
        guard bytes.count >= 132, text(at: 36) == "acsp" else { return false }
        return switch text(at: 16) {
        case "RGB ": bands == 3
        case "GRAY": bands == 1
        case "CMYK": bands == 4
        default: false
        }
    }

    /// Relative colorimetric, but for a profile that has a perceptual table alone: libvips then drops the profile, where other programs
    /// use that table.
    var intent: VipsIntent { tag("A2B0") != nil && tag("A2B1") == nil ? VIPS_INTENT_PERCEPTUAL : VIPS_INTENT_RELATIVE }

    /// Matrix and curves equal those of sRGB to within what 8 bits show; converting would only add rounding.
    var isSRGB: Bool {
        guard text(at: 16) == "RGB ", tag("A2B0") == nil else { return false }
        let columns: [(String, [Double])] = [
            ("rXYZ", [0.4361, 0.2225, 0.0139]), ("gXYZ", [0.3851, 0.7169, 0.0971]), ("bXYZ", [0.1431, 0.0606, 0.7141]),
        ]
        for (name, expected) in columns {
            guard let tag = tag(name), tag.count >= 20 else { return false }
            for axis in 0..<3 {
                guard let value = word(at: tag.lowerBound + 8 + axis * 4) else { return false }
                if abs(Double(Int32(bitPattern: value)) / 65536 - expected[axis]) > 0.0015 { return false }
            }
        }
        return ["rTRC", "gTRC", "bTRC"].allSatisfy(isSRGBCurve)
    }

    private func isSRGBCurve(_ name: String) -> Bool {
        guard let tag = tag(name), let curve = curve(tag) else { return false }
        return (0...32).allSatisfy { step in
            let x = Double(step) / 32
            let expected = x <= 0.04045 ? x / 12.92 : pow((x + 0.055) / 1.055, 2.4)
            return abs(curve(x) - expected) < 0.002
        }
    }

    /// A tone curve of type `curv` or `para`, as a function of 0...1.
    private func curve(_ tag: Range<Int>) -> ((Double) -> Double)? {
        switch text(at: tag.lowerBound) {
        case "curv": return table(tag)
        case "para":
            guard let kind = half(at: tag.lowerBound + 8), kind <= 4 else { return nil }
            let names = [1, 3, 4, 5, 7][Int(kind)]
            var p: [Double] = []
            for index in 0..<names {
                guard tag.lowerBound + 16 + index * 4 <= tag.upperBound, let value = word(at: tag.lowerBound + 12 + index * 4) else {
                    return nil
                }
                p.append(Double(Int32(bitPattern: value)) / 65536)
            }
            guard kind == 3 else { return kind == 0 ? { pow($0, p[0]) } : nil }
            return { $0 >= p[4] ? pow(max(p[1] * $0 + p[2], 0), p[0]) : p[3] * $0 }
        default: return nil
        }
    }

    private func table(_ tag: Range<Int>) -> ((Double) -> Double)? {
        guard let declared = word(at: tag.lowerBound + 8), declared > 1, declared <= 65536, Int(declared) * 2 + 12 <= tag.count else {
            return nil
        }
        let count = Int(declared)
        let values = (0..<count).map { Double(half(at: tag.lowerBound + 12 + $0 * 2) ?? 0) / 65535 }
        return { x in
            let place = x * Double(count - 1)
            let low = min(Int(place), count - 2)
            return values[low] + (values[low + 1] - values[low]) * (place - Double(low))
        }
    }

    private func tag(_ name: String) -> Range<Int>? {
        guard let count = word(at: 128), count <= 200 else { return nil }
        for index in 0..<Int(count) {
            let entry = 132 + index * 12
            guard text(at: entry) == name, let offset = word(at: entry + 4), let size = word(at: entry + 8) else { continue }
            let start = Int(offset), end = Int(offset) + Int(size)
            return start >= 128 && size >= 12 && end <= bytes.count ? start..<end : nil
        }
        return nil
    }

    private func text(at offset: Int) -> String? {
        guard offset >= 0, offset + 4 <= bytes.count else { return nil }
        return String(decoding: bytes[offset..<offset + 4], as: UTF8.self)
    }

    private func word(at offset: Int) -> UInt32? {
        guard offset >= 0, offset + 4 <= bytes.count else { return nil }
        return bytes[offset..<offset + 4].reduce(0) { $0 << 8 | UInt32($1) }
    }

    private func half(at offset: Int) -> UInt16? {
        guard offset >= 0, offset + 2 <= bytes.count else { return nil }
        return UInt16(bytes[offset]) << 8 | UInt16(bytes[offset + 1])
    }
}
