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

    /// Uninitialised bytes, 64-byte aligned, from the pool.
    public init(byteCount: Int) {
        self.byteCount = byteCount
        pointer = sn_pool_allocate(max(byteCount, 1))
        release = nil
        isReadOnly = false
    }

    /// Bytes that somebody else owns; `release` runs once when the last tensor is gone. Read-only ones are a mapping of a file.
    public init(borrowing pointer: UnsafeMutableRawPointer, byteCount: Int, readOnly: Bool = true, release: @escaping @Sendable () -> Void)
    {
        self.pointer = pointer
        self.byteCount = byteCount
        self.release = release
        isReadOnly = readOnly
    }

    /// Lets go of the pages of a file's mapping that lie in `range` wholly: they count as this process's memory no more, and come from
    /// the file again where somebody reads them.
    func letGo(of range: Range<Int>) {
        guard isReadOnly else { return }
        let page = Int(sysconf(Int32(_SC_PAGESIZE))), base = Int(bitPattern: pointer)
        let first = (base + range.lowerBound + page - 1) / page * page, end = (base + range.upperBound) / page * page
        if first < end { madvise(UnsafeMutableRawPointer(bitPattern: first), end - first, MADV_DONTNEED) }
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
        return Storage(borrowing: address, byteCount: count) { munmap(UnsafeMutableRawPointer(bitPattern: bits), count) }
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
