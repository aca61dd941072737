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

        /// The samples that are read at all.
        var read: Range<Int> {
            let first = starts.min() ?? 0
            return Int(first)..<Int(zip(starts, counts).reduce(first) { max($0, $1.0 + $1.1) })
        }
    }

    /// Normalised weights of one axis in double precision, before they are rounded to the form that a pass wants.
    struct Window {
        var start: Int
        var weights: [Double]
    }

    /// A picture of `width` x `height` of which only `x` and `y` are wanted.
    struct Frame {
        var width: Int
        var height: Int
        var x: Range<Int>
        var y: Range<Int>

        init(width: Int, height: Int) {
            (self.width, self.height, x, y) = (width, height, 0..<width, 0..<height)
        }
    }

    /// The taps of the outputs in `range`.
    static func taps(from input: Int, to output: Int, range: Range<Int>, filter: ResizeFilter) -> Taps {
        let scale = Double(input) / Double(output)
        let filterScale = max(scale, 1)
        let support = filter.support * filterScale
        let stride = Int(support.rounded(.up)) * 2 + 1
        var taps = Taps(stride: stride, starts: [], counts: [], weights: [Int32](repeating: 0, count: stride * range.count))
        taps.starts.reserveCapacity(range.count)
        taps.counts.reserveCapacity(range.count)
        let inverse = 1 / filterScale
        var values = [Double](repeating: 0, count: stride)
        for (place, index) in range.enumerated() {
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
                taps.weights[place * stride + tap] = fixedPoint(values[tap])
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
    static func columnsFirst(_ picture: Picture, _ frame: Frame) -> Bool {
        frame.height < picture.height && picture.height - frame.height > 2 * (picture.width - frame.width)
    }

    static func resize(_ picture: Picture, to frame: Frame, filter: ResizeFilter) -> Picture {
        if filter == .nearest { return picture.nearest(frame) }
        let rows = taps(from: picture.width, to: frame.width, range: frame.x, filter: filter)
        let columns = taps(from: picture.height, to: frame.height, range: frame.y, filter: filter)
        return resize(picture, to: frame, rows: rows, columns: columns, columnsFirst: columnsFirst(picture, frame))
    }

    /// Two passes with 8-bit values in between; an axis that keeps its length is left out.
    static func resize(_ picture: Picture, to frame: Frame, rows: Taps, columns: Taps, columnsFirst: Bool) -> Picture {
        let kernels = sn_resizes().pointee
        var pixels = picture.pixels
        let width = frame.x.count, height = frame.y.count
        let keepsWidth = frame.width == picture.width && width == frame.width
        let keepsHeight = frame.height == picture.height && height == frame.height
        if columnsFirst, !keepsWidth, !keepsHeight {
            pixels = pass(pixels, count: height * picture.width * 3, taps: columns) { source, target, taps in
                kernels.columns(source, picture.width * 3, taps, target)
            }
            pixels = pass(pixels, count: height * width * 3, taps: rows) { source, target, taps in
                kernels.rgb_rows(source, height, picture.width, taps, target)
            }
            return Picture(unchecked: pixels, width: width, height: height)
        }
        var columns = columns
        if !keepsWidth {
            // Rows that no column tap reads needn't be computed.
            let read = keepsHeight ? 0..<picture.height : columns.read
            pixels = pass(pixels, count: read.count * width * 3, taps: rows) { source, target, taps in
                kernels.rgb_rows(source + read.lowerBound * picture.width * 3, read.count, picture.width, taps, target)
            }
            for index in columns.starts.indices { columns.starts[index] -= Int32(read.lowerBound) }
        }
        if !keepsHeight {
            pixels = pass(pixels, count: height * width * 3, taps: columns) { source, target, taps in
                kernels.columns(source, width * 3, taps, target)
            }
        }
        return Picture(unchecked: pixels, width: width, height: height)
    }

    static func pass(
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
    func nearest(_ frame: Resampling.Frame) -> Picture {
        let columns = Picture.nearestSamples(from: width, to: frame.width, range: frame.x)
        let rows = Picture.nearestSamples(from: height, to: frame.height, range: frame.y)
        let result = [UInt8](unsafeUninitializedCapacity: columns.count * rows.count * 3) { target, count in
            pixels.withUnsafeBufferPointer { source in
                var to = target.baseAddress!
                for row in rows {
                    let from = source.baseAddress! + row * width * 3
                    for column in columns {
                        to.initialize(from: from + column * 3, count: 3)
                        to += 3
                    }
                }
            }
            count = columns.count * rows.count * 3
        }
        return Picture(unchecked: result, width: columns.count, height: rows.count)
    }

    /// Pillow adds up the step instead of multiplying; the last bits of that sum decide ties.
    private static func nearestSamples(from input: Int, to output: Int, range: Range<Int>) -> [Int] {
        let step = Double(input) / Double(output)
        var place = step * 0.5
        for _ in 0..<range.lowerBound { place += step }
        return range.map { _ in
            defer { place += step }
            return min(Int(place), input - 1)
        }
    }
}
