import Foundation

/// A file that appears under its name whole or not at all: written under a temporary name beside it, synced, renamed. Thrown away
/// unless `commit` is called.
public final class AtomicFile {
    public let path: String
    private let temporary: String
    private var descriptor: Int32
    private(set) public var byteCount = 0

    public init(path: String) throws(CheckpointError) {
        self.path = path
        temporary = path + ".part-\(getpid())-\(UInt32.random(in: 0 ... .max))"
        descriptor = open(temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0o644)
        guard descriptor >= 0 else { throw failure() }
    }

    public func write(_ bytes: UnsafeRawBufferPointer) throws(CheckpointError) {
        var done = 0
        while done < bytes.count {
            // Linux writes at most 2 GiB at once.
            let written = Foundation.write(descriptor, bytes.baseAddress! + done, min(bytes.count - done, 1 << 30))
            if written < 0 {
                if errno == EINTR { continue }
                throw failure()
            }
            done += written
        }
        byteCount += done
    }

    public func write(_ bytes: [UInt8]) throws(CheckpointError) {
        let result = bytes.withUnsafeBytes { raw in Result { () throws(CheckpointError) in try write(raw) } }
        try result.get()
    }

    public func commit() throws(CheckpointError) {
        guard fsync(descriptor) == 0 else { throw failure() }
        close(descriptor)
        descriptor = -1
        guard rename(temporary, path) == 0 else { throw failure() }
        let folder = open(
            (path as NSString).deletingLastPathComponent.isEmpty ? "." : (path as NSString).deletingLastPathComponent, O_RDONLY)
        if folder >= 0 {
            fsync(folder)
            close(folder)
        }
    }

    private func failure() -> CheckpointError { .unwritable(file: path, reason: String(cString: strerror(errno))) }

    deinit {
        if descriptor >= 0 { close(descriptor) }
        // After a commit there is nothing of this name left.
        unlink(temporary)
    }
}
