import CVips

/// What `Picture.encoded(as:)` writes.
public enum PictureEncoding: Sendable, Equatable {
    /// Quality 1 to 100.
    case jpeg(quality: Int = 85)
    /// Effort 0 to 9.
    case png(compression: Int = 6)
    /// Quality 1 to 100.
    case webp(quality: Int = 80)
    case losslessWebP
}

extension Picture {
    /// The bytes of a file without metadata. Throws `PictureError.io` when the encoder refuses (WebP: sides over 16,383).
    public func encoded(as encoding: PictureEncoding) throws(PictureError) -> [UInt8] {
        guard VipsRuntime.started else { throw PictureError(.io("libvips can't be started")) }
        return try VipsRuntime.lock.shared { () throws(PictureError) in
            var memory: UnsafeMutableRawPointer?
            var count = 0
            let status = pixels.withUnsafeBytes { source -> Int32 in
                let image = vips_image_new_from_memory(source.baseAddress!, source.count, Int32(width), Int32(height), 3, VIPS_FORMAT_UCHAR)
                guard let handle = image.map(VipsHandle.init),
                    let labelled = handle.map({ sn_vips_relabel($0, VIPS_INTERPRETATION_sRGB, $1) })
                else { return -1 }
                return Picture.save(labelled.pointer, encoding, &memory, &count)
            }
            guard status == 0, let memory else { throw PictureError(.io("encoding failed: \(VipsRuntime.takeError())")) }
            defer { g_free(memory) }
            return [UInt8](UnsafeRawBufferPointer(start: memory, count: count))
        }
    }

    private static func save(
        _ image: UnsafeMutablePointer<VipsImage>, _ encoding: PictureEncoding, _ memory: inout UnsafeMutableRawPointer?, _ count: inout Int
    ) -> Int32 {
        func bounded(_ value: Int, _ range: ClosedRange<Int>) -> Int32 { Int32(min(max(value, range.lowerBound), range.upperBound)) }
        return switch encoding {
        case let .jpeg(quality): sn_vips_save_jpeg(image, bounded(quality, 1...100), &memory, &count)
        case let .png(compression): sn_vips_save_png(image, bounded(compression, 0...9), &memory, &count)
        case let .webp(quality): sn_vips_save_webp(image, bounded(quality, 1...100), 0, &memory, &count)
        case .losslessWebP: sn_vips_save_webp(image, 100, 1, &memory, &count)
        }
    }
}
