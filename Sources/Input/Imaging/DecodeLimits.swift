/// Bounds on what a file may make the decoder do; checked on the header before a pixel is decoded.
public struct DecodeLimits: Sendable, Equatable {
    /// Pixels that the header may declare, before any shrinking. 2^28 lets the 200-megapixel pictures of telephones through.
    public var pixels: Int
    /// Bytes of the file.
    public var fileBytes: Int
    /// Longest side in pixels.
    public var side: Int
    /// Bytes of an SVG text: its cost is that of interpreting a document.
    public var svgBytes: Int

    public init(pixels: Int = 1 << 28, fileBytes: Int = 1 << 30, side: Int = 65_500, svgBytes: Int = 32 << 20) {
        self.pixels = pixels
        self.fileBytes = fileBytes
        self.side = side
        self.svgBytes = svgBytes
    }

    func check(width: Int, height: Int) throws(PictureError) {
        let (area, overflow) = width.multipliedReportingOverflow(by: height)
        guard !overflow, area <= pixels, width <= side, height <= side else {
            throw PictureError(.tooLarge(width: width, height: height, limit: pixels))
        }
    }
}
