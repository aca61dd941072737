import CJPEG

#if canImport(Glibc)
    import Glibc
#endif

/// Grey, YCbCr and RGB JPEGs in sRGB: nearly every photograph. What needs colour management is left to libvips.
struct JPEGDecoder {
    let bytes: [UInt8]
    let useful: Int?
    let limits: DecodeLimits

    /// nil for a picture that `VipsDecoder` must read.
    func decode() throws(PictureError) -> Picture? {
        var outcome: Result<Picture?, PictureError> = .success(nil)
        bytes.withUnsafeBytes { raw in
            do throws(PictureError) { outcome = .success(try picture(raw)) } catch { outcome = .failure(error) }
        }
        return try outcome.get()
    }

    private func picture(_ raw: UnsafeRawBufferPointer) throws(PictureError) -> Picture? {
        guard let start = raw.baseAddress, let jpeg = sn_jpeg_open(start, raw.count) else { throw PictureError(.io("no memory is left")) }
        defer { sn_jpeg_close(jpeg) }
        try check(sn_jpeg_state(jpeg), jpeg)
        let full = size(jpeg, reduction: 1)
        try limits.check(width: full.width, height: full.height)
        guard sn_jpeg_is_plain(jpeg), isSRGB(jpeg) else { return nil }
        let reduction = Int(ShrinkOnLoad.jpeg(width: full.width, height: full.height, useful: useful))
        let (width, height) = size(jpeg, reduction: reduction)
        var status = SN_JPEG_FINE
        let pixels = [UInt8](unsafeUninitializedCapacity: width * height * 3) { target, count in
            status = sn_jpeg_pixels(jpeg, Int32(reduction), target.baseAddress!)
            count = status == SN_JPEG_FINE ? width * height * 3 : 0
        }
        try check(status, jpeg)
        return orientation(jpeg).apply(to: Picture(unchecked: pixels, width: width, height: height, source: full))
    }

    private func check(_ status: sn_jpeg_status, _ jpeg: OpaquePointer) throws(PictureError) {
        if status == SN_JPEG_FINE { return }
        let reason = String(cString: sn_jpeg_reason(jpeg))
        if status == SN_JPEG_TRUNCATED { throw PictureError(.truncated(.jpeg, reason)) }
        throw PictureError(reason.hasPrefix("Unsupported") ? .unsupported("JPEG", reason) : .corrupt(.jpeg, reason))
    }

    private func size(_ jpeg: OpaquePointer, reduction: Int) -> (width: Int, height: Int) {
        var width: Int32 = 0, height: Int32 = 0
        sn_jpeg_size(jpeg, Int32(reduction), &width, &height)
        return (Int(width), Int(height))
    }

    private func isSRGB(_ jpeg: OpaquePointer) -> Bool {
        guard sn_jpeg_has_profile(jpeg) else { return true }
        var count = 0
        guard let data = sn_jpeg_profile(jpeg, &count) else { return false }
        defer { free(data) }
        return count <= ColorProfile.longest && ColorProfile(bytes: [UInt8](UnsafeBufferPointer(start: data, count: count))).isSRGB
    }

    private func orientation(_ jpeg: OpaquePointer) -> Orientation {
        var count = 0
        guard let data = sn_jpeg_exif(jpeg, &count) else { return .upright }
        return EXIF([UInt8](UnsafeBufferPointer(start: data, count: count)))?.orientation ?? .upright
    }
}
