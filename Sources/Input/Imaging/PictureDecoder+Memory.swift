extension PictureDecoder {
    /// Bytes that `decode` takes beside the file's own, about: pixels, their copies, and the coefficients of a progressive JPEG.
    /// - Parameter metadata: of these bytes.
    public static func memory(for metadata: PictureMetadata, bytes: [UInt8], shortestUsefulSide: Int? = nil) -> Int {
        let pixels = Double(metadata.width) * Double(metadata.height)
        let short = Double(min(metadata.width, metadata.height))
        let needed: Double
        switch metadata.format {
        case .jpeg:
            let reduction = ShrinkOnLoad.jpeg(width: metadata.width, height: metadata.height, useful: shortestUsefulSide)
            needed = pixels * 3 / (reduction * reduction) + (isProgressiveJPEG(bytes) ? pixels * 6 : 0)
        case .webp:
            let reduction = shortestUsefulSide.map { max(1, short / Double(2 * $0 + 1)) } ?? 1
            needed = pixels * 7 / (reduction * reduction)
        case .svg:
            let scale = shortestUsefulSide.map { Double($0) / max(short, 1) } ?? 1
            needed = pixels * scale * scale * 7
        case .bmp: needed = pixels * 3
        case .png, .gif, .tiff, .heif, .avif: needed = pixels * 7
        }
        return Int(min(needed, Double(Int.max / 2)))
    }

    /// Whether a frame of progressive scans (SOF2, SOF6, SOF10, SOF14 of ITU T.81) comes before the first scan.
    package static func isProgressiveJPEG(_ bytes: [UInt8]) -> Bool {
        var place = 2
        while place + 3 < bytes.count, bytes[place] == 0xFF {
            let marker = bytes[place + 1]
            if marker == 0xFF {
                place += 1
                continue
            }
            if [0xC2, 0xC6, 0xCA, 0xCE].contains(marker) { return true }
            if marker == 0xDA || marker == 0xC0 || marker == 0xC1 { return false }
            place += 2 + (Int(bytes[place + 2]) << 8 | Int(bytes[place + 3]))
        }
        return false
    }
}
