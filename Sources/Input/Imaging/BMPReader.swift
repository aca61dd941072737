/// Windows bitmaps of 1 to 32 bits, plain, run-length encoded or with bit masks. libvips reads them only through ImageMagick,
/// whose hundred formats are no place to send hostile bytes to. Layout: BITMAPFILEHEADER and its successors, Windows GDI reference.
struct BMPReader {
    private let bytes: [UInt8]
    let width: Int
    let height: Int
    private let bits: Int
    private let compression: Int
    private let topDown: Bool
    private let dataOffset: Int
    private var palette: [(UInt8, UInt8, UInt8)] = []
    /// Red, green, blue and alpha for 16 and 32 bits.
    private var masks: [UInt32] = []

    private enum Compression {
        static let none = 0, runs8 = 1, runs4 = 2, masks = 3, alphaMasks = 6
    }

    static func decode(_ bytes: [UInt8], limits: DecodeLimits) throws(PictureError) -> Picture {
        let reader = try BMPReader(bytes)
        try limits.check(width: reader.width, height: reader.height)
        return try reader.picture()
    }

    /// Reads the headers only.
    init(_ bytes: [UInt8]) throws(PictureError) {
        self.bytes = bytes
        func word(_ offset: Int) throws(PictureError) -> Int {
            guard offset >= 0, offset + 4 <= bytes.count else {
                throw PictureError(.truncated(.bmp, "the header ends at byte \(bytes.count)"))
            }
            return Int(bytes[offset]) | Int(bytes[offset + 1]) << 8 | Int(bytes[offset + 2]) << 16 | Int(bytes[offset + 3]) << 24
        }
        dataOffset = try word(10)
        let headerSize = try word(14)
        let isCore = headerSize == 12
        let sides =
            isCore
            ? (try word(18) & 0xFFFF, try word(18) >> 16)
            : (Int(Int32(truncatingIfNeeded: try word(18))), Int(Int32(truncatingIfNeeded: try word(22))))
        width = sides.0
        height = abs(sides.1)
        topDown = sides.1 < 0
        bits = isCore ? try word(22) >> 16 : try word(26) >> 16
        compression = isCore ? Compression.none : try word(30)
        guard width > 0, height > 0 else { throw PictureError(.corrupt(.bmp, "sides of \(sides.0)x\(sides.1)")) }
        try checkKind()
        if compression == Compression.masks || compression == Compression.alphaMasks {
            for index in 0..<(headerSize >= 56 || compression == Compression.alphaMasks ? 4 : 3) {
                masks.append(UInt32(try word(54 + index * 4)))
            }
        } else if bits == 16 {
            masks = [0x7C00, 0x03E0, 0x001F]
        }
        if bits <= 8 { palette = try readPalette(at: 14 + headerSize, entry: isCore ? 3 : 4, declared: isCore ? 0 : try word(46)) }
    }

    private func checkKind() throws(PictureError) {
        let known: Bool =
            switch compression {
            case Compression.none: [1, 4, 8, 16, 24, 32].contains(bits)
            case Compression.runs8: bits == 8 && !topDown
            case Compression.runs4: bits == 4 && !topDown
            case Compression.masks, Compression.alphaMasks: bits == 16 || bits == 32
            default: false
            }
        guard known else { throw PictureError(.unsupported("BMP", "\(bits) bits a pixel with compression \(compression)")) }
    }

    private func readPalette(at start: Int, entry: Int, declared: Int) throws(PictureError) -> [(UInt8, UInt8, UInt8)] {
        let count = declared == 0 ? 1 << bits : min(declared, 1 << bits)
        guard start >= 0, start + count * entry <= bytes.count else {
            throw PictureError(.truncated(.bmp, "the palette ends at byte \(bytes.count)"))
        }
        return (0..<count).map { (bytes[start + $0 * entry + 2], bytes[start + $0 * entry + 1], bytes[start + $0 * entry]) }
    }

    private func picture() throws(PictureError) -> Picture {
        if compression == Compression.runs4 || compression == Compression.runs8 { return try runLengths() }
        let rowBytes = (width * bits + 31) / 32 * 4
        let (needed, overflow) = rowBytes.multipliedReportingOverflow(by: height)
        guard !overflow, dataOffset >= 14, dataOffset <= bytes.count,
            needed - (rowBytes - (width * bits + 7) / 8) <= bytes.count - dataOffset
        else {
            throw PictureError(.truncated(.bmp, "\(max(bytes.count - dataOffset, 0)) of \(needed) bytes of pixels"))
        }
        var pixels = [UInt8](repeating: 0, count: width * height * 3)
        for y in 0..<height {
            let row = dataOffset + (topDown ? y : height - 1 - y) * rowBytes
            switch bits {
            case 24: copyRow24(row, y, &pixels)
            case 16, 32: try copyRowMasked(row, y, &pixels)
            default: copyRowIndexed(row, y, &pixels)
            }
        }
        return Picture(unchecked: pixels, width: width, height: height)
    }

    private func copyRow24(_ row: Int, _ y: Int, _ pixels: inout [UInt8]) {
        for x in 0..<width {
            let from = row + x * 3, to = (y * width + x) * 3
            (pixels[to], pixels[to + 1], pixels[to + 2]) = (bytes[from + 2], bytes[from + 1], bytes[from])
        }
    }

    private func copyRowIndexed(_ row: Int, _ y: Int, _ pixels: inout [UInt8]) {
        for x in 0..<width {
            let byte = Int(bytes[row + x * bits / 8])
            set(&pixels, x, y, bits == 8 ? byte : bits == 4 ? (x & 1 == 0 ? byte >> 4 : byte & 15) : byte >> (7 - x & 7) & 1)
        }
    }

    private func set(_ pixels: inout [UInt8], _ x: Int, _ y: Int, _ index: Int) {
        let color = index < palette.count ? palette[index] : (0, 0, 0)
        let to = (y * width + x) * 3
        (pixels[to], pixels[to + 1], pixels[to + 2]) = color
    }

    private func copyRowMasked(_ row: Int, _ y: Int, _ pixels: inout [UInt8]) throws(PictureError) {
        let masks = self.masks.isEmpty ? [0xFF0000, 0xFF00, 0xFF] : self.masks
        for x in 0..<width {
            let from = row + x * bits / 8, to = (y * width + x) * 3
            var value = UInt32(bytes[from]) | UInt32(bytes[from + 1]) << 8
            if bits == 32 { value |= UInt32(bytes[from + 2]) << 16 | UInt32(bytes[from + 3]) << 24 }
            let alpha = masks.count > 3 && masks[3] != 0 ? BMPReader.channel(value, masks[3]) : 255
            for channel in 0..<3 { pixels[to + channel] = VipsDecoder.overWhite(BMPReader.channel(value, masks[channel]), alpha) }
        }
    }

    /// The bits under a mask, stretched to 0...255.
    private static func channel(_ value: UInt32, _ mask: UInt32) -> UInt8 {
        guard mask != 0 else { return 0 }
        let shift = UInt32(mask.trailingZeroBitCount)
        let largest = UInt64(mask >> shift)
        return UInt8(min((UInt64((value & mask) >> shift) * 255 + largest / 2) / largest, 255))
    }

    /// The first colour everywhere.
    private func blank() -> [UInt8] {
        // Eight bytes can't tell of more than 255 pixels each pair, but jumps can make a small file large: rows bound that.
        var pixels = [UInt8](repeating: 0, count: width * height * 3)
        if palette.first.map({ $0 != (0, 0, 0) }) ?? false {
            for y in 0..<height { for x in 0..<width { set(&pixels, x, y, 0) } }
        }
        return pixels
    }

    /// Runs of equal indices, literal stretches and jumps. Pixels that the data jumps over keep the first colour.
    private func runLengths() throws(PictureError) -> Picture {
        var pixels = blank()
        var x = 0, y = 0, at = dataOffset
        func next() throws(PictureError) -> Int {
            guard at >= 0, at < bytes.count else { throw PictureError(.truncated(.bmp, "runs end at byte \(bytes.count)")) }
            defer { at += 1 }
            return Int(bytes[at])
        }
        func put(_ index: Int) {
            if x < width, y < height { set(&pixels, x, height - 1 - y, index) }
            x += 1
        }
        while y < height {
            let count = try next(), value = try next()
            if count > 0 {
                for i in 0..<count { put(bits == 8 ? value : i & 1 == 0 ? value >> 4 : value & 15) }
                continue
            }
            switch value {
            case 0: (x, y) = (0, y + 1)
            case 1: y = height
            case 2: (x, y) = (x + (try next()), y + (try next()))
            default:
                let length = bits == 8 ? value : (value + 1) / 2
                for i in 0..<length {
                    let byte = try next()
                    if bits == 8 {
                        put(byte)
                    } else {
                        put(byte >> 4)
                        if i * 2 + 1 < value { put(byte & 15) }
                    }
                }
                if length & 1 == 1 { _ = try next() }
            }
        }
        return Picture(unchecked: pixels, width: width, height: height)
    }
}
