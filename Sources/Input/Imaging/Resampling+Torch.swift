import CKernels

/// The arithmetic of torch's antialiased `interpolate` on the CPU (aten/native/cpu/UpSampleKernel.cpp).
extension Resampling {
    /// u8 tensors: weights in 16 bits with as many fraction bits as the largest weight allows.
    static func resizeAsTorchBytes(_ picture: Picture, to frame: Frame, filter: ResizeFilter) -> Picture {
        if filter == .nearest { return picture.nearest(frame) }
        let rows = quantised(Axis(input: picture.width, output: frame.width, filter: filter), frame.x)
        let columns = quantised(Axis(input: picture.height, output: frame.height, filter: filter), frame.y)
        return resize(picture, to: frame, rows: rows, columns: columns, columnsFirst: false)
    }

    /// f32 tensors made of bytes, rounded to bytes at the end.
    static func resizeAsTorchFloat(_ picture: Picture, to frame: Frame, filter: ResizeFilter) -> Picture {
        if filter == .nearest { return picture.nearest(frame) }
        let width = frame.x.count, height = frame.y.count
        var values = picture.pixels.map(Float.init)
        if frame.width != picture.width || width != frame.width {
            let axis = Axis(input: picture.width, output: frame.width, filter: filter)
            values = pass(values, count: picture.height * width * 3, frame.x.map(axis.window)) { source, target, taps in
                sn_resize_float_rows(source, picture.height, picture.width, taps, target)
            }
        }
        if frame.height != picture.height || height != frame.height {
            let axis = Axis(input: picture.height, output: frame.height, filter: filter)
            values = pass(values, count: height * width * 3, frame.y.map(axis.window)) { source, target, taps in
                sn_resize_float_columns(source, width * 3, taps, target)
            }
        }
        let pixels = values.map { UInt8(min(max($0, 0), 255).rounded(.toNearestOrEven)) }
        return Picture(unchecked: pixels, width: width, height: height)
    }

    private struct Axis {
        let input: Int
        let output: Int
        let filter: ResizeFilter

        func window(_ index: Int) -> Window {
            let scale = Double(input) / Double(output)
            let filterScale = max(scale, 1)
            let support = filter.support * filterScale
            let center = scale * (Double(index) + 0.5)
            let first = max(Int(center - support + 0.5), 0)
            let end = min(Int(center + support + 0.5), input)
            var weights = (first..<max(end, first)).map { filter.weight((Double($0) - center + 0.5) / filterScale) }
            let sum = weights.reduce(0, +)
            if sum != 0 { for tap in weights.indices { weights[tap] /= sum } }
            return Window(start: first, weights: weights)
        }
    }

    /// The kernel shifts by `SN_RESIZE_BITS`: weights of fewer bits are moved up, which changes no sum's value.
    private static func quantised(_ axis: Axis, _ range: Range<Int>) -> Taps {
        // The bits follow from the largest weight of the whole axis, whatever part of it is wanted.
        let largest = (0..<axis.output).reduce(0.0) { max($0, axis.window($1).weights.max() ?? 0) }
        var bits = 0
        while bits < 22, Int(0.5 + largest * Double(1 << (bits + 1))) < 1 << 15 { bits += 1 }
        let windows = range.map(axis.window)
        let stride = windows.reduce(1) { max($0, $1.weights.count) }
        var taps = Taps(stride: stride, starts: [], counts: [], weights: [Int32](repeating: 0, count: stride * windows.count))
        for (index, window) in windows.enumerated() {
            taps.starts.append(Int32(window.start))
            taps.counts.append(Int32(window.weights.count))
            for (tap, weight) in window.weights.enumerated() {
                let scaled = weight * Double(1 << bits)
                taps.weights[index * stride + tap] = Int32(weight < 0 ? scaled - 0.5 : scaled + 0.5) << Int32(SN_RESIZE_BITS - bits)
            }
        }
        return taps
    }

    private static func pass(
        _ source: [Float], count: Int, _ windows: [Window],
        _ body: (UnsafePointer<Float>, UnsafeMutablePointer<Float>, UnsafePointer<sn_resize_float_taps>) -> Void
    ) -> [Float] {
        let stride = windows.reduce(1) { max($0, $1.weights.count) }
        let starts = windows.map { Int32($0.start) }, counts = windows.map { Int32($0.weights.count) }
        var weights = [Float](repeating: 0, count: stride * windows.count)
        for (index, window) in windows.enumerated() {
            for (tap, weight) in window.weights.enumerated() { weights[index * stride + tap] = Float(weight) }
        }
        return [Float](unsafeUninitializedCapacity: count) { target, written in
            starts.withUnsafeBufferPointer { starts in
                counts.withUnsafeBufferPointer { counts in
                    weights.withUnsafeBufferPointer { weights in
                        var axis = sn_resize_float_taps(
                            length: starts.count, stride: stride, starts: starts.baseAddress!,
                            counts: counts.baseAddress!, weights: weights.baseAddress!)
                        body(source, target.baseAddress!, &axis)
                    }
                }
            }
            written = count
        }
    }
}
