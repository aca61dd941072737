import Foundation
import Imaging

/// What `stat` says of a file, as far as the catalogue cares.
public struct FileStamp: Sendable, Hashable {
    public var device: Int64
    public var inode: Int64
    /// Nanoseconds since 1970.
    public var modified: Int64
    /// Bytes.
    public var size: Int64

    init(device: Int64, inode: Int64, modified: Int64, size: Int64) {
        self.device = device
        self.inode = inode
        self.modified = modified
        self.size = size
    }

    init(_ status: stat) {
        device = Int64(truncatingIfNeeded: status.st_dev)
        inode = Int64(truncatingIfNeeded: status.st_ino)
        modified = Int64(status.st_mtim.tv_sec).multipliedReportingOverflow(by: 1_000_000_000).partialValue &+ Int64(status.st_mtim.tv_nsec)
        size = Int64(status.st_size)
    }

    /// Of a picture that was imported without its file.
    static let none = FileStamp(device: 0, inode: 0, modified: 0, size: 0)
    var isNone: Bool { inode == 0 && size == 0 }

    /// The device is left out: its number changes when a disk is mounted again.
    func isSameFile(as other: FileStamp) -> Bool {
        inode == other.inode && modified == other.modified && size == other.size
    }
}

extension FilePath {
    /// What is there now, links followed; nil with `errno` set where nothing can be seen.
    func status() -> stat? {
        var result = stat()
        return withCString { stat($0, &result) } == 0 ? result : nil
    }

    /// Whether anything, a dangling link included, has this name.
    var existsByName: Bool {
        var result = stat()
        return withCString { lstat($0, &result) } == 0
    }

    var isFolder: Bool { status().map { $0.st_mode & S_IFMT == S_IFDIR } ?? false }
}

/// The system's words for an `errno`.
func systemMessage(_ code: Int32) -> String { String(cString: strerror(code)) }
