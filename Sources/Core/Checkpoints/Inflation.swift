import CZlib

/// Unpacks deflated bytes.
enum Inflation {
    /// What stands around the deflated bytes: zlib's number for it.
    enum Container: Int32 {
        /// Nothing, as in a zip archive.
        case none = -15
        /// A header, and a checksum that zlib compares.
        case gzip = 31
    }

    /// Hands on what is unpacked, in chunks, until the deflated data end.
    /// - Parameter damaged: makes the error for bytes that can't be unpacked.
    static func unpack(
        _ source: UnsafeRawBufferPointer, _ container: Container, damaged: (String) -> CheckpointError,
        _ body: (UnsafeRawBufferPointer) throws(CheckpointError) -> Void
    ) throws(CheckpointError) {
        var stream = z_stream()
        guard inflateInit2_(&stream, container.rawValue, ZLIB_VERSION, Int32(MemoryLayout<z_stream>.size)) == Z_OK else {
            throw damaged("zlib can't start")
        }
        defer { inflateEnd(&stream) }
        let buffer = UnsafeMutableBufferPointer<UInt8>.allocate(capacity: 1 << 18)
        defer { buffer.deallocate() }
        let bytes = source.bindMemory(to: UInt8.self)
        var position = 0, status = Z_OK
        while status != Z_STREAM_END {
            // zlib counts in 32 bits.
            let chunk = min(bytes.count - position, 1 << 28)
            stream.next_in = bytes.baseAddress.map { UnsafeMutablePointer(mutating: $0 + position) }
            stream.avail_in = UInt32(chunk)
            stream.next_out = buffer.baseAddress
            stream.avail_out = UInt32(buffer.count)
            status = inflate(&stream, Z_NO_FLUSH)
            position += chunk - Int(stream.avail_in)
            let count = buffer.count - Int(stream.avail_out)
            guard status == Z_OK || status == Z_STREAM_END, count > 0 || status == Z_STREAM_END else {
                throw damaged("its bytes are damaged or cut off")
            }
            if count > 0 { try body(UnsafeRawBufferPointer(rebasing: UnsafeRawBufferPointer(buffer)[..<count])) }
        }
    }
}
