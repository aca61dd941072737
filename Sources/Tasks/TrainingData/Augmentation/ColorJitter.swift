import Imaging
import Tensors

/// Brightness, contrast, saturation and hue in a random order (torchvision's `ColorJitter`).
public struct ColorJitter: Augmentation {
    /// Ranges of the factors; nil leaves that one out.
    public let brightness: ClosedRange<Double>?
    public let contrast: ClosedRange<Double>?
    public let saturation: ClosedRange<Double>?
    /// Of the circle of hues.
    public let hue: ClosedRange<Double>?
    public let probability: Double

    /// - Parameters:
    ///   - brightness, contrast, saturation: the factor is between `1 - value` (at least 0) and `1 + value`.
    ///   - hue: the turn is between `-hue` and `hue`; at most 0.5.
    public init(
        brightness: Double = 0, contrast: Double = 0, saturation: Double = 0, hue: Double = 0, probability: Double = 1
    ) throws(DataError) {
        try checkProbability("ColorJitter", probability)
        func range(_ name: String, _ value: Double) throws(DataError) -> ClosedRange<Double>? {
            guard value.isFinite, value >= 0 else { throw setting("ColorJitter", name, "\(value)", "a number of at least 0") }
            return value == 0 ? nil : max(0, 1 - value)...1 + value
        }
        self.brightness = try range("brightness", brightness)
        self.contrast = try range("contrast", contrast)
        self.saturation = try range("saturation", saturation)
        guard (0...0.5).contains(hue) else { throw setting("ColorJitter", "hue", "\(hue)", "a number from 0 to 0.5") }
        self.hue = hue == 0 ? nil : -hue...hue
        self.probability = probability
    }

    public func apply(_ picture: Picture, _ generator: inout RandomGenerator) -> Picture {
        guard generator.chance(probability) else { return picture }
        var order = [0, 1, 2, 3]
        for last in stride(from: 3, to: 0, by: -1) { order.swapAt(last, generator.below(last + 1)) }
        func draw(_ range: ClosedRange<Double>?) -> Double? { range.map { generator.between($0.lowerBound, $0.upperBound) } }
        let factors = [draw(brightness), draw(contrast), draw(saturation), draw(hue)]
        return order.reduce(picture) { picture, place in
            guard let factor = factors[place] else { return picture }
            return switch place {
            case 0: picture.adjustedBrightness(factor)
            case 1: picture.adjustedContrast(factor)
            case 2: picture.adjustedSaturation(factor)
            default: picture.adjustedHue(factor)
            }
        }
    }
}
