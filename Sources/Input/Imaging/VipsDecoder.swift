import CVips

#if canImport(Glibc)
    import Glibc
#endif

/// One picture through libvips: header, bounds, reduction, colour, pixels.
struct VipsDecoder {
    let bytes: [UInt8]
    let format: PictureFormat
    let useful: Int?
    let limits: DecodeLimits

    func decode() throws(PictureError) -> Picture { try run(pixels) }

    /// Calls `body` with the bytes; a failure is repeated alone, so that its reason isn't another picture's.
    private func run<Value>(_ body: (UnsafeRawBufferPointer) throws(PictureError) -> Value) throws(PictureError) -> Value {
        guard VipsRuntime.started else { throw PictureError(.io("libvips can't be started")) }
        if format == .svg { try SVGGuard.check(bytes, limits: limits) }
        do {
            return try VipsRuntime.lock.shared { () throws(PictureError) in try withBytes(body) }
        } catch {
            guard error.isFromLibrary else { throw error }
            return try VipsRuntime.lock.alone { () throws(PictureError) in
                vips_error_clear()
                return try withBytes(body)
            }
        }
    }

    private func withBytes<Value>(_ body: (UnsafeRawBufferPointer) throws(PictureError) -> Value) throws(PictureError) -> Value {
        var outcome: Result<Value, PictureError> = .failure(PictureError(.empty))
        bytes.withUnsafeBytes { raw in
            do throws(PictureError) { outcome = .success(try body(raw)) } catch { outcome = .failure(error) }
        }
        return try outcome.get()
    }

    private func orientation(of image: VipsHandle) -> Orientation {
        // HEIF's own transformations are applied by its loader, which leaves the EXIF copy of them behind.
        if format == .heif || format == .avif || format == .svg { return .upright }
        return Orientation(rawValue: Int(vips_image_get_orientation(image.pointer))) ?? .upright
    }

    private func pixels(of raw: UnsafeRawBufferPointer) throws(PictureError) -> Picture {
        // libwebp shows what it has of a file that is cut off: the length in the RIFF header tells.
        if format == .webp, raw.count >= 12,
            Int(UInt32(littleEndian: raw.loadUnaligned(fromByteOffset: 4, as: UInt32.self))) + 8 > raw.count + 1
        {
            throw PictureError(.truncated(format, "\(raw.count) bytes are fewer than the header declares"))
        }
        guard var image = open(raw, reduction: 1) else { throw failure() }
        if format != .svg || useful == nil { try limits.check(width: image.width, height: image.height) }
        let orientation = orientation(of: image)
        // A drawing has no pixels of its own.
        let source: (width: Int, height: Int)? = format == .svg ? nil : (image.width, image.height)
        let reduction = self.reduction(width: image.width, height: image.height)
        if reduction != 1 {
            guard let reduced = open(raw, reduction: reduction) else { throw failure() }
            image = reduced
            try limits.check(width: image.width, height: image.height)
        }
        guard let converted = try ColorConversion(image: image, format: format).srgb() else { throw failure() }
        let width = converted.width, height = converted.height, bands = converted.bands
        var count = 0
        guard let memory = vips_image_write_to_memory(converted.pointer, &count) else { throw failure() }
        defer { g_free(memory) }
        guard count == width * height * bands else {
            throw PictureError(.corrupt(format, "\(count) bytes of pixels for \(width)x\(height)x\(bands)"))
        }
        let samples = UnsafeBufferPointer(start: memory.assumingMemoryBound(to: UInt8.self), count: count)
        return orientation.apply(to: Picture(unchecked: flattened(samples, bands: bands), width: width, height: height, source: source))
    }

    /// How many times smaller than the header says to decode; below 1 it enlarges (SVG).
    func reduction(width: Int, height: Int) -> Double {
        guard let useful, width > 0, height > 0 else { return 1 }
        let short = Double(min(width, height)), long = Double(max(width, height))
        switch format {
        case .jpeg: return ShrinkOnLoad.jpeg(width: width, height: height, useful: useful)
        // libwebp rounds sides: a hair less keeps the promise.
        case .webp: return short >= Double(2 * useful + 1) * 1.5 ? short / Double(2 * useful + 1) : 1
        case .svg: return max(short / Double(useful), long / Double(VipsDecoder.longestDrawnSide))
        default: return 1
        }
    }

    /// A strip that is drawn with a useful shorter side must not become endless.
    static let longestDrawnSide = 8192

    private func open(_ raw: UnsafeRawBufferPointer, reduction: Double) -> VipsHandle? {
        var image: UnsafeMutablePointer<VipsImage>?
        let address = raw.baseAddress!, count = raw.count, fail = VIPS_FAIL_ON_ERROR
        let status =
            switch format {
            case .jpeg: sn_vips_load_jpeg(address, count, Int32(reduction), fail, &image)
            case .png: sn_vips_load_png(address, count, fail, &image)
            case .webp: sn_vips_load_webp(address, count, 1 / reduction, fail, &image)
            case .gif: sn_vips_load_gif(address, count, fail, &image)
            case .tiff: sn_vips_load_tiff(address, count, fail, &image)
            case .svg: sn_vips_load_svg(address, count, 1 / reduction, fail, &image)
            case .heif, .avif: sn_vips_load_heif(address, count, fail, &image)
            case .bmp: Int32(-1)
            }
        guard status == 0, let image else { return nil }
        return VipsHandle(image)
    }

    /// The reason that libvips left behind.
    private func failure() -> PictureError {
        let text = VipsRuntime.takeError()
        let lower = text.lowercased()
        if ["truncated", "premature end", "end of file", "end of stream", "eof", "unexpected end", "not enough", "read error"].contains(
            where: lower.contains)
        {
            return PictureError(.truncated(format, text))
        }
        if ["unsupported", "not supported", "no decoding plugin", "not implemented", "class \"heifload"].contains(where: lower.contains) {
            return PictureError(.unsupported(format.description, text))
        }
        return PictureError(.corrupt(format, text.isEmpty ? "the decoder gave no reason" : text))
    }

    /// Grey to RGB, alpha over white.
    private func flattened(_ source: UnsafeBufferPointer<UInt8>, bands: Int) -> [UInt8] {
        if bands == 3 { return Array(source) }
        let count = source.count / bands
        return [UInt8](unsafeUninitializedCapacity: count * 3) { target, written in
            for pixel in 0..<count {
                let from = source.baseAddress! + pixel * bands
                let to = target.baseAddress! + pixel * 3
                let alpha = bands == 2 ? from[1] : bands == 4 ? from[3] : 255
                for channel in 0..<3 { (to + channel).initialize(to: VipsDecoder.overWhite(from[bands < 3 ? 0 : channel], alpha)) }
            }
            written = count * 3
        }
    }

    @inline(__always) static func overWhite(_ value: UInt8, _ alpha: UInt8) -> UInt8 {
        let sum = UInt32(value) * UInt32(alpha) + 255 * (255 - UInt32(alpha))
        return UInt8((sum + 127) / 255)
    }
}

extension VipsDecoder {
    /// Size and metadata; no pixel is decoded.
    func header() throws(PictureError) -> PictureHeader {
        try run(header(of:))
    }

    private func header(of raw: UnsafeRawBufferPointer) throws(PictureError) -> PictureHeader {
        guard let image = open(raw, reduction: 1) else { throw failure() }
        let orientation = orientation(of: image)
        let (width, height) = orientation.swapsSides ? (image.height, image.width) : (image.width, image.height)
        return PictureHeader(
            width: width, height: height, exif: image.blob("exif-data", limit: 1 << 20), xmp: image.blob("xmp-data", limit: 4 << 20),
            iptc: image.blob("iptc-data", limit: 4 << 20), comments: format == .png ? comments(image) : [])
    }

    /// libvips names them `png-comment-NUMBER-KEY`.
    private func comments(_ image: VipsHandle) -> [(key: String, value: String)] {
        guard let names = vips_image_get_fields(image.pointer) else { return [] }
        defer { g_strfreev(names) }
        var found: [(key: String, value: String)] = []
        var index = 0
        while let name = names[index], found.count < 64 {
            index += 1
            let field = String(cString: name)
            guard field.hasPrefix("png-comment-"), let dash = field.dropFirst(12).firstIndex(of: "-") else { continue }
            var value: UnsafePointer<CChar>?
            guard vips_image_get_string(image.pointer, name, &value) == 0, let value else { continue }
            let bytes = UnsafeRawBufferPointer(start: value, count: strnlen(value, MetadataText.longest * 4))
            if let text = MetadataText.clean([UInt8](bytes)[...]) { found.append((String(field[field.index(after: dash)...]), text)) }
        }
        return found
    }
}
