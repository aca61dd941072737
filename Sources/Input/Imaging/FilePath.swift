#if canImport(Glibc)
    import Glibc
#endif

/// The path of a file as the bytes that the system knows it by: names need not be UTF-8.
public struct FilePath: Sendable, Hashable, CustomStringConvertible {
    /// Without a terminating zero.
    public let bytes: [UInt8]

    public init(_ path: String) { bytes = Array(path.utf8) }
    public init(bytes: [UInt8]) { self.bytes = bytes }

    /// For people: bytes that aren't UTF-8 come out as replacement characters.
    public var description: String { String(decoding: bytes, as: UTF8.self) }
}

extension FilePath {
    /// Calls `body` with an open descriptor and the size of a regular file.
    func withDescriptor<Result>(_ body: (Int32, Int) throws(PictureError) -> Result) throws(PictureError) -> Result {
        guard !bytes.isEmpty, !bytes.contains(0) else { throw PictureError(.notFound, file: description) }
        // Without O_NONBLOCK opening a pipe would wait for a writer.
        let descriptor = (bytes.map(CChar.init(bitPattern:)) + [0]).withUnsafeBufferPointer {
            open($0.baseAddress!, O_RDONLY | O_CLOEXEC | O_NONBLOCK)
        }
        guard descriptor >= 0 else { throw failure(errno) }
        defer { close(descriptor) }
        var status = stat()
        guard fstat(descriptor, &status) == 0 else { throw failure(errno) }
        guard status.st_mode & S_IFMT == S_IFREG else {
            throw PictureError(.io(status.st_mode & S_IFMT == S_IFDIR ? "this is a folder" : "not a regular file"), file: description)
        }
        return try body(descriptor, Int(status.st_size))
    }

    private func failure(_ code: Int32) -> PictureError {
        switch code {
        case ENOENT, ENOTDIR: PictureError(.notFound, file: description)
        case EACCES, EPERM: PictureError(.permissionDenied, file: description)
        default: PictureError(.io(String(cString: strerror(code))), file: description)
        }
    }

    /// The whole file. Read, not mapped: a map of a file that another process cuts off would kill this one.
    public func contents(limit: Int = DecodeLimits().fileBytes) throws(PictureError) -> [UInt8] {
        try withDescriptor { (descriptor, size) throws(PictureError) in
            guard size <= limit else { throw PictureError(.fileTooLarge(bytes: size, limit: limit), file: description) }
            guard size > 0 else { throw PictureError(.empty, file: description) }
            var failed: Int32 = 0
            let bytes = [UInt8](unsafeUninitializedCapacity: size) { buffer, count in
                failed = readFully(descriptor, UnsafeMutableRawBufferPointer(buffer), &count)
            }
            guard failed == 0 else { throw failure(failed) }
            guard !bytes.isEmpty else { throw PictureError(.empty, file: description) }
            return bytes
        }
    }
}

/// Fills `buffer` as far as the file goes; returns the system's error number or 0.
func readFully(_ descriptor: Int32, _ buffer: UnsafeMutableRawBufferPointer, _ count: inout Int) -> Int32 {
    count = 0
    while count < buffer.count {
        let got = read(descriptor, buffer.baseAddress! + count, buffer.count - count)
        if got == 0 { break }
        if got < 0 {
            if errno == EINTR { continue }
            return errno
        }
        count += got
    }
    return 0
}
