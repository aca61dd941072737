import CKernels
import Tensors

extension ImageTransform {
    /// The picture as the network wants it: f32 `[3, height, width]`.
    /// Throws `PictureError.invalid` when the resized picture would have more than `ImageTransform.mostPixels` after the crop or a side
    /// longer than `ImageTransform.longestStrip` before it.
    public func apply(_ picture: Picture) throws(PictureError) -> Tensor {
        var picture = picture
        if let size = outputSize(width: picture.sourceWidth, height: picture.sourceHeight) { picture = try resized(picture, to: size) }
        if let crop { picture = centerCropped(picture, crop) }
        let table = valueTable()
        return Tensor.makeFloats([3, picture.height, picture.width]) { target in
            picture.pixels.withUnsafeBufferPointer { pixels in
                sn_rgb_to_planes(pixels.baseAddress!, picture.height, picture.width, picture.width * 3, table, target)
            }
        }
    }

    /// Pixels that a transform may compute of one picture.
    public static let mostPixels = 1 << 26
    /// Longest side of a resized picture; what the crop leaves out of it is never computed.
    public static let longestStrip = 1 << 24

    /// The size after the resize and before the crop, nil when there is no resize.
    func outputSize(width: Int, height: Int) -> (width: Int, height: Int)? {
        guard let resize else { return nil }
        let short = min(width, height), long = max(width, height)
        func oriented(_ newShort: Int, _ newLong: Int) -> (width: Int, height: Int) {
            width <= height ? (max(newShort, 1), max(newLong, 1)) : (max(newLong, 1), max(newShort, 1))
        }
        switch resize {
        case let .exact(height, width): return (width, height)
        case let .shortestEdge(side): return oriented(side, scaled(side, long, short))
        case let .longestEdge(side): return oriented(scaled(side, short, long), side)
        case let .shortestEdgeWithin(side, longest):
            let newLong = scaled(side, long, short)
            return newLong <= longest ? oriented(side, newLong) : oriented(scaled(longest, side, newLong), longest)
        case let .within(boxHeight, boxWidth):
            let ratios = (Double(height) / Double(boxHeight), Double(width) / Double(boxWidth))
            return (shrunk(width, max(ratios.0, ratios.1)), shrunk(height, max(ratios.0, ratios.1)))
        case let .covering(boxHeight, boxWidth):
            let ratios = (Double(height) / Double(boxHeight), Double(width) / Double(boxWidth))
            return (shrunk(width, min(ratios.0, ratios.1)), shrunk(height, min(ratios.0, ratios.1)))
        }
    }

    private func shrunk(_ side: Int, _ ratio: Double) -> Int {
        let exact = Double(side) / ratio
        return max(1, Int(convention == .torchvision ? exact.rounded(.toNearestOrEven) : exact))
    }

    /// `int(side * a / b)` as Python computes it: an exact product, then a division in double precision.
    private func scaled(_ side: Int, _ a: Int, _ b: Int) -> Int { Int(Double(side * a) / Double(b)) }

    /// The part of the resized picture that the crop will show, or all of it where the crop is larger.
    private func resized(_ picture: Picture, to size: (width: Int, height: Int)) throws(PictureError) -> Picture {
        var frame = Resampling.Frame(width: size.width, height: size.height)
        if let crop {
            frame.x = visible(size.width, crop.width)
            frame.y = visible(size.height, crop.height)
        }
        let (area, overflow) = frame.x.count.multipliedReportingOverflow(by: frame.y.count)
        guard !overflow, area <= ImageTransform.mostPixels, max(size.width, size.height) <= ImageTransform.longestStrip else {
            throw PictureError(
                .invalid(
                    "a picture of \(picture.width)x\(picture.height) would be resized to \(size.width)x\(size.height): a model can't use a strip this thin"
                ))
        }
        if frame.width == picture.width, frame.height == picture.height { return picture }
        switch arithmetic {
        case .pillow: return Resampling.resize(picture, to: frame, filter: filter)
        case .torchBytes: return Resampling.resizeAsTorchBytes(picture, to: frame, filter: filter)
        case .torchFloat: return Resampling.resizeAsTorchFloat(picture, to: frame, filter: filter)
        }
    }

    private func visible(_ size: Int, _ length: Int) -> Range<Int> {
        let start = offset(size, length)
        return size <= length ? 0..<size : start..<start + length
    }

    /// The middle of the picture, surrounded by the fill where it is too small.
    func centerCropped(_ picture: Picture, _ crop: Crop) -> Picture {
        let x = offset(picture.width, crop.width), y = offset(picture.height, crop.height)
        if x == 0, y == 0, crop.width == picture.width, crop.height == picture.height { return picture }
        var pixels = [UInt8](repeating: crop.fill, count: crop.width * crop.height * 3)
        let columns = max(0, -x)..<min(crop.width, picture.width - x)
        pixels.withUnsafeMutableBufferPointer { target in
            picture.pixels.withUnsafeBufferPointer { source in
                for row in max(0, -y)..<min(crop.height, picture.height - y) {
                    let from = source.baseAddress! + ((row + y) * picture.width + columns.lowerBound + x) * 3
                    (target.baseAddress! + (row * crop.width + columns.lowerBound) * 3).update(from: from, count: columns.count * 3)
                }
            }
        }
        return Picture(unchecked: pixels, width: crop.width, height: crop.height)
    }

    /// Where a crop of `length` begins; negative when it is longer than the picture.
    private func offset(_ size: Int, _ length: Int) -> Int {
        let margin = size - length
        switch convention {
        case .transformers: return margin >> 1
        case .torchvision:
            if margin < 0 { return -((-margin) >> 1) }
            return Int((Double(margin) / 2).rounded(.toNearestOrEven))
        }
    }

    /// Values of the 256 bytes for each channel, in the reference's order of operations and precision.
    private func valueTable() -> [Float] {
        var table: [Float] = []
        table.reserveCapacity(768)
        for channel in 0..<3 {
            for byte in 0..<256 {
                var value = scaledValue(byte)
                if let mean { value -= Float(mean[channel]) }
                if let deviation { value /= Float(deviation[channel]) }
                table.append(value)
            }
        }
        return table
    }

    private func scaledValue(_ byte: Int) -> Float {
        guard let rescaleFactor else { return Float(byte) }
        return convention == .torchvision && rescaleFactor == 1.0 / 255 ? Float(byte) / 255 : Float(Double(byte) * rescaleFactor)
    }
}
