import Imaging

/// Mean and deviation of the pixels that families were trained with.
public struct PixelStatistics: Sendable, Hashable {
    public var mean: [Double]
    public var deviation: [Double]

    public static let imageNet = PixelStatistics(mean: [0.485, 0.456, 0.406], deviation: [0.229, 0.224, 0.225])
    public static let clip = PixelStatistics(mean: [0.48145466, 0.4578275, 0.40821073], deviation: [0.26862954, 0.26130258, 0.27577711])
    public static let half = PixelStatistics(mean: [0.5, 0.5, 0.5], deviation: [0.5, 0.5, 0.5])
}

extension ImageTransform {
    /// Shorter side to `side`, then a centre crop: CLIP, DINOv2, ResNet.
    public static func shortestEdge(_ side: Int, crop: Int, filter: ResizeFilter, mean: PixelStatistics) throws(PictureError) -> ImageTransform {
        try ImageTransform(resize: .shortestEdge(side), filter: filter, crop: Crop(height: crop, width: crop), mean: mean.mean, deviation: mean.deviation)
    }

    /// Both sides to `side` whatever the shape: ViT, SigLIP, cn_clip.
    public static func squash(_ side: Int, filter: ResizeFilter, mean: PixelStatistics) throws(PictureError) -> ImageTransform {
        try ImageTransform(resize: .exact(height: side, width: side), filter: filter, mean: mean.mean, deviation: mean.deviation)
    }
}
