import Foundation
import Imaging

/// A regular file open for reading at any place, by any number of threads. Read, not mapped: a map of a file that another process cuts
/// off would kill this one.
final class InputFile: Sendable {
    let path: String
    let byteCount: Int
    private let descriptor: Int32

    init(_ path: FilePath) throws(DataError) {
        self.path = path.description
        guard !path.bytes.contains(0) else { throw DataError(path.description, "the path holds a zero byte") }
        // Without O_NONBLOCK opening a pipe would wait for a writer.
        descriptor = FolderListing.withCPath(path) { open($0, O_RDONLY | O_CLOEXEC | O_NONBLOCK) }
        guard descriptor >= 0 else { throw DataError(path.description, String(cString: strerror(errno))) }
        var status = stat()
        guard fstat(descriptor, &status) == 0, status.st_mode & S_IFMT == S_IFREG else {
            close(descriptor)
            throw DataError(path.description, "not a regular file")
        }
        byteCount = Int(status.st_size)
    }

    convenience init(_ path: String) throws(DataError) { try self.init(FilePath(path)) }

    deinit { close(descriptor) }

    /// Fills `buffer` from `offset` on as far as the file goes; returns how many bytes there were.
    func read(_ buffer: UnsafeMutableRawBufferPointer, at offset: Int) throws(DataError) -> Int {
        var done = 0
        while done < buffer.count {
            let got = pread(descriptor, buffer.baseAddress! + done, min(buffer.count - done, 1 << 30), off_t(offset + done))
            if got == 0 { break }
            if got < 0 {
                if errno == EINTR { continue }
                throw DataError(path, "reading failed: \(String(cString: strerror(errno)))")
            }
            done += got
        }
        return done
    }

    /// Exactly these bytes. Throws when the file has become shorter.
    func bytes(at offset: Int, count: Int) throws(DataError) -> [UInt8] {
        var failure: DataError?
        let bytes = [UInt8](unsafeUninitializedCapacity: count) { buffer, filled in
            do throws(DataError) { filled = try read(UnsafeMutableRawBufferPointer(buffer), at: offset) } catch { failure = error }
        }
        if let failure { throw failure }
        guard bytes.count == count else {
            throw DataError(path, "ends at byte \(offset + bytes.count), where \(count) bytes from \(offset) on were found before")
        }
        return bytes
    }

    /// The whole file, if it isn't longer than `limit`.
    func contents(limit: Int) throws(DataError) -> [UInt8] {
        guard byteCount <= limit else { throw DataError(path, "\(byteCount) bytes are over the limit of \(limit)") }
        return try bytes(at: 0, count: byteCount)
    }

    /// A text file that is small.
    static func text(_ path: FilePath, limit: Int) throws(DataError) -> String {
        let bytes = try InputFile(path).contents(limit: limit)
        guard let text = String(validating: bytes, as: UTF8.self) else { throw DataError(path.description, "not text in UTF-8") }
        return text.hasPrefix("\u{FEFF}") ? String(text.dropFirst()) : text
    }
}
