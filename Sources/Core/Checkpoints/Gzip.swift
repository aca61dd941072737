import Tensors

/// Unpacks a gzip file, checksum verified by zlib.
public enum Gzip {
    /// - Parameter limit: bytes beyond which the file is refused.
    public static func unpack(_ path: String, to target: String, limit: Int = 1 << 30) throws(CheckpointError) {
        let source = try Storage.checkpoint(path)
        let file = try AtomicFile(path: target)
        func wrong(_ problem: String) -> CheckpointError { .malformed(file: path, field: "gzip", offset: nil, problem: problem) }
        let bytes = UnsafeRawBufferPointer(start: source.pointer, count: source.byteCount)
        try Inflation.unpack(bytes, .gzip, damaged: wrong) { (piece) throws(CheckpointError) in
            guard file.byteCount + piece.count <= limit else { throw wrong("it unpacks to more than \(limit) bytes") }
            try file.write(piece)
        }
        withExtendedLifetime(source) {}
        try file.commit()
    }
}
