/// A point in pixels: (0, 0) is the centre of the first pixel as OpenCV counts.
public struct PicturePoint: Sendable, Hashable {
    public var x, y: Float

    public init(x: Float, y: Float) { (self.x, self.y) = (x, y) }

    public func distance(to other: PicturePoint) -> Float {
        let dx = x - other.x, dy = y - other.y
        return (dx * dx + dy * dy).squareRoot()
    }
}

extension Picture {
    /// The quadrilateral `corners` (top left, top right, bottom right, bottom left) as an upright picture of these sides, by bicubic
    /// interpolation; what lies outside repeats the border. Equals OpenCV 5's `warpPerspective(..., INTER_CUBIC, BORDER_REPLICATE)`.
    /// Nil where the corners don't make a quadrilateral. Throws `PictureError.invalid` where a side isn't 1 to `longestResizedSide`.
    public func straightened(_ corners: [PicturePoint], width newWidth: Int, height newHeight: Int) throws(PictureError) -> Picture? {
        let sides = 1...Picture.longestResizedSide
        guard sides.contains(newWidth), sides.contains(newHeight), Picture.byteCount(width: newWidth, height: newHeight) ?? .max <= 1 << 30
        else {
            throw PictureError(.invalid("can't straighten to \(newWidth)x\(newHeight) pixels"))
        }
        guard corners.count == 4, let map = Projection(corners, width: newWidth, height: newHeight) else { return nil }
        let result = [UInt8](unsafeUninitializedCapacity: newWidth * newHeight * 3) { target, count in
            pixels.withUnsafeBufferPointer { source in
                for y in 0..<newHeight {
                    for x in 0..<newWidth {
                        let (sx, sy) = map(Double(x), Double(y))
                        sample(source, sx, sy, target.baseAddress! + (y * newWidth + x) * 3)
                    }
                }
            }
            count = newWidth * newHeight * 3
        }
        return Picture(unchecked: result, width: newWidth, height: newHeight)
    }

    private func sample(_ source: UnsafeBufferPointer<UInt8>, _ x: Double, _ y: Double, _ out: UnsafeMutablePointer<UInt8>) {
        // Far outside, or no number at all at the horizon: all taps are of the border then.
        let x = x.isFinite ? min(max(x, -8), Double(width) + 8) : 0, y = y.isFinite ? min(max(y, -8), Double(height) + 8) : 0
        let left = x.rounded(.down), top = y.rounded(.down)
        let columns = Self.cubic(Float(x - left)), rows = Self.cubic(Float(y - top))
        var (red, green, blue): (Float, Float, Float) = (0, 0, 0)
        for row in 0..<4 {
            let line = min(max(Int(top) + row - 1, 0), height - 1) * width
            for column in 0..<4 {
                let place = (line + min(max(Int(left) + column - 1, 0), width - 1)) * 3, weight = rows[row] * columns[column]
                red += weight * Float(source[place])
                green += weight * Float(source[place + 1])
                blue += weight * Float(source[place + 2])
            }
        }
        func byte(_ value: Float) -> UInt8 { UInt8(max(0, min(255, value.rounded(.toNearestOrEven)))) }
        (out[0], out[1], out[2]) = (byte(red), byte(green), byte(blue))
    }

    /// Weights of four neighbours, a = -0.75.
    private static func cubic(_ x: Float) -> SIMD4<Float> {
        let a: Float = -0.75, y = 1 - x
        let first = ((a * (x + 1) - 5 * a) * (x + 1) + 8 * a) * (x + 1) - 4 * a
        let second = ((a + 2) * x - (a + 3)) * x * x + 1
        let third = ((a + 2) * y - (a + 3)) * y * y + 1
        return SIMD4(first, second, third, 1 - first - second - third)
    }

    /// Turned by half.
    public func turnedByHalf() -> Picture {
        let count = width * height
        return rearranged(width: width, height: height) { count - 1 - $0 }
    }

    /// Turned to the left by a quarter: what was right is on top.
    public func turnedLeft() -> Picture {
        let (w, h) = (width, height)
        return rearranged(width: h, height: w) { (place: Int) in (place % h) * w + w - 1 - place / h }
    }

    private func rearranged(width newWidth: Int, height newHeight: Int, _ source: (Int) -> Int) -> Picture {
        let result = [UInt8](unsafeUninitializedCapacity: pixels.count) { target, count in
            for place in 0..<newWidth * newHeight {
                let from = source(place) * 3
                for channel in 0..<3 { target[place * 3 + channel] = pixels[from + channel] }
            }
            count = pixels.count
        }
        return Picture(unchecked: result, width: newWidth, height: newHeight)
    }

    /// With black rows above and below.
    /// Throws `PictureError.invalid` where the result has a side longer than `longestResizedSide`.
    public func bordered(above: Int, below: Int) throws(PictureError) -> Picture {
        guard above >= 0, below >= 0, above <= Picture.longestResizedSide, below <= Picture.longestResizedSide,
            height + above + below <= Picture.longestResizedSide
        else { throw PictureError(.invalid("can't add \(above) and \(below) rows to a picture of \(width)x\(height)")) }
        let row = width * 3
        let all = [UInt8](repeating: 0, count: above * row) + pixels + [UInt8](repeating: 0, count: below * row)
        return Picture(unchecked: all, width: width, height: height + above + below)
    }
}

/// The perspective map from an upright rectangle to a quadrilateral.
private struct Projection {
    private let c: [Double]

    /// Solves the eight equations of four pairs of points; nil where three corners lie on a line.
    init?(_ corners: [PicturePoint], width: Int, height: Int) {
        let (w, h) = (Double(width), Double(height))
        let from = [(0.0, 0.0), (w, 0), (w, h), (0, h)]
        var rows: [[Double]] = []
        for (point, corner) in zip(from, corners) {
            let (x, y, u, v) = (point.0, point.1, Double(corner.x), Double(corner.y))
            guard u.isFinite, v.isFinite else { return nil }
            rows.append([x, y, 1, 0, 0, 0, -x * u, -y * u, u])
            rows.append([0, 0, 0, x, y, 1, -x * v, -y * v, v])
        }
        for column in 0..<8 {
            let pivot = (column..<8).max { abs(rows[$0][column]) < abs(rows[$1][column]) }!
            guard abs(rows[pivot][column]) > 1e-12 else { return nil }
            rows.swapAt(column, pivot)
            for row in 0..<8 where row != column {
                let factor = rows[row][column] / rows[column][column]
                if factor != 0 { for k in column..<9 { rows[row][k] -= factor * rows[column][k] } }
            }
        }
        c = (0..<8).map { rows[$0][8] / rows[$0][$0] }
    }

    func callAsFunction(_ x: Double, _ y: Double) -> (Double, Double) {
        let scale = c[6] * x + c[7] * y + 1
        guard scale != 0 else { return (0, 0) }
        return ((c[0] * x + c[1] * y + c[2]) / scale, (c[3] * x + c[4] * y + c[5]) / scale)
    }
}
