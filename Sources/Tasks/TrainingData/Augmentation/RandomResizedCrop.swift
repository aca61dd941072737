import Imaging
import Tensors

#if canImport(Glibc)
    import Glibc
#endif

/// A part of random area and shape, resized to one size (torchvision's `RandomResizedCrop` on Pillow pictures).
public struct RandomResizedCrop: Augmentation {
    public let width: Int
    public let height: Int
    /// Share of the picture's area.
    public let scale: ClosedRange<Double>
    /// Width over height of the part.
    public let ratio: ClosedRange<Double>
    public let filter: ResizeFilter

    public init(
        width: Int, height: Int, scale: ClosedRange<Double> = 0.08...1, ratio: ClosedRange<Double> = 3.0 / 4...4.0 / 3,
        filter: ResizeFilter = .bilinear
    ) throws(DataError) {
        let sides = 1...ImageTransform.longestSide
        guard sides.contains(width), sides.contains(height) else {
            throw setting("RandomResizedCrop", "size", "\(width)x\(height)", "sides of \(sides.lowerBound) to \(sides.upperBound) pixels")
        }
        guard scale.lowerBound > 0, scale.upperBound <= 1 else {
            throw setting("RandomResizedCrop", "scale", "\(scale)", "a range within 0...1, above 0")
        }
        guard ratio.lowerBound > 0, ratio.upperBound.isFinite else {
            throw setting("RandomResizedCrop", "ratio", "\(ratio)", "a range of positive numbers")
        }
        self.width = width
        self.height = height
        self.scale = scale
        self.ratio = ratio
        self.filter = filter
    }

    public init(size: Int, scale: ClosedRange<Double> = 0.08...1, filter: ResizeFilter = .bilinear) throws(DataError) {
        try self.init(width: size, height: size, scale: scale, filter: filter)
    }

    /// A part of a picture in pixels.
    struct Box: Equatable {
        var x: Int
        var y: Int
        var width: Int
        var height: Int

        /// The same part of a picture that was decoded with fewer pixels, at least one pixel of it.
        func scaled(from full: (width: Int, height: Int), to part: (width: Int, height: Int)) -> Box {
            func side(_ start: Int, _ count: Int, _ full: Int, _ part: Int) -> (Int, Int) {
                let factor = Double(part) / Double(full)
                let first = min(Int((Double(start) * factor).rounded()), part - 1)
                let end = min(max(Int((Double(start + count) * factor).rounded()), first + 1), part)
                return (first, end - first)
            }
            let (x, width) = side(x, width, full.width, part.width), (y, height) = side(y, height, full.height, part.height)
            return Box(x: x, y: y, width: width, height: height)
        }
    }

    public func apply(_ picture: Picture, _ generator: inout RandomGenerator) throws(PictureError) -> Picture {
        let full = (width: picture.sourceWidth, height: picture.sourceHeight)
        let box = box(width: full.width, height: full.height) { Double(generator.uniform()) }
            .scaled(from: full, to: (picture.width, picture.height))
        return try picture.cropped(x: box.x, y: box.y, width: box.width, height: box.height)
            .resized(width: width, height: height, filter: filter)
    }

    /// torchvision's `get_params`, its precisions with it.
    /// - Parameter uniform: numbers in [0, 1).
    func box(width: Int, height: Int, _ uniform: () -> Double) -> Box {
        let area = Double(width) * Double(height)
        let low = Double(log(Float(ratio.lowerBound))), high = Double(log(Float(ratio.upperBound)))
        for _ in 0..<10 {
            let target = area * Double(Float(scale.lowerBound + (scale.upperBound - scale.lowerBound) * uniform()))
            let shape = Double(exp(Float(low + (high - low) * uniform())))
            let w = Int((target * shape).squareRoot().rounded(.toNearestOrEven))
            let h = Int((target / shape).squareRoot().rounded(.toNearestOrEven))
            if w > 0, w <= width, h > 0, h <= height {
                let y = Int(uniform() * Double(height - h + 1)), x = Int(uniform() * Double(width - w + 1))
                return Box(x: x, y: y, width: w, height: h)
            }
        }
        return centre(width, height)
    }

    /// What is left when ten draws don't fit: the middle, in the nearest shape that is allowed.
    private func centre(_ width: Int, _ height: Int) -> Box {
        var w = width, h = height
        let shape = Double(width) / Double(height)
        if shape < ratio.lowerBound {
            h = Int((Double(w) / ratio.lowerBound).rounded(.toNearestOrEven))
        } else if shape > ratio.upperBound {
            w = Int((Double(h) * ratio.upperBound).rounded(.toNearestOrEven))
        }
        (w, h) = (min(max(w, 1), width), min(max(h, 1), height))
        return Box(x: (width - w) / 2, y: (height - h) / 2, width: w, height: h)
    }

    /// Decoding may shrink a picture of this size as long as its shorter side stays at least this long: the part that these draws
    /// choose then still has twice the pixels that it is resized to.
    func usefulSide(width: Int, height: Int, _ generator: RandomGenerator) -> Int {
        var generator = generator
        let box = box(width: width, height: height) { Double(generator.uniform()) }
        let short = Double(min(width, height))
        let needed = max(Double(self.width) / Double(box.width), Double(self.height) / Double(box.height))
        return max(1, Int(min((short * needed).rounded(.up), short)))
    }
}
