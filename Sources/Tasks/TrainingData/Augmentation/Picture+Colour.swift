import Imaging

#if canImport(Glibc)
    import Glibc
#endif

/// Operations on the three values of a pixel. Equal to Pillow's, byte for byte.
extension Picture {
    /// - Parameter body: reads a pixel of the source and writes one of the target.
    @inline(__always)
    private func mappedPixels(_ body: (UnsafePointer<UInt8>, UnsafeMutablePointer<UInt8>) -> Void) -> Picture {
        let bytes = [UInt8](unsafeUninitializedCapacity: pixels.count) { target, count in
            pixels.withUnsafeBufferPointer { source in
                guard var from = source.baseAddress, var to = target.baseAddress else { return }
                for _ in 0..<source.count / 3 {
                    body(from, to)
                    from += 3
                    to += 3
                }
            }
            count = pixels.count
        }
        return Picture(unchecked: bytes, width: width, height: height)
    }

    /// Grey in three equal channels (`convert("L")`).
    public func grey() -> Picture {
        mappedPixels { from, to in
            let grey = UInt8(Grey.value(from[0], from[1], from[2]))
            (to[0], to[1], to[2]) = (grey, grey, grey)
        }
    }

    /// Away from grey, or towards it (`ImageEnhance.Color`); 1 changes nothing, 0 is grey.
    public func adjustedSaturation(_ factor: Double) -> Picture {
        if factor == 1 { return self }
        let factor = Float(factor)
        return mappedPixels { from, to in
            let grey = Grey.value(from[0], from[1], from[2])
            for channel in 0..<3 { to[channel] = Blend.value(grey, Int(from[channel]), factor) }
        }
    }

    /// Turned around the circle of hues (torchvision's `adjust_hue` on Pillow pictures).
    /// - Parameter shift: of the circle, -0.5...0.5.
    public func adjustedHue(_ shift: Double) -> Picture {
        let turn = UInt8(truncatingIfNeeded: Int(min(max(shift, -0.5), 0.5) * 255))
        return mappedPixels { from, to in
            var (hue, saturation, value) = HSV.from(from[0], from[1], from[2])
            hue = hue &+ turn
            HSV.write(hue, saturation, value, to)
        }
    }

    /// Mirrored left to right.
    public func mirrored() -> Picture {
        let width = width, height = height
        let bytes = [UInt8](unsafeUninitializedCapacity: pixels.count) { target, count in
            pixels.withUnsafeBufferPointer { source in
                for y in 0..<height {
                    var from = (y * width + width - 1) * 3, to = y * width * 3
                    for _ in 0..<width {
                        target[to] = source[from]
                        target[to + 1] = source[from + 1]
                        target[to + 2] = source[from + 2]
                        to += 3
                        from -= 3
                    }
                }
            }
            count = pixels.count
        }
        return Picture(unchecked: bytes, width: width, height: height)
    }
}

/// Pillow's HSV of 8 bits (libImaging/Convert.c), with its mixture of single and double precision.
private enum HSV {
    @inline(__always)
    static func from(_ red: UInt8, _ green: UInt8, _ blue: UInt8) -> (hue: UInt8, saturation: UInt8, value: UInt8) {
        let most = max(red, green, blue), least = min(red, green, blue)
        guard most != least else { return (0, 0, most) }
        let range = Float(most - least)
        let saturation = range / Float(most)
        let rc = Float(most - red) / range, gc = Float(most - green) / range, bc = Float(most - blue) / range
        var hue: Float
        if red == most {
            hue = bc - gc
        } else if green == most {
            hue = Float(2.0 + Double(rc) - Double(bc))
        } else {
            hue = Float(4.0 + Double(gc) - Double(rc))
        }
        // The sum lies in 0.8...2, where the fraction is what fmod gives.
        let turned = Double(hue) / 6.0 + 1.0
        hue = Float(turned - turned.rounded(.down))
        return (UInt8(min(Int(Double(hue) * 255.0), 255)), UInt8(min(Int(Double(saturation) * 255.0), 255)), most)
    }

    @inline(__always)
    static func write(_ hue: UInt8, _ saturation: UInt8, _ value: UInt8, _ to: UnsafeMutablePointer<UInt8>) {
        guard saturation > 0 else {
            (to[0], to[1], to[2]) = (value, value, value)
            return
        }
        let place = Double(hue) * 6.0 / 255.0
        let sector = Int(place)
        let fraction = Float(place - Double(sector))
        let share = Float(Double(saturation) / 255.0), level = Double(value)
        let p = rounded(level * (1.0 - Double(share)))
        let q = rounded(level * (1.0 - Double(share * fraction)))
        let t = rounded(level * (1.0 - Double(share) * (1.0 - Double(fraction))))
        switch sector % 6 {
        case 0: (to[0], to[1], to[2]) = (value, t, p)
        case 1: (to[0], to[1], to[2]) = (q, value, p)
        case 2: (to[0], to[1], to[2]) = (p, value, t)
        case 3: (to[0], to[1], to[2]) = (p, q, value)
        case 4: (to[0], to[1], to[2]) = (t, p, value)
        default: (to[0], to[1], to[2]) = (value, p, q)
        }
    }

    /// Half away from zero, as C rounds.
    @inline(__always) private static func rounded(_ value: Double) -> UInt8 { UInt8(min(max(Int(value + 0.5), 0), 255)) }
}
