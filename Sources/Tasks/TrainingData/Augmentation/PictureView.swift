import Imaging
import Tensors

/// What a network is shown of a picture: random steps, then resize, crop and normalisation.
public struct PictureView: Sendable {
    public let steps: [any Augmentation]
    public let transform: ImageTransform
    /// The view whose random numbers it shares, by its place: the same part of the picture at another size.
    public let twin: Int?

    /// - Parameter transform: must give pictures of any size the same size, unless a step does.
    public init(steps: [any Augmentation] = [], transform: ImageTransform, twin: Int? = nil) {
        self.steps = steps
        self.transform = transform
        self.twin = twin
    }

    /// f32 `[3, height, width]`.
    func apply(_ picture: Picture, _ generator: inout RandomGenerator) throws(PictureError) -> Tensor {
        var picture = picture
        for step in steps { picture = try step.apply(picture, &generator) }
        return try transform.apply(picture)
    }

    /// How far decoding may shrink a picture of this size for this view; nil where it must not.
    func usefulSide(width: Int, height: Int, _ generator: RandomGenerator) -> Int? {
        guard let first = steps.first else { return transform.shortestUsefulSide }
        return (first as? RandomResizedCrop)?.usefulSide(width: width, height: height, generator)
    }

    /// Whether `usefulSide` depends on the picture's size.
    var cropsFirst: Bool { steps.first is RandomResizedCrop }
}

extension PictureView {
    /// Means and deviations of the three channels.
    public typealias Statistics = (mean: [Double], deviation: [Double])

    private static func normalised(_ size: Int, _ filter: ResizeFilter, _ statistics: Statistics) throws(DataError) -> ImageTransform {
        do throws(PictureError) {
            return try ImageTransform(
                resize: .exact(height: size, width: size), filter: filter, mean: statistics.mean, deviation: statistics.deviation,
                convention: .torchvision)
        } catch {
            throw DataError("view", "\(error)")
        }
    }

    /// CLIP's training: a part of at least `scale` of the picture and nothing else (open_clip's default is 0.9...1).
    public static func contrastive(
        size: Int, scale: ClosedRange<Double> = 0.9...1, flip: Bool = false,
        statistics: Statistics = ImageTransform.Statistics.clip
    ) throws(DataError) -> PictureView {
        var steps: [any Augmentation] = [try RandomResizedCrop(size: size, scale: scale, filter: .bicubic)]
        if flip { steps.append(try HorizontalFlip()) }
        return PictureView(steps: steps, transform: try normalised(size, .bicubic, statistics))
    }

    /// SimCLR's (Chen et al. 2020, appendix A): crop, flip, colour jitter, grey, blur.
    public static func simCLR(
        size: Int, scale: ClosedRange<Double> = 0.08...1, strength: Double = 1, statistics: Statistics = ImageTransform.Statistics.imageNet
    ) throws(DataError) -> PictureView {
        let steps: [any Augmentation] = [
            try RandomResizedCrop(size: size, scale: scale, filter: .bicubic), try HorizontalFlip(),
            try ColorJitter(
                brightness: 0.8 * strength, contrast: 0.8 * strength, saturation: 0.8 * strength, hue: min(0.2 * strength, 0.5),
                probability: 0.8),
            try RandomGrayscale(probability: 0.2),
            try GaussianBlur(size: max(size / 10, 1) | 1, probability: 0.5),
        ]
        return PictureView(steps: steps, transform: try normalised(size, .bicubic, statistics))
    }

    /// One of DINO's and BYOL's two global views, or a small local one (Caron et al. 2021; BYOL, Grill et al. 2020, appendix B).
    /// - Parameters:
    ///   - scale: 0.25...1 for global views of DINO, 0.05...0.25 for local ones.
    ///   - blur: probability: 1 for the first global view, 0.1 for the second, 0.5 for local ones.
    ///   - solarize: probability: 0.2 for the second global view, else 0.
    public static func dino(
        size: Int, scale: ClosedRange<Double>, blur: Double, solarize: Double = 0,
        statistics: Statistics = ImageTransform.Statistics.imageNet
    ) throws(DataError) -> PictureView {
        let steps: [any Augmentation] = [
            try RandomResizedCrop(size: size, scale: scale, filter: .bicubic), try HorizontalFlip(),
            try ColorJitter(brightness: 0.4, contrast: 0.4, saturation: 0.2, hue: 0.1, probability: 0.8),
            try RandomGrayscale(probability: 0.2), try GaussianBlur(size: max(size / 10, 1) | 1, probability: blur),
            try RandomSolarize(probability: solarize),
        ]
        return PictureView(steps: steps, transform: try normalised(size, .bicubic, statistics))
    }

    /// Supervised training and masked modelling: crop, flip, RandAugment.
    public static func supervised(
        size: Int, scale: ClosedRange<Double> = 0.08...1, randAugment: RandAugment? = nil,
        statistics: Statistics = ImageTransform.Statistics.imageNet
    ) throws(DataError) -> PictureView {
        var steps: [any Augmentation] = [try RandomResizedCrop(size: size, scale: scale, filter: .bicubic), try HorizontalFlip()]
        if let randAugment { steps.append(randAugment) }
        return PictureView(steps: steps, transform: try normalised(size, .bicubic, statistics))
    }
}
