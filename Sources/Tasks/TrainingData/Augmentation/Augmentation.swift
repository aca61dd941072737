import Imaging
import Tensors

/// A random change of a picture. The same generator gives the same change.
public protocol Augmentation: Sendable {
    func apply(_ picture: Picture, _ generator: inout RandomGenerator) throws(PictureError) -> Picture
}

/// Makes the error for a setting that makes no sense.
func setting(_ operation: String, _ name: String, _ found: String, _ expected: String) -> DataError {
    DataError("augmentation \(operation)", field: name, "\(expected) is expected, found \(found)")
}

func checkProbability(_ operation: String, _ value: Double) throws(DataError) {
    guard (0...1).contains(value) else { throw setting(operation, "probability", "\(value)", "a number from 0 to 1") }
}

/// Mirrored left to right (torchvision's `RandomHorizontalFlip`).
public struct HorizontalFlip: Augmentation {
    public let probability: Double

    public init(probability: Double = 0.5) throws(DataError) {
        try checkProbability("HorizontalFlip", probability)
        self.probability = probability
    }

    public func apply(_ picture: Picture, _ generator: inout RandomGenerator) -> Picture {
        generator.chance(probability) ? picture.mirrored() : picture
    }
}

/// Grey in three channels (torchvision's `RandomGrayscale`).
public struct RandomGrayscale: Augmentation {
    public let probability: Double

    public init(probability: Double = 0.1) throws(DataError) {
        try checkProbability("RandomGrayscale", probability)
        self.probability = probability
    }

    public func apply(_ picture: Picture, _ generator: inout RandomGenerator) -> Picture {
        generator.chance(probability) ? picture.grey() : picture
    }
}

/// Values of `threshold` and more inverted (torchvision's `RandomSolarize`).
public struct RandomSolarize: Augmentation {
    public let threshold: Double
    public let probability: Double

    public init(threshold: Double = 128, probability: Double = 0.5) throws(DataError) {
        try checkProbability("RandomSolarize", probability)
        guard threshold.isFinite else { throw setting("RandomSolarize", "threshold", "\(threshold)", "a number") }
        self.threshold = threshold
        self.probability = probability
    }

    public func apply(_ picture: Picture, _ generator: inout RandomGenerator) -> Picture {
        generator.chance(probability) ? picture.solarized(threshold) : picture
    }
}

/// A Gaussian of random width (torchvision's `GaussianBlur` under `RandomApply`).
public struct GaussianBlur: Augmentation {
    public static let largest = 255
    /// Taps of a side, odd.
    public let size: Int
    /// Range of the deviation in pixels.
    public let sigma: ClosedRange<Double>
    public let probability: Double

    public init(size: Int = 23, sigma: ClosedRange<Double> = 0.1...2, probability: Double = 0.5) throws(DataError) {
        try checkProbability("GaussianBlur", probability)
        guard (1...Self.largest).contains(size), size % 2 == 1 else {
            throw setting("GaussianBlur", "size", "\(size)", "an odd number from 1 to \(Self.largest)")
        }
        guard sigma.lowerBound > 0, sigma.upperBound.isFinite else {
            throw setting("GaussianBlur", "sigma", "\(sigma)", "a range of positive numbers")
        }
        self.size = size
        self.sigma = sigma
        self.probability = probability
    }

    public func apply(_ picture: Picture, _ generator: inout RandomGenerator) -> Picture {
        guard generator.chance(probability) else { return picture }
        return picture.gaussianBlurred(size: size, sigma: generator.between(sigma.lowerBound, sigma.upperBound))
    }
}
