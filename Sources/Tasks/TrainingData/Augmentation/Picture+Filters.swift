import Imaging

#if canImport(Glibc)
    import Glibc
#endif

/// Operations on neighbourhoods.
extension Picture {
    /// Away from a smoothed copy, or towards it (`ImageEnhance.Sharpness`); 1 changes nothing. Equals Pillow's, byte for byte.
    public func adjustedSharpness(_ factor: Double) -> Picture {
        if factor == 1 { return self }
        let smooth = smoothed()
        let factor = Float(factor)
        let bytes = [UInt8](unsafeUninitializedCapacity: pixels.count) { target, count in
            for place in 0..<pixels.count { target[place] = Blend.value(Int(smooth[place]), Int(pixels[place]), factor) }
            count = pixels.count
        }
        return Picture(unchecked: bytes, width: width, height: height)
    }

    /// `ImageFilter.SMOOTH`: 3x3 weights 1 and, in the middle, 5, divided by 13; the border stays as it is (libImaging/Filter.c).
    private func smoothed() -> [UInt8] {
        guard width > 2, height > 2 else { return pixels }
        let row = width * 3
        let light = Float(1.0 / 13), heavy = Float(5.0 / 13)
        var result = pixels
        result.withUnsafeMutableBufferPointer { target in
            pixels.withUnsafeBufferPointer { source in
                for y in 1..<height - 1 {
                    for place in (y * row + 3)..<((y + 1) * row - 3) {
                        func line(_ at: Int, _ middle: Float) -> Float {
                            Float(source[at - 3]) * light + Float(source[at]) * middle + Float(source[at + 3]) * light
                        }
                        var sum: Float = 0.5
                        sum += line(place + row, light)
                        sum += line(place, heavy)
                        sum += line(place - row, light)
                        target[place] = sum <= 0 ? 0 : sum >= 255 ? 255 : UInt8(sum)
                    }
                }
            }
        }
        return result
    }

    /// A Gaussian of `size` x `size` taps over the picture, mirrored at its borders (torchvision's `gaussian_blur`), within 1 of 255.
    /// - Parameters:
    ///   - size: odd.
    ///   - sigma: in pixels, positive.
    public func gaussianBlurred(size: Int, sigma: Double) -> Picture {
        let radius = max(size, 1) / 2
        if radius == 0 { return self }
        let taps = Self.gaussianTaps(radius: radius, sigma: sigma)
        let row = width * 3
        let columns = Self.reflected(width, radius), rows = Self.reflected(height, radius)
        var across = [Float](repeating: 0, count: height * row)
        var padded = [Float](repeating: 0, count: columns.count * 3)
        for y in 0..<height {
            for (place, column) in columns.enumerated() {
                for channel in 0..<3 { padded[place * 3 + channel] = Float(pixels[y * row + column * 3 + channel]) }
            }
            across.withUnsafeMutableBufferPointer { across in
                padded.withUnsafeBufferPointer { padded in
                    for (tap, weight) in taps.enumerated() {
                        accumulate(across.baseAddress! + y * row, padded.baseAddress! + tap * 3, weight, row)
                    }
                }
            }
        }
        var sum = [Float](repeating: 0, count: row)
        let bytes = [UInt8](unsafeUninitializedCapacity: pixels.count) { target, count in
            across.withUnsafeBufferPointer { across in
                sum.withUnsafeMutableBufferPointer { sum in
                    for y in 0..<height {
                        sum.update(repeating: 0)
                        for (tap, weight) in taps.enumerated() {
                            accumulate(sum.baseAddress!, across.baseAddress! + rows[y + tap] * row, weight, row)
                        }
                        for x in 0..<row { target[y * row + x] = UInt8(min(max(sum[x].rounded(.toNearestOrEven), 0), 255)) }
                    }
                }
            }
            count = pixels.count
        }
        return Picture(unchecked: bytes, width: width, height: height)
    }

    /// `size` values of the bell curve, their sum 1, in single precision as torch computes them.
    private static func gaussianTaps(radius: Int, sigma: Double) -> [Float] {
        let values = (-radius...radius).map { offset in
            let x = Float(offset) / Float(sigma)
            return exp(-0.5 * (x * x))
        }
        let sum = values.reduce(0, +)
        return values.map { $0 / sum }
    }

    /// Indices of a line of `count` with `radius` more at each end, mirrored without repeating the first and last.
    private static func reflected(_ count: Int, _ radius: Int) -> [Int] {
        let period = max(1, 2 * (count - 1))
        return (-radius..<count + radius).map { index in
            let place = ((index % period) + period) % period
            return place < count ? place : period - place
        }
    }
}

/// `target += weight * source`.
@inline(__always)
private func accumulate(_ target: UnsafeMutablePointer<Float>, _ source: UnsafePointer<Float>, _ weight: Float, _ count: Int) {
    for index in 0..<count { target[index] += weight * source[index] }
}
