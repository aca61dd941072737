import CZlib
import Foundation
import Tensors

/// Unpacks a gzip file, checksum verified by zlib.
public enum Gzip {
    /// - Parameter limit: bytes beyond which the file is refused.
    public static func unpack(_ path: String, to target: String, limit: Int = 1 << 30) throws(CheckpointError) {
        let source = try Storage.checkpoint(path)
        let file = try AtomicFile(path: target)
        func wrong(_ problem: String) -> CheckpointError { .malformed(file: path, field: "gzip", offset: nil, problem: problem) }
        var stream = z_stream()
        guard inflateInit2_(&stream, 15 + 16, ZLIB_VERSION, Int32(MemoryLayout<z_stream>.size)) == Z_OK else {
            throw wrong("zlib can't start")
        }
        defer { inflateEnd(&stream) }
        let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: 1 << 18, alignment: 16)
        defer { buffer.deallocate() }
        var position = 0, status = Z_OK
        while status != Z_STREAM_END {
            let chunk = min(source.byteCount - position, 1 << 28)
            stream.next_in = UnsafeMutablePointer(mutating: (source.pointer + position).assumingMemoryBound(to: UInt8.self))
            stream.avail_in = UInt32(chunk)
            stream.next_out = buffer.baseAddress!.assumingMemoryBound(to: UInt8.self)
            stream.avail_out = UInt32(buffer.count)
            status = inflate(&stream, Z_NO_FLUSH)
            position += chunk - Int(stream.avail_in)
            let count = buffer.count - Int(stream.avail_out)
            guard status == Z_OK || status == Z_STREAM_END, count > 0 || status == Z_STREAM_END else {
                throw wrong("its bytes are damaged or cut off")
            }
            guard file.byteCount + count <= limit else { throw wrong("it unpacks to more than \(limit) bytes") }
            try file.write(UnsafeRawBufferPointer(start: buffer.baseAddress, count: count))
        }
        try file.commit()
    }
}
