import Imaging

/// Operations on single values: one table of 256 entries for each channel. All of them equal Pillow's, byte for byte.
extension Picture {
    /// - Parameter tables: 768 values, 256 for each channel.
    func mapped(_ tables: [UInt8]) -> Picture {
        precondition(tables.count == 768)
        let bytes = [UInt8](unsafeUninitializedCapacity: pixels.count) { target, count in
            pixels.withUnsafeBufferPointer { source in
                tables.withUnsafeBufferPointer { tables in
                    var place = 0
                    while place < source.count {
                        target[place] = tables[Int(source[place])]
                        target[place + 1] = tables[256 + Int(source[place + 1])]
                        target[place + 2] = tables[512 + Int(source[place + 2])]
                        place += 3
                    }
                }
            }
            count = pixels.count
        }
        return Picture(unchecked: bytes, width: width, height: height)
    }

    func mapped(_ value: (Int) -> UInt8) -> Picture {
        let table = (0..<256).map(value)
        return mapped(table + table + table)
    }

    /// 768 counts, 256 for each channel.
    func histogram() -> [Int] {
        var counts = [Int](repeating: 0, count: 768)
        counts.withUnsafeMutableBufferPointer { counts in
            pixels.withUnsafeBufferPointer { source in
                var place = 0
                while place < source.count {
                    counts[Int(source[place])] += 1
                    counts[256 + Int(source[place + 1])] += 1
                    counts[512 + Int(source[place + 2])] += 1
                    place += 3
                }
            }
        }
        return counts
    }

    /// A table of each channel made from its histogram.
    private func mappedByHistogram(_ table: (ArraySlice<Int>) -> [UInt8]) -> Picture {
        let counts = histogram()
        return mapped(table(counts[0..<256]) + table(counts[256..<512]) + table(counts[512..<768]))
    }

    /// A multiple of every value (`ImageEnhance.Brightness`); 1 changes nothing, 0 is black.
    public func adjustedBrightness(_ factor: Double) -> Picture {
        factor == 1 ? self : mapped { Blend.value(0, $0, Float(factor)) }
    }

    /// Away from the mean grey, or towards it (`ImageEnhance.Contrast`); 1 changes nothing, 0 is grey.
    public func adjustedContrast(_ factor: Double) -> Picture {
        if factor == 1 { return self }
        let mean = Int(Double(greySum()) / Double(width * height) + 0.5)
        return mapped { Blend.value(mean, $0, Float(factor)) }
    }

    private func greySum() -> Int {
        pixels.withUnsafeBufferPointer { source in
            var sum = 0, place = 0
            while place < source.count {
                sum += Grey.value(source[place], source[place + 1], source[place + 2])
                place += 3
            }
            return sum
        }
    }

    /// Values of `threshold` and more are inverted (`ImageOps.solarize`).
    public func solarized(_ threshold: Double) -> Picture { mapped { UInt8(Double($0) < threshold ? $0 : 255 - $0) } }

    public func inverted() -> Picture { mapped { UInt8(255 - $0) } }

    /// The upper `bits` of each value (`ImageOps.posterize`).
    /// - Parameter bits: clamped to 1...8.
    public func posterized(bits: Int) -> Picture {
        let mask = ~((1 << (8 - min(max(bits, 1), 8))) - 1)
        return mapped { UInt8($0 & mask) }
    }

    /// Each channel stretched to 0...255 (`ImageOps.autocontrast`).
    public func autocontrasted() -> Picture {
        mappedByHistogram { counts in
            let counts = Array(counts)
            guard let low = counts.firstIndex(where: { $0 > 0 }), let high = counts.lastIndex(where: { $0 > 0 }), high > low else {
                return (0..<256).map(UInt8.init)
            }
            let scale = 255.0 / Double(high - low)
            let offset = Double(-low) * scale
            return (0..<256).map { UInt8(min(max(Int(Double($0) * scale + offset), 0), 255)) }
        }
    }

    /// Each channel's histogram made even (`ImageOps.equalize`).
    public func equalized() -> Picture {
        mappedByHistogram { counts in
            let used = counts.filter { $0 > 0 }
            let step = used.count <= 1 ? 0 : (used.reduce(0, +) - (used.last ?? 0)) / 255
            guard step > 0 else { return (0..<256).map(UInt8.init) }
            var sum = step / 2
            return counts.map { count in
                defer { sum += count }
                return UInt8(min(sum / step, 255))
            }
        }
    }
}

/// Pillow's `Image.blend` for one value (libImaging/Blend.c): single precision, truncated.
enum Blend {
    @inline(__always) static func value(_ first: Int, _ second: Int, _ factor: Float) -> UInt8 {
        let mixed = Float(first) + factor * Float(second - first)
        return mixed <= 0 ? 0 : mixed >= 255 ? 255 : UInt8(mixed)
    }
}

/// Pillow's conversion to grey (libImaging/Convert.c): ITU-R 601-2 in 16 bits of fraction.
enum Grey {
    @inline(__always) static func value(_ red: UInt8, _ green: UInt8, _ blue: UInt8) -> Int {
        (Int(red) * 19595 + Int(green) * 38470 + Int(blue) * 7471 + 0x8000) >> 16
    }
}
