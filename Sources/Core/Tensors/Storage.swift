import CKernels

#if canImport(Glibc)
    import Glibc
#endif

/// Reference-counted bytes under one or several tensors. `@unchecked Sendable` stands in this file only: bytes are written
/// before a tensor is published, or by the one owner that `isKnownUniquelyReferenced` proves.
public final class Storage: @unchecked Sendable {
    public let pointer: UnsafeMutableRawPointer
    public let byteCount: Int
    /// Bytes that the owner below gives back; nil where `BufferPool` owns them.
    private let release: (@Sendable () -> Void)?
    /// Memory-mapped storage must not be written to.
    public let isReadOnly: Bool
    /// Whether the bytes are pages of a file, which the system can read again.
    let isFile: Bool

    /// Uninitialised bytes, 64-byte aligned, from the pool.
    public init(byteCount: Int) {
        self.byteCount = byteCount
        pointer = sn_pool_allocate(max(byteCount, 1))
        release = nil
        (isReadOnly, isFile) = (false, false)
    }

    /// Bytes that somebody else owns (a memory map); `release` runs once when the last tensor is gone.
    public convenience init(
        borrowing pointer: UnsafeMutableRawPointer, byteCount: Int, readOnly: Bool = true, release: @escaping @Sendable () -> Void
    ) {
        self.init(pointer, byteCount, readOnly: readOnly, isFile: false, release)
    }

    private init(
        _ pointer: UnsafeMutableRawPointer, _ byteCount: Int, readOnly: Bool, isFile: Bool, _ release: @escaping @Sendable () -> Void
    ) {
        (self.pointer, self.byteCount, self.release) = (pointer, byteCount, release)
        (isReadOnly, self.isFile) = (readOnly, isFile)
    }

    /// Gives the memory of a file's pages back that lie whole within `bytes`; they are read again when they are touched.
    func forgetPages(_ bytes: Range<Int>) {
        guard isFile else { return }
        let page = Int(sysconf(Int32(_SC_PAGESIZE))), first = (bytes.lowerBound + page - 1) / page * page
        let count = bytes.upperBound / page * page - first
        if count > 0 { madvise(pointer + first, count, MADV_DONTNEED) }
    }

    deinit {
        if let release { release() } else { sn_pool_release(pointer, max(byteCount, 1)) }
    }
}

extension Storage {
    /// A read-only memory map of a whole file. Throws `MappingError` with the reason of the system.
    public static func mapping(path: String) throws(MappingError) -> Storage {
        let descriptor = open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { throw MappingError(path: path, reason: String(cString: strerror(errno))) }
        defer { close(descriptor) }
        var status = stat()
        guard fstat(descriptor, &status) == 0 else { throw MappingError(path: path, reason: String(cString: strerror(errno))) }
        guard status.st_mode & S_IFMT == S_IFREG else { throw MappingError(path: path, reason: "not a regular file") }
        let count = Int(status.st_size)
        guard count > 0 else { throw MappingError(path: path, reason: "the file is empty") }
        guard let address = mmap(nil, count, PROT_READ, MAP_PRIVATE, descriptor, 0), address != MAP_FAILED else {
            throw MappingError(path: path, reason: String(cString: strerror(errno)))
        }
        let bits = UInt(bitPattern: address)
        return Storage(address, count, readOnly: true, isFile: true) { munmap(UnsafeMutableRawPointer(bitPattern: bits), count) }
    }
}

public struct MappingError: Error, Sendable, Equatable, CustomStringConvertible {
    public let path: String
    public let reason: String
    public var description: String { "can't map \(path): \(reason)" }
}

/// A pointer that parallel bodies share; each writes its own part.
package struct Address: @unchecked Sendable {
    let raw: UnsafeMutableRawPointer
    package init(_ pointer: UnsafeMutablePointer<Float>) { raw = UnsafeMutableRawPointer(pointer) }
    @inline(__always) package var floats: UnsafeMutablePointer<Float> { raw.assumingMemoryBound(to: Float.self) }
}
