import Foundation
import Tensors

/// An open file with whole reads and writes; closed with the last reference.
final class File: Sendable {
    let path: String
    let descriptor: Int32

    private init(path: String, descriptor: Int32) {
        self.path = path
        self.descriptor = descriptor
    }

    deinit { close(descriptor) }

    static func open(_ path: String, flags: Int32 = O_RDONLY) throws(IndexError) -> File {
        let descriptor = Foundation.open(path, flags | O_CLOEXEC, 0o644)
        guard descriptor >= 0 else { throw .io(file: path, operation: "open", reason: String(cString: strerror(errno))) }
        let file = File(path: path, descriptor: descriptor)
        guard try file.status().st_mode & S_IFMT == S_IFREG else {
            throw .io(file: path, operation: "open", reason: "not a regular file")
        }
        return file
    }

    func failure(_ operation: String) -> IndexError {
        .io(file: path, operation: operation, reason: String(cString: strerror(errno)))
    }

    func status() throws(IndexError) -> stat {
        var status = stat()
        guard fstat(descriptor, &status) == 0 else { throw failure("examine") }
        return status
    }

    func size() throws(IndexError) -> Int { Int(try status().st_size) }

    /// Exactly `count` bytes at `offset`; a file that ends before is damaged. The caller bounds `count`.
    func read(_ count: Int, at offset: Int, field: String) throws(IndexError) -> [UInt8] {
        var bytes = [UInt8](repeating: 0, count: count)
        let outcome = bytes.withUnsafeMutableBytes { buffer in Result { () throws(IndexError) in try read(into: buffer, at: offset) } }
        let got = try outcome.get()
        guard got == count else {
            throw .corrupt(file: path, offset: offset, field: field, found: "cut off after \(got) bytes", expected: "\(count) bytes")
        }
        return bytes
    }

    /// Fills the buffer as far as the file goes; returns the number of bytes.
    func read(into buffer: UnsafeMutableRawBufferPointer, at offset: Int) throws(IndexError) -> Int {
        var done = 0
        while done < buffer.count {
            let got = pread(descriptor, buffer.baseAddress! + done, buffer.count - done, off_t(offset + done))
            if got < 0 && errno == EINTR { continue }
            guard got >= 0 else { throw failure("read") }
            if got == 0 { break }
            done += got
        }
        return done
    }

    func write(_ bytes: UnsafeRawBufferPointer, at offset: Int) throws(IndexError) {
        var done = 0
        while done < bytes.count {
            let put = pwrite(descriptor, bytes.baseAddress! + done, bytes.count - done, off_t(offset + done))
            if put < 0 && errno == EINTR { continue }
            guard put > 0 else { throw failure("write") }
            done += put
        }
    }

    func write(_ bytes: [UInt8], at offset: Int) throws(IndexError) {
        try bytes.withUnsafeBytes { buffer in Result { () throws(IndexError) in try write(buffer, at: offset) } }.get()
    }

    func truncate(to size: Int) throws(IndexError) {
        guard ftruncate(descriptor, off_t(size)) == 0 else { throw failure("shorten") }
    }

    /// Waits until the bytes are on the disk.
    func synchronize() throws(IndexError) {
        guard fdatasync(descriptor) == 0 else { throw failure("synchronise") }
    }

    /// A shared read-only map. It may reach beyond the end of the file: such pages become readable as the file grows.
    func map(_ count: Int, at offset: Int) throws(IndexError) -> Storage {
        guard let address = mmap(nil, count, PROT_READ, MAP_SHARED, descriptor, off_t(offset)), address != MAP_FAILED else {
            throw failure("map")
        }
        let bits = UInt(bitPattern: address)
        return Storage(borrowing: address, byteCount: count) { munmap(UnsafeMutableRawPointer(bitPattern: bits), count) }
    }

    /// Makes the names in a folder durable.
    static func synchronizeFolder(_ path: String) throws(IndexError) {
        let descriptor = Foundation.open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        guard descriptor >= 0 else { throw .io(file: path, operation: "open", reason: String(cString: strerror(errno))) }
        defer { close(descriptor) }
        guard fsync(descriptor) == 0 else { throw .io(file: path, operation: "synchronise", reason: String(cString: strerror(errno))) }
    }
}
