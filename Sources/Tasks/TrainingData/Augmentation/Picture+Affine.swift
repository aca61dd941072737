import Imaging

#if canImport(Glibc)
    import Glibc
#endif

/// How values between pixels are taken.
public enum AffineSampling: String, Sendable, CaseIterable {
    case nearest, bilinear
}

/// Where a pixel of the result comes from: `x = a * x' + b * y' + c`, `y = d * x' + e * y' + f`.
struct AffineMap: Sendable, Equatable {
    var a = 1.0, b = 0.0, c = 0.0, d = 0.0, e = 1.0, f = 0.0

    /// torchvision's `_get_inverse_affine_matrix` with neither rotation nor scaling. Shears are tangents; the picture moves by `move`.
    static func shear(x: Double = 0, y: Double = 0, move: (x: Double, y: Double) = (0, 0), center: (x: Double, y: Double)) -> AffineMap {
        // torchvision passes the angle in degrees.
        let sx = radians(degrees(atan(x))), sy = radians(degrees(atan(y)))
        let cosine: Double = cos(-sy), sine: Double = sin(-sy), scale: Double = cos(sy), slope: Double = tan(sx)
        let a = cosine / scale
        let b = -cosine * slope / scale
        let c = sine / scale
        let d = -sine * slope / scale + 1
        var map = AffineMap(a: d, b: -b, c: 0, d: -c, e: a, f: 0)
        map.c += map.a * (-center.x - move.x) + map.b * (-center.y - move.y) + center.x
        map.f += map.d * (-center.x - move.x) + map.e * (-center.y - move.y) + center.y
        return map
    }

    /// Pillow's `Image.rotate`: counter-clockwise around the middle.
    static func rotation(degrees angle: Double, width: Int, height: Int) -> AffineMap {
        let turned = angle.truncatingRemainder(dividingBy: 360)
        let angle = -radians(turned < 0 ? turned + 360 : turned)
        func rounded(_ value: Double) -> Double { (value * 1e15).rounded(.toNearestOrEven) / 1e15 }
        var map = AffineMap(a: rounded(cos(angle)), b: rounded(sin(angle)), c: 0, d: rounded(-sin(angle)), e: rounded(cos(angle)), f: 0)
        let x = Double(width) / 2, y = Double(height) / 2
        map.c = map.a * -x + map.b * -y + x
        map.f = map.d * -x + map.e * -y + y
        return map
    }

    private static func radians(_ degrees: Double) -> Double { degrees * .pi / 180 }
    private static func degrees(_ radians: Double) -> Double { radians * 180 / .pi }
}

extension Picture {
    /// Turned counter-clockwise around the middle, in a frame of the same size. Equals Pillow's `rotate`.
    public func rotated(degrees: Double, sampling: AffineSampling = .nearest, fill: Color = Color(red: 0, green: 0, blue: 0)) -> Picture {
        if degrees == 0 { return self }
        return affine(.rotation(degrees: degrees, width: width, height: height), sampling, fill)
    }

    /// Equals Pillow's `transform(size, AFFINE, ...)` (libImaging/Geometry.c); outside the picture lies `fill`.
    func affine(_ map: AffineMap, _ sampling: AffineSampling, _ fill: Color) -> Picture {
        var result = [UInt8](repeating: 0, count: pixels.count)
        result.withUnsafeMutableBufferPointer { target in
            pixels.withUnsafeBufferPointer { source in
                for place in 0..<width * height {
                    (target[place * 3], target[place * 3 + 1], target[place * 3 + 2]) = (fill.red, fill.green, fill.blue)
                }
                switch sampling {
                case .bilinear: bilinear(map, source, target)
                case .nearest: nearest(map, source, target)
                }
            }
        }
        return Picture(unchecked: result, width: width, height: height)
    }

    private typealias Source = UnsafeBufferPointer<UInt8>
    private typealias Target = UnsafeMutableBufferPointer<UInt8>

    @inline(__always) private func copy(_ source: Source, _ x: Int, _ y: Int, _ target: Target, _ place: Int) {
        let from = (y * width + x) * 3, to = place * 3
        (target[to], target[to + 1], target[to + 2]) = (source[from], source[from + 1], source[from + 2])
    }

    /// Pillow adds up steps: of 1/65536 where the coordinates fit, in double precision elsewhere and where the axes stay apart.
    private func nearest(_ map: AffineMap, _ source: Source, _ target: Target) {
        let corners = [(0.0, 0.0), (Double(width), 0), (0, Double(height)), (Double(width), Double(height))]
        let fits = corners.allSatisfy { x, y in
            abs(map.a * x + map.b * y + map.c) < 32768 && abs(map.d * x + map.e * y + map.f) < 32768
        }
        guard map.b != 0 || map.d != 0, fits else { return nearestByDouble(map, source, target) }
        func fixed(_ value: Double) -> Int { Int((value * 65536 + 0.5).rounded(.down)) }
        let (a, b, d, e) = (fixed(map.a), fixed(map.b), fixed(map.d), fixed(map.e))
        var startX = fixed(map.c + map.a * 0.5 + map.b * 0.5), startY = fixed(map.f + map.d * 0.5 + map.e * 0.5)
        for row in 0..<height {
            var x = startX, y = startY
            for column in 0..<width {
                let fromX = x >> 16, fromY = y >> 16
                if fromX >= 0, fromX < width, fromY >= 0, fromY < height { copy(source, fromX, fromY, target, row * width + column) }
                x += a
                y += d
            }
            startX += b
            startY += e
        }
    }

    private func nearestByDouble(_ map: AffineMap, _ source: Source, _ target: Target) {
        var startX = map.c + map.b * 0.5 + map.a * 0.5, startY = map.f + map.e * 0.5 + map.d * 0.5
        for row in 0..<height {
            var x = startX, y = startY
            for column in 0..<width {
                if x >= 0, x < Double(width), y >= 0, y < Double(height) {
                    copy(source, Int(x), Int(y), target, row * width + column)
                }
                x += map.a
                y += map.d
            }
            startX += map.b
            startY += map.e
        }
    }

    private func bilinear(_ map: AffineMap, _ source: Source, _ target: Target) {
        for row in 0..<height {
            for column in 0..<width {
                let x = Double(column) + 0.5, y = Double(row) + 0.5
                let fromX = map.a * x + map.b * y + map.c, fromY = map.d * x + map.e * y + map.f
                guard fromX >= 0, fromX < Double(width), fromY >= 0, fromY < Double(height) else { continue }
                blend(source, fromX - 0.5, fromY - 0.5, target, row * width + column)
            }
        }
    }

    @inline(__always)
    private func blend(_ source: Source, _ x: Double, _ y: Double, _ target: Target, _ place: Int) {
        let left = Int(x.rounded(.down)), top = Int(y.rounded(.down))
        let dx = x - Double(left), dy = y - Double(top)
        let x0 = min(max(left, 0), width - 1) * 3, x1 = min(max(left + 1, 0), width - 1) * 3
        let upper = min(max(top, 0), height - 1) * width * 3
        let lower = top + 1 >= 0 && top + 1 < height ? (top + 1) * width * 3 : upper
        for channel in 0..<3 {
            func mix(_ row: Int) -> Double {
                let first = Double(source[row + x0 + channel])
                return first + (Double(source[row + x1 + channel]) - first) * dx
            }
            let first = mix(upper), second = lower == upper ? first : mix(lower)
            target[place * 3 + channel] = UInt8(first + (second - first) * dy)
        }
    }
}
