import Imaging

extension ImageTransform {
    /// Mean and deviation of each channel.
    public typealias PixelStatistics = (mean: [Double], deviation: [Double])

    /// Shorter side to `side`, then a centre crop: CLIP, DINOv2, ResNet.
    public static func shortestEdge(
        _ side: Int, crop: Int, filter: ResizeFilter, statistics: PixelStatistics
    ) throws(PictureError) -> ImageTransform {
        try ImageTransform(
            resize: .shortestEdge(side), filter: filter, crop: Crop(height: crop, width: crop), mean: statistics.mean,
            deviation: statistics.deviation)
    }

    /// Both sides to `side` whatever the shape: ViT, SigLIP, cn_clip.
    public static func squash(_ side: Int, filter: ResizeFilter, statistics: PixelStatistics) throws(PictureError) -> ImageTransform {
        try ImageTransform(
            resize: .exact(height: side, width: side), filter: filter, mean: statistics.mean, deviation: statistics.deviation)
    }
}
