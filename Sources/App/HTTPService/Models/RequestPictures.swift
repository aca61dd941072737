import Imaging
import PictureLibrary

/// Decodes pictures from outside within the service's limits.
struct RequestPictures: Sendable {
    let limits: ServiceSettings.Limits

    private var decoding: DecodeLimits { DecodeLimits(pixels: limits.pixels, fileBytes: limits.body, svgBytes: 1 << 20) }

    /// - Parameter shortestUsefulSide: as `PictureDecoder` has it.
    func decode(_ bytes: [UInt8], shortestUsefulSide: Int? = nil) throws(PictureError) -> Picture {
        try PictureDecoder.decode(bytes: bytes, shortestUsefulSide: shortestUsefulSide, limits: decoding)
    }
}
