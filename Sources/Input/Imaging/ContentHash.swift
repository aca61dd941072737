import CVips

#if canImport(Glibc)
    import Glibc
#endif

/// SHA-256 of a file's bytes: equal files have equal hashes wherever they lie.
public struct ContentHash: Sendable, Hashable, CustomStringConvertible {
    /// 32 bytes.
    public let bytes: [UInt8]

    /// nil unless there are 32 bytes.
    public init?(bytes: [UInt8]) {
        guard bytes.count == 32 else { return nil }
        self.bytes = bytes
    }

    /// 64 hexadecimal digits.
    public var hex: String {
        let digits = Array("0123456789abcdef".utf8)
        return String(decoding: bytes.flatMap { [digits[Int($0 >> 4)], digits[Int($0 & 15)]] }, as: UTF8.self)
    }

    public var description: String { hex }

    /// The hash of bytes in memory.
    public init(of content: [UInt8]) {
        let checksum = Checksum()
        content.withUnsafeBytes { checksum.update($0) }
        bytes = checksum.digest()
    }

    /// The hash of a file, read in pieces.
    public init(ofFile path: FilePath) throws(PictureError) {
        bytes = try path.withDescriptor { (descriptor, _) throws(PictureError) in
            let checksum = Checksum()
            let piece = UnsafeMutableRawBufferPointer.allocate(byteCount: 1 << 18, alignment: 64)
            defer { piece.deallocate() }
            while true {
                var count = 0
                let failed = readFully(descriptor, piece, &count)
                guard failed == 0 else { throw PictureError(.io(String(cString: strerror(failed))), file: path.description) }
                checksum.update(UnsafeRawBufferPointer(rebasing: UnsafeRawBufferPointer(piece)[..<count]))
                if count < piece.count { return checksum.digest() }
            }
        }
    }
}

/// GLib's SHA-256.
private final class Checksum {
    private let state = g_checksum_new(G_CHECKSUM_SHA256)

    deinit { g_checksum_free(state) }

    func update(_ bytes: UnsafeRawBufferPointer) {
        guard let base = bytes.baseAddress else { return }
        g_checksum_update(state, base.assumingMemoryBound(to: guchar.self), bytes.count)
    }

    func digest() -> [UInt8] {
        var length = gsize(32)
        return [UInt8](unsafeUninitializedCapacity: 32) { buffer, count in
            g_checksum_get_digest(state, buffer.baseAddress, &length)
            count = Int(length)
        }
    }
}
