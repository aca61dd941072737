import CKernels

/// Filters of Pillow's `Image.resize`, numbered as in its `Resampling` enumeration and in `preprocessor_config.json`.
public enum ResizeFilter: Int, Sendable, CaseIterable {
    case nearest = 0
    case lanczos = 1
    case bilinear = 2
    case bicubic = 3
    case box = 4
    case hamming = 5

    /// Half the filter's width, in samples of the smaller grid.
    var support: Double {
        switch self {
        case .nearest, .box: 0.5
        case .bilinear, .hamming: 1
        case .bicubic: 2
        case .lanczos: 3
        }
    }
}

/// Two passes over the picture with fixed-point weights: the arithmetic of Pillow's `Resample.c`, operation for operation.
enum Resampling {
    /// The taps of one axis.
    struct Taps {
        var stride: Int
        var starts: [Int32]
        var counts: [Int32]
        var weights: [Int32]
    }

    /// Normalised weights of one axis in double precision, before they are rounded to the form that a pass wants.
    struct Window {
        var start: Int
        var weights: [Double]
    }

    static func taps(from input: Int, to output: Int, filter: ResizeFilter) -> Taps {
        let scale = Double(input) / Double(output)
        let filterScale = max(scale, 1)
        let support = filter.support * filterScale
        let stride = Int(support.rounded(.up)) * 2 + 1
        var taps = Taps(stride: stride, starts: [], counts: [], weights: [Int32](repeating: 0, count: stride * output))
        taps.starts.reserveCapacity(output)
        taps.counts.reserveCapacity(output)
        let inverse = 1 / filterScale
        var values = [Double](repeating: 0, count: stride)
        for index in 0..<output {
            let center = (Double(index) + 0.5) * scale
            let first = max(Int(center - support + 0.5), 0)
            let count = min(Int(center + support + 0.5), input) - first
            var sum = 0.0
            for tap in 0..<count {
                values[tap] = filter.weight((Double(tap + first) - center + 0.5) * inverse)
                sum += values[tap]
            }
            for tap in 0..<count {
                if sum != 0 { values[tap] /= sum }
                taps.weights[index * stride + tap] = fixedPoint(values[tap])
            }
            taps.starts.append(Int32(first))
            taps.counts.append(Int32(count))
        }
        return taps
    }

    @inline(__always) private static func fixedPoint(_ weight: Double) -> Int32 {
        let scaled = weight * Double(1 << SN_RESIZE_BITS)
        return Int32(weight < 0 ? scaled - 0.5 : scaled + 0.5)
    }

    /// Whether Pillow 13 works on columns before rows (measured on its results: the order shows in the rounding between the passes).
    static func columnsFirst(_ picture: Picture, width: Int, height: Int) -> Bool {
        height < picture.height && picture.height - height > 2 * (picture.width - width)
    }

    /// Two passes with 8-bit values in between; an axis that keeps its length is left out.
    static func resize(_ picture: Picture, width: Int, height: Int, rows: Taps, columns: Taps, columnsFirst: Bool) -> Picture {
        var pixels = picture.pixels
        if columnsFirst, width != picture.width, height != picture.height {
            pixels = pass(pixels, count: height * picture.width * 3, taps: columns) { source, target, taps in
                sn_resize_columns(source, picture.width * 3, taps, target)
            }
            pixels = pass(pixels, count: height * width * 3, taps: rows) { source, target, taps in
                sn_resize_rgb_rows(source, height, picture.width, taps, target)
            }
            return Picture(unchecked: pixels, width: width, height: height)
        }
        if width != picture.width {
            // Rows that no column tap reads needn't be computed.
            let first = height == picture.height ? 0 : Int(columns.starts.first ?? 0)
            let last = height == picture.height ? picture.height : Int(columns.starts.last ?? 0) + Int(columns.counts.last ?? 0)
            pixels = pass(pixels, count: picture.height * width * 3, taps: rows) { source, target, taps in
                sn_resize_rgb_rows(source + first * picture.width * 3, last - first, picture.width, taps, target + first * width * 3)
            }
        }
        if height != picture.height {
            pixels = pass(pixels, count: height * width * 3, taps: columns) { source, target, taps in
                sn_resize_columns(source, width * 3, taps, target)
            }
        }
        return Picture(unchecked: pixels, width: width, height: height)
    }

    private static func pass(
        _ source: [UInt8], count: Int, taps: Taps,
        _ body: (UnsafePointer<UInt8>, UnsafeMutablePointer<UInt8>, UnsafePointer<sn_resize_taps>) -> Void
    ) -> [UInt8] {
        [UInt8](unsafeUninitializedCapacity: count) { target, written in
            source.withUnsafeBufferPointer { source in
                taps.starts.withUnsafeBufferPointer { starts in
                    taps.counts.withUnsafeBufferPointer { counts in
                        taps.weights.withUnsafeBufferPointer { weights in
                            var axis = sn_resize_taps(
                                length: starts.count, stride: taps.stride, starts: starts.baseAddress!,
                                counts: counts.baseAddress!, weights: weights.baseAddress!)
                            body(source.baseAddress!, target.baseAddress!, &axis)
                        }
                    }
                }
            }
            written = count
        }
    }
}

extension Picture {
    /// Pillow's nearest neighbour: the sample under the centre of each output pixel.
    func nearest(width newWidth: Int, height newHeight: Int) -> Picture {
        let columns = Picture.nearestSamples(from: width, to: newWidth), rows = Picture.nearestSamples(from: height, to: newHeight)
        let result = [UInt8](unsafeUninitializedCapacity: newWidth * newHeight * 3) { target, count in
            pixels.withUnsafeBufferPointer { source in
                for y in 0..<newHeight {
                    let row = source.baseAddress! + rows[y] * width * 3
                    for x in 0..<newWidth {
                        (target.baseAddress! + (y * newWidth + x) * 3).initialize(from: row + columns[x] * 3, count: 3)
                    }
                }
            }
            count = newWidth * newHeight * 3
        }
        return Picture(unchecked: result, width: newWidth, height: newHeight)
    }

    /// Pillow adds up the step instead of multiplying; the last bits of that sum decide ties.
    private static func nearestSamples(from input: Int, to output: Int) -> [Int] {
        let step = Double(input) / Double(output)
        var place = step * 0.5
        return (0..<output).map { _ in
            defer { place += step }
            return min(Int(place), input - 1)
        }
    }
}
