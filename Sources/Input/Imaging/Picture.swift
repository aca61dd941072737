import CKernels
import Tensors

/// An 8-bit sRGB picture: interleaved `[height, width, 3]`, at least one pixel.
public struct Picture: Sendable, Equatable {
    public let width: Int
    public let height: Int
    /// `height * width * 3` bytes, row by row, red first.
    public let pixels: [UInt8]
    /// The sides that the file has, where decoding made fewer pixels of them. What a transform resizes to follows from these: half a
    /// pixel of rounding would move its crop.
    package let sourceWidth: Int
    package let sourceHeight: Int

    /// Throws `PictureError.invalid` when the sides aren't positive or `pixels` isn't `width * height * 3` long.
    public init(width: Int, height: Int, pixels: [UInt8]) throws(PictureError) {
        guard width > 0, height > 0, let count = Picture.byteCount(width: width, height: height), count == pixels.count else {
            throw PictureError(.invalid("\(pixels.count) bytes don't make a picture of \(width)x\(height) with three channels"))
        }
        self.init(unchecked: pixels, width: width, height: height)
    }

    /// For code that has made `width * height * 3` bytes itself.
    package init(unchecked pixels: [UInt8], width: Int, height: Int, source: (width: Int, height: Int)? = nil) {
        assert(pixels.count == width * height * 3)
        self.width = width
        self.height = height
        self.pixels = pixels
        sourceWidth = source?.width ?? width
        sourceHeight = source?.height ?? height
    }

    /// The pixels as a u8 tensor `[height, width, 3]`.
    public var tensor: Tensor {
        Tensor.make([height, width, 3], .u8) { target in pixels.withUnsafeBytes { target.copyMemory(from: $0) } }
    }

    static func byteCount(width: Int, height: Int) -> Int? {
        let (area, overflow) = width.multipliedReportingOverflow(by: height)
        let (bytes, overflows) = area.multipliedReportingOverflow(by: 3)
        return overflow || overflows ? nil : bytes
    }

    /// The part that starts at column `x` and row `y`.
    /// Throws `PictureError.invalid` when it doesn't lie inside the picture.
    public func cropped(x: Int, y: Int, width newWidth: Int, height newHeight: Int) throws(PictureError) -> Picture {
        guard x >= 0, y >= 0, newWidth > 0, newHeight > 0, newWidth <= width, newHeight <= height,
            x <= width - newWidth, y <= height - newHeight
        else {
            throw PictureError(.invalid("a crop of \(newWidth)x\(newHeight) at (\(x), \(y)) lies outside a picture of \(width)x\(height)"))
        }
        let rowBytes = newWidth * 3
        let part = [UInt8](unsafeUninitializedCapacity: newHeight * rowBytes) { target, count in
            pixels.withUnsafeBufferPointer { source in
                for row in 0..<newHeight {
                    (target.baseAddress! + row * rowBytes).initialize(
                        from: source.baseAddress! + ((y + row) * width + x) * 3, count: rowBytes)
                }
            }
            count = newHeight * rowBytes
        }
        return Picture(unchecked: part, width: newWidth, height: newHeight)
    }

    /// The picture with exactly these sides. Equals Pillow's `Image.resize(..., reducing_gap=None)` byte for byte.
    /// Throws `PictureError.invalid` when a side isn't in `1...Picture.longestResizedSide`.
    public func resized(width newWidth: Int, height newHeight: Int, filter: ResizeFilter = .bicubic) throws(PictureError) -> Picture {
        guard (1...Picture.longestResizedSide).contains(newWidth), (1...Picture.longestResizedSide).contains(newHeight) else {
            throw PictureError(
                .invalid("can't resize to \(newWidth)x\(newHeight): each side must be 1 to \(Picture.longestResizedSide) pixels"))
        }
        if newWidth == width && newHeight == height { return self }
        return Resampling.resize(self, to: Resampling.Frame(width: newWidth, height: newHeight), filter: filter)
    }

    /// Guards against a configuration that asks for an absurd size.
    public static let longestResizedSide = 32768

    /// A copy whose longer side is at most `longestSide` pixels; a smaller picture comes back as it is.
    public func thumbnail(longestSide: Int) throws(PictureError) -> Picture {
        guard longestSide > 0 else {
            throw PictureError(.invalid("the longest side of a thumbnail must be at least 1 pixel, found \(longestSide)"))
        }
        guard max(width, height) > longestSide else { return self }
        let scale = Double(longestSide) / Double(max(width, height))
        func scaled(_ side: Int) -> Int { max(1, Int((Double(side) * scale).rounded())) }
        return try resized(width: scaled(width), height: scaled(height), filter: .lanczos)
    }
}
