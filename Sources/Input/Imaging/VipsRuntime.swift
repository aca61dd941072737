import CVips

#if canImport(Glibc)
    import Glibc
#endif

/// The process-wide state of libvips.
enum VipsRuntime {
    /// Starts libvips on first use. False where it refuses to (a broken installation).
    static let started: Bool = sn_vips_start() == 0

    /// libvips keeps one text of errors for all threads. Decoding holds this lock shared; a decode that failed runs again while it
    /// holds the lock alone, so that the reason it reports is its own.
    static let lock = ReaderWriterLock()

    /// The text of errors since it was last taken, on one line.
    static func takeError() -> String {
        guard let text = vips_error_buffer_copy() else { return "" }
        defer { g_free(text) }
        let lines = String(cString: text).split(separator: "\n").map { $0.trimmingSpaces() }.filter { !$0.isEmpty }
        var unique: [Substring] = []
        for line in lines where !unique.contains(line) { unique.append(line) }
        return String(unique.prefix(4).joined(separator: "; ").prefix(300))
    }
}

extension Substring {
    fileprivate func trimmingSpaces() -> Substring {
        var text = self
        while text.first == " " { text.removeFirst() }
        while text.last == " " { text.removeLast() }
        return text
    }
}

final class ReaderWriterLock: Sendable {
    private nonisolated(unsafe) let handle: UnsafeMutablePointer<pthread_rwlock_t>

    init() {
        handle = .allocate(capacity: 1)
        pthread_rwlock_init(handle, nil)
    }

    deinit {
        pthread_rwlock_destroy(handle)
        handle.deallocate()
    }

    func shared<Result, Failure: Error>(_ body: () throws(Failure) -> Result) throws(Failure) -> Result {
        pthread_rwlock_rdlock(handle)
        defer { pthread_rwlock_unlock(handle) }
        return try body()
    }

    func alone<Result, Failure: Error>(_ body: () throws(Failure) -> Result) throws(Failure) -> Result {
        pthread_rwlock_wrlock(handle)
        defer { pthread_rwlock_unlock(handle) }
        return try body()
    }
}

/// A reference to a libvips image, given back when the last user is gone.
final class VipsHandle {
    let pointer: UnsafeMutablePointer<VipsImage>

    init(_ pointer: UnsafeMutablePointer<VipsImage>) { self.pointer = pointer }
    deinit { sn_vips_unref(pointer) }

    var width: Int { Int(vips_image_get_width(pointer)) }
    var height: Int { Int(vips_image_get_height(pointer)) }
    var bands: Int { Int(vips_image_get_bands(pointer)) }
    var format: VipsBandFormat { vips_image_get_format(pointer) }
    var interpretation: VipsInterpretation { vips_image_get_interpretation(pointer) }

    /// The image that an operation makes of this one, nil when it fails.
    func map(_ operation: (UnsafeMutablePointer<VipsImage>, UnsafeMutablePointer<UnsafeMutablePointer<VipsImage>?>) -> Int32) -> VipsHandle?
    {
        var result: UnsafeMutablePointer<VipsImage>?
        guard operation(pointer, &result) == 0, let result else { return nil }
        return VipsHandle(result)
    }

    /// A field that holds bytes (`icc-profile-data`, `exif-data` ...), nil where there is none or it is longer than `limit`.
    func blob(_ name: String, limit: Int) -> [UInt8]? {
        guard vips_image_get_typeof(pointer, name) != 0 else { return nil }
        var data: UnsafeRawPointer?
        var count = 0
        guard vips_image_get_blob(pointer, name, &data, &count) == 0, let data, count > 0, count <= limit else { return nil }
        return [UInt8](UnsafeRawBufferPointer(start: data, count: count))
    }
}
