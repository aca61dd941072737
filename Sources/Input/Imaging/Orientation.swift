/// The eight ways that EXIF says a camera was held.
public enum Orientation: Int, Sendable {
    case upright = 1, mirrored, rotated180, flipped, transposed, rotated90, transversed, rotated270

    /// Whether width and height change places.
    public var swapsSides: Bool { rawValue >= 5 }

    /// The picture as it should be seen.
    func apply(to picture: Picture) -> Picture {
        if self == .upright { return picture }
        let width = picture.width, height = picture.height
        let newWidth = swapsSides ? height : width, newHeight = swapsSides ? width : height
        // Where the first pixel of the result comes from and how far to go for the next one of a row and of a column.
        let last = (x: (width - 1) * 3, y: (height - 1) * width * 3)
        let (start, right, down) =
            switch self {
            case .upright: (0, 3, width * 3)
            case .mirrored: (last.x, -3, width * 3)
            case .rotated180: (last.y + last.x, -3, -width * 3)
            case .flipped: (last.y, 3, -width * 3)
            case .transposed: (0, width * 3, 3)
            case .rotated90: (last.y, -width * 3, 3)
            case .transversed: (last.y + last.x, -width * 3, -3)
            case .rotated270: (last.x, width * 3, -3)
            }
        let pixels = [UInt8](unsafeUninitializedCapacity: picture.pixels.count) { target, count in
            picture.pixels.withUnsafeBufferPointer { source in
                var to = target.baseAddress!
                for y in 0..<newHeight {
                    var from = start + y * down
                    for _ in 0..<newWidth {
                        (to, from) = (copyPixel(source, from, to), from + right)
                    }
                }
            }
            count = picture.pixels.count
        }
        let source = (picture.sourceWidth, picture.sourceHeight)
        return Picture(
            unchecked: pixels, width: newWidth, height: newHeight, source: swapsSides ? (source.1, source.0) : source)
    }

    @inline(__always)
    private func copyPixel(
        _ source: UnsafeBufferPointer<UInt8>, _ from: Int, _ to: UnsafeMutablePointer<UInt8>
    ) -> UnsafeMutablePointer<UInt8> {
        to.initialize(to: source[from])
        (to + 1).initialize(to: source[from + 1])
        (to + 2).initialize(to: source[from + 2])
        return to + 3
    }
}
