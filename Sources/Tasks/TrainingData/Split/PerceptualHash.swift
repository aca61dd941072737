import Imaging

#if canImport(Glibc)
    import Glibc
#endif

/// What a picture looks like in few bytes: near-duplicates (other sizes, other compression, slight edits) have nearly the same.
public struct PerceptualHash: Sendable, Hashable {
    /// Signs of the lowest 8x8 cosine frequencies of the grey picture at 32x32, against their median (the `phash` of the imagehash
    /// package; Zauner 2010). Row by row, the lowest frequency in the highest bit.
    public let bits: UInt64
    /// Colours at 8x8, 192 values: pictures without much structure have much the same bits.
    public let colours: [UInt8]

    public init(_ picture: Picture) throws(PictureError) {
        let small = try picture.grey().resized(width: 32, height: 32, filter: .lanczos)
        bits = Self.bits(stride(from: 0, to: small.pixels.count, by: 3).map { Double(small.pixels[$0]) })
        colours = try picture.resized(width: 8, height: 8, filter: .box).pixels
    }

    init(bits: UInt64, colours: [UInt8]) {
        self.bits = bits
        self.colours = colours
    }

    /// Bits that differ, 0 to 64.
    public func distance(to other: PerceptualHash) -> Int { (bits ^ other.bits).nonzeroBitCount }

    /// Root mean square difference of the colours, 0 to 255.
    public func colourDistance(to other: PerceptualHash) -> Double {
        var sum = 0
        for (first, second) in zip(colours, other.colours) {
            let difference = Int(first) - Int(second)
            sum += difference * difference
        }
        return (Double(sum) / Double(max(colours.count, 1))).squareRoot()
    }

    /// `cosines[f][x] = cos(pi * f * (2 x + 1) / 64)` for the eight lowest frequencies.
    private static let cosines: [[Double]] = (0..<8).map { frequency in
        (0..<32).map { cos(Double.pi * Double(frequency) * Double(2 * $0 + 1) / 64) }
    }

    private static func bits(_ values: [Double]) -> UInt64 {
        // Along rows, then along columns; the factor that scipy's transform has beside it changes no sign.
        var rows = [Double](repeating: 0, count: 32 * 8)
        for y in 0..<32 {
            for u in 0..<8 {
                var sum = 0.0
                for x in 0..<32 { sum += values[y * 32 + x] * cosines[u][x] }
                rows[y * 8 + u] = sum
            }
        }
        var frequencies = [Double](repeating: 0, count: 64)
        for v in 0..<8 {
            for u in 0..<8 {
                var sum = 0.0
                for y in 0..<32 { sum += rows[y * 8 + u] * cosines[v][y] }
                frequencies[v * 8 + u] = sum
            }
        }
        let sorted = frequencies.sorted()
        let median = (sorted[31] + sorted[32]) / 2
        return frequencies.reduce(0) { $0 << 1 | ($1 > median ? 1 : 0) }
    }
}
