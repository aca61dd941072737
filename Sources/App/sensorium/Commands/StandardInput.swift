import Foundation

/// What another program pipes in.
enum StandardInput {
    /// Throws a `Failure` for an input that can't be read (closed, a folder) or is longer than `limit` bytes.
    static func bytes(limit: Int) throws(Failure) -> Data {
        let data: Data
        do { data = try FileHandle.standardInput.read(upToCount: limit + 1) ?? Data() } catch {
            throw Failure(.usage, "the standard input can't be read: \(reason(error as NSError))")
        }
        guard data.count <= limit else { throw Failure(.usage, "the standard input is longer than \(limit) bytes") }
        return data
    }

    /// Lines as bytes, empty ones left out: names of files need not be UTF-8.
    static func lines(limit: Int) throws(Failure) -> [[UInt8]] {
        try bytes(limit: limit).split(separator: 10).map { line in line.last == 13 ? Array(line.dropLast()) : Array(line) }
            .filter { !$0.isEmpty }
    }

    private static func reason(_ error: NSError) -> String {
        let cause = error.userInfo[NSUnderlyingErrorKey] as? NSError ?? error
        return cause.domain == NSPOSIXErrorDomain ? String(cString: strerror(Int32(cause.code))) : cause.localizedDescription
    }
}
