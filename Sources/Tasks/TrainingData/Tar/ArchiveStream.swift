import CZlib
import Foundation
import Imaging

/// Bytes of an archive from its beginning to its end. Used by one thread at a time.
protocol ArchiveStream: AnyObject {
    var path: String { get }
    /// Bytes read or skipped so far.
    var position: Int { get }
    /// Fills `buffer` as far as the archive goes; returns how many bytes there were.
    func read(_ buffer: UnsafeMutableRawBufferPointer) throws(DataError) -> Int
    /// Passes over `count` bytes. Throws when the archive ends before.
    func skip(_ count: Int) throws(DataError)
    /// Checks what only the end tells.
    func finish() throws(DataError)
}

extension ArchiveStream {
    func finish() throws(DataError) {}

    /// Exactly these bytes.
    func bytes(_ count: Int) throws(DataError) -> [UInt8] {
        var failure: DataError?
        let bytes = [UInt8](unsafeUninitializedCapacity: count) { buffer, filled in
            do throws(DataError) { filled = try read(UnsafeMutableRawBufferPointer(buffer)) } catch { failure = error }
        }
        if let failure { throw failure }
        guard bytes.count == count else { throw cutOff(count - bytes.count) }
        return bytes
    }

    /// Fills the first `count` places as far as the archive goes; returns how many bytes there were.
    func read(into bytes: inout [UInt8], count: Int) throws(DataError) -> Int {
        let result = bytes.withUnsafeMutableBytes { raw in
            Result { () throws(DataError) in try read(UnsafeMutableRawBufferPointer(rebasing: raw[..<count])) }
        }
        return try result.get()
    }

    func cutOff(_ missing: Int) -> DataError {
        DataError(path, "cut off: \(missing) bytes are missing at byte \(position)")
    }
}

/// An archive that isn't compressed: what is skipped isn't read.
final class PlainStream: ArchiveStream {
    let file: InputFile
    private(set) var position = 0

    init(_ file: InputFile) { self.file = file }

    var path: String { file.path }

    func read(_ buffer: UnsafeMutableRawBufferPointer) throws(DataError) -> Int {
        let count = try file.read(buffer, at: position)
        position += count
        return count
    }

    func skip(_ count: Int) throws(DataError) {
        guard count <= file.byteCount - position else { throw cutOff(count - (file.byteCount - position)) }
        position += count
    }
}

/// A gzip archive; zlib checks the checksum.
final class GzipStream: ArchiveStream {
    let path: String
    private(set) var position = 0
    private let stream: gzFile
    private var scratch: [UInt8] = []

    init(path: String) throws(DataError) {
        self.path = path
        // Opening says what is wrong with the file; zlib only that something is.
        _ = try InputFile(path)
        guard let stream = gzopen(path, "rbe") else { throw DataError(path, "zlib can't open it: \(String(cString: strerror(errno)))") }
        gzbuffer(stream, 1 << 17)
        self.stream = stream
    }

    deinit { gzclose(stream) }

    func read(_ buffer: UnsafeMutableRawBufferPointer) throws(DataError) -> Int {
        var done = 0
        while done < buffer.count {
            let got = gzread(stream, buffer.baseAddress! + done, UInt32(min(buffer.count - done, 1 << 30)))
            if got <= 0 { break }
            done += Int(got)
        }
        position += done
        var code: Int32 = 0
        if done < buffer.count, let text = gzerror(stream, &code), code != Z_OK, code != Z_STREAM_END {
            throw DataError(path, "damaged gzip data after byte \(position): \(String(cString: text))")
        }
        return done
    }

    /// The checksum comes behind the last byte, and behind the empty blocks that end an archive.
    func finish() throws(DataError) {
        var block = [UInt8](repeating: 0, count: 1 << 16)
        for _ in 0..<Self.mostFilling / block.count {
            let got = try read(into: &block, count: block.count)
            if got < block.count { return }
        }
    }

    private static let mostFilling = 16 << 20

    func skip(_ count: Int) throws(DataError) {
        if scratch.isEmpty { scratch = [UInt8](repeating: 0, count: 1 << 16) }
        var left = count
        while left > 0 {
            let want = min(left, scratch.count)
            let got = try read(into: &scratch, count: want)
            guard got > 0 else { throw cutOff(left) }
            left -= got
        }
    }
}
