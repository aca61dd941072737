import Foundation
import Imaging

/// A folder that appears under its name whole or not at all: filled under a temporary name beside it, then renamed. Thrown away unless
/// `commit` is called.
final class FreshFolder {
    private let path: String
    private let temporary: String
    private var isCommitted = false

    init(_ path: String) throws(LibraryError) {
        self.path = FilePath(path).absolute().display
        temporary = self.path + ".part-\(getpid())-\(UInt32.random(in: 0 ... .max))"
        let names = try? FileManager.default.contentsOfDirectory(atPath: self.path)
        if let first = names?.first { throw .output(path: path, reason: "the folder holds \(first); name one that is new or empty") }
        if names == nil, FilePath(self.path).existsByName { throw .output(path: path, reason: "a folder is expected, and this is none") }
        guard mkdir(temporary, 0o755) == 0 else { throw .output(path: path, reason: systemMessage(errno)) }
    }

    func file(_ name: String) -> String { temporary + "/" + name }

    func makeFolder(_ name: String) throws(LibraryError) {
        guard mkdir(file(name), 0o755) == 0 else { throw .output(path: path + "/" + name, reason: systemMessage(errno)) }
    }

    func commit() throws(LibraryError) {
        guard rename(temporary, path) == 0 else { throw .output(path: path, reason: systemMessage(errno)) }
        isCommitted = true
    }

    deinit { if !isCommitted { try? FileManager.default.removeItem(atPath: temporary) } }
}
