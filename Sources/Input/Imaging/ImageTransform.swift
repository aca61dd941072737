import CKernels
import Tensors

/// What stands between a picture and a network: resize, crop, rescale, normalise. Pixels equal those of the reference's processor.
public struct ImageTransform: Sendable, Equatable {
    /// The size that a picture is resized to.
    public enum Resize: Sendable, Equatable {
        /// Both sides as given, whatever the shape of the picture.
        case exact(height: Int, width: Int)
        /// The shorter side gets this length and the longer one follows.
        case shortestEdge(Int)
        /// The longer side gets this length and the shorter one follows.
        case longestEdge(Int)
        /// The shorter side gets this length unless the longer one would pass `longest`, which then decides.
        case shortestEdgeWithin(Int, longest: Int)
        /// The picture is made to fit into the box, keeping its shape.
        case within(height: Int, width: Int)
        /// The picture is made to cover the box, keeping its shape.
        case covering(height: Int, width: Int)
    }

    /// Which samples of the arithmetic the reference uses to resize.
    public enum Arithmetic: String, Sendable, CaseIterable {
        /// Pillow: 22-bit weights, 8 bits between the passes.
        case pillow
        /// torch on u8 tensors with antialiasing: 16-bit weights, 8 bits between the passes.
        case torchBytes
        /// torch on f32 tensors with antialiasing, rounded to 8 bits at the end.
        case torchFloat
    }

    /// How the reference rounds: sides that follow from others, odd margins of a crop, and the scaling of pixels.
    public enum Convention: String, Sendable, CaseIterable {
        /// Margins are halved downwards, sides are truncated, pixels are scaled in double precision.
        case transformers
        /// Margins are halved to the nearest even, boxes are rounded, pixels are divided by 255 in single precision (torchvision, open_clip).
        case torchvision
    }

    public struct Crop: Sendable, Equatable {
        public var height: Int
        public var width: Int
        /// Grey value of what surrounds a picture that is smaller than the crop.
        public var fill: UInt8

        public init(height: Int, width: Int, fill: UInt8 = 0) {
            self.height = height
            self.width = width
            self.fill = fill
        }
    }

    public var resize: Resize?
    public var filter: ResizeFilter
    /// A centre crop; a picture smaller than it is surrounded by its fill.
    public var crop: Crop?
    /// Factor from 0...255 to the range that mean and deviation are of; nil leaves the values.
    public var rescaleFactor: Double?
    /// `(value - mean) / deviation` for each channel, on rescaled values; nil takes nothing away and divides by nothing.
    public var mean: [Double]?
    public var deviation: [Double]?
    public var arithmetic: Arithmetic
    public var convention: Convention

    /// Throws `PictureError.invalid` for sizes that aren't positive or too large, for lists that don't have three entries and for a deviation of 0.
    public init(
        resize: Resize?, filter: ResizeFilter = .bicubic, crop: Crop? = nil, rescaleFactor: Double? = 1.0 / 255, mean: [Double]? = nil,
        deviation: [Double]? = nil, arithmetic: Arithmetic = .pillow, convention: Convention = .transformers
    ) throws(PictureError) {
        self.resize = resize
        self.filter = filter
        self.crop = crop
        self.rescaleFactor = rescaleFactor
        self.mean = mean
        self.deviation = deviation
        self.arithmetic = arithmetic
        self.convention = convention
        try check()
    }

    /// Longest side that a transform may produce.
    public static let longestSide = 8192

    private func check() throws(PictureError) {
        let sides: [Int] = (resize?.sides ?? []) + (crop.map { [$0.height, $0.width] } ?? [])
        guard sides.allSatisfy({ (1...ImageTransform.longestSide).contains($0) }) else {
            throw PictureError(.invalid("sizes of an image transform must be 1 to \(ImageTransform.longestSide) pixels, found \(sides)"))
        }
        for (name, values) in [("mean", mean), ("deviation", deviation)] {
            guard let values else { continue }
            guard values.count == 3, values.allSatisfy(\.isFinite) else {
                throw PictureError(.invalid("the \(name) of an image transform must be three numbers, found \(values)"))
            }
        }
        if let deviation, deviation.contains(0) { throw PictureError(.invalid("the deviation of an image transform can't be 0")) }
        if let rescaleFactor, !rescaleFactor.isFinite {
            throw PictureError(.invalid("the rescale factor of an image transform must be finite"))
        }
    }

    /// Decoding may shrink a picture as long as its shorter side stays at least this long; nil when the transform needs every pixel.
    public var shortestUsefulSide: Int? {
        switch resize {
        case let .exact(height, width): max(height, width)
        case let .shortestEdge(side), let .shortestEdgeWithin(side, _): side
        // The shorter side isn't known before the picture is: the longer one bounds it.
        case let .longestEdge(side): side
        case let .within(height, width), let .covering(height, width): max(height, width)
        case nil: nil
        }
    }

    /// The same text for transforms that give the same values.
    public var fingerprint: String {
        let parts: [String] = [
            "resize=" + (resize?.fingerprint ?? "none"), "filter=\(filter.rawValue)",
            "crop=" + (crop.map { "\($0.height)x\($0.width)fill\($0.fill)" } ?? "none"),
            "scale=" + (rescaleFactor.map { "\($0)" } ?? "none"), "mean=" + list(mean), "deviation=" + list(deviation),
            "arithmetic=\(arithmetic.rawValue)", "convention=\(convention.rawValue)",
        ]
        return parts.joined(separator: ";")
    }

    private func list(_ values: [Double]?) -> String { values.map { $0.map { "\($0)" }.joined(separator: ",") } ?? "none" }
}

extension ImageTransform.Resize {
    fileprivate var sides: [Int] {
        switch self {
        case let .exact(height, width), let .within(height, width), let .covering(height, width): [height, width]
        case let .shortestEdge(side), let .longestEdge(side): [side]
        case let .shortestEdgeWithin(side, longest): [side, longest]
        }
    }

    fileprivate var fingerprint: String {
        switch self {
        case let .exact(height, width): "exact\(height)x\(width)"
        case let .within(height, width): "within\(height)x\(width)"
        case let .covering(height, width): "covering\(height)x\(width)"
        case let .shortestEdge(side): "shortest\(side)"
        case let .longestEdge(side): "longest\(side)"
        case let .shortestEdgeWithin(side, longest): "shortest\(side)longest\(longest)"
        }
    }
}
