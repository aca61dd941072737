import Imaging
import Tensors

/// A few operations drawn from a fixed list, all of one magnitude (torchvision's `RandAugment` on Pillow pictures;
/// Cubuk et al., "RandAugment", 2019).
public struct RandAugment: Augmentation {
    /// In torchvision's order.
    public enum Operation: String, Sendable, CaseIterable {
        case identity = "Identity"
        case shearX = "ShearX"
        case shearY = "ShearY"
        case translateX = "TranslateX"
        case translateY = "TranslateY"
        case rotate = "Rotate"
        case brightness = "Brightness"
        case color = "Color"
        case contrast = "Contrast"
        case sharpness = "Sharpness"
        case posterize = "Posterize"
        case solarize = "Solarize"
        case autoContrast = "AutoContrast"
        case equalize = "Equalize"

        /// Whether the magnitude may be taken with either sign.
        var isSigned: Bool {
            switch self {
            case .shearX, .shearY, .translateX, .translateY, .rotate, .brightness, .color, .contrast, .sharpness: true
            case .identity, .posterize, .solarize, .autoContrast, .equalize: false
            }
        }
    }

    public let operations: Int
    public let magnitude: Int
    public let bins: Int
    public let sampling: AffineSampling
    public let fill: Color

    public init(
        operations: Int = 2, magnitude: Int = 9, bins: Int = 31, sampling: AffineSampling = .nearest,
        fill: Color = Color(red: 0, green: 0, blue: 0)
    ) throws(DataError) {
        guard (0...16).contains(operations) else { throw setting("RandAugment", "operations", "\(operations)", "a number from 0 to 16") }
        guard (2...1_000).contains(bins) else { throw setting("RandAugment", "bins", "\(bins)", "a number from 2 to 1000") }
        guard (0..<bins).contains(magnitude) else {
            throw setting("RandAugment", "magnitude", "\(magnitude)", "a number from 0 to \(bins - 1)")
        }
        self.operations = operations
        self.magnitude = magnitude
        self.bins = bins
        self.sampling = sampling
        self.fill = fill
    }

    public func apply(_ picture: Picture, _ generator: inout RandomGenerator) -> Picture {
        var picture = picture
        for _ in 0..<operations {
            let operation = Operation.allCases[generator.below(Operation.allCases.count)]
            var strength = strength(of: operation, width: picture.width, height: picture.height)
            if operation.isSigned, generator.below(2) == 1 { strength = -strength }
            picture = apply(operation, strength, to: picture)
        }
        return picture
    }

    /// torchvision's `_augmentation_space` at our magnitude, as its single-precision tensors hold it.
    func strength(of operation: Operation, width: Int, height: Int) -> Double {
        let step = Double(magnitude) / Double(bins - 1)
        func upTo(_ most: Double) -> Double { Double(Float(most * step)) }
        switch operation {
        case .identity, .autoContrast, .equalize: return 0
        case .shearX, .shearY: return upTo(0.3)
        case .translateX: return upTo(150.0 / 331 * Double(width))
        case .translateY: return upTo(150.0 / 331 * Double(height))
        case .rotate: return upTo(30)
        case .brightness, .color, .contrast, .sharpness: return upTo(0.9)
        case .posterize: return 8 - Double((Float(magnitude) / Float(Double(bins - 1) / 4)).rounded(.toNearestOrEven))
        case .solarize: return Double(Float(255 - 255 * step))
        }
    }

    /// torchvision's `_apply_op`.
    func apply(_ operation: Operation, _ strength: Double, to picture: Picture) -> Picture {
        let middle = (x: Double(picture.width) * 0.5, y: Double(picture.height) * 0.5)
        switch operation {
        case .identity: return picture
        case .shearX: return picture.affine(.shear(x: strength, center: (0, 0)), sampling, fill)
        case .shearY: return picture.affine(.shear(y: strength, center: (0, 0)), sampling, fill)
        case .translateX:
            return picture.affine(.shear(move: (strength.rounded(.towardZero), 0), center: middle), sampling, fill)
        case .translateY:
            return picture.affine(.shear(move: (0, strength.rounded(.towardZero)), center: middle), sampling, fill)
        case .rotate: return picture.rotated(degrees: strength, sampling: sampling, fill: fill)
        case .brightness: return picture.adjustedBrightness(1 + strength)
        case .color: return picture.adjustedSaturation(1 + strength)
        case .contrast: return picture.adjustedContrast(1 + strength)
        case .sharpness: return picture.adjustedSharpness(1 + strength)
        case .posterize: return picture.posterized(bits: Int(strength))
        case .solarize: return picture.solarized(strength)
        case .autoContrast: return picture.autocontrasted()
        case .equalize: return picture.equalized()
        }
    }
}
