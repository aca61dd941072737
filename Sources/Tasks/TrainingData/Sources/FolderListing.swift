import Foundation
import Imaging

/// Files and folders by the bytes of their names.
enum FolderListing {
    struct Contents {
        /// Names in the order of their bytes.
        var files: [[UInt8]] = []
        var folders: [[UInt8]] = []
    }

    /// A folder as the system knows it, whatever path leads there.
    struct Identity: Hashable {
        var device: UInt64
        var inode: UInt64
    }

    static func identity(_ path: FilePath) -> Identity? {
        var status = stat()
        guard withCPath(path, { stat($0, &status) }) == 0, status.st_mode & S_IFMT == S_IFDIR else { return nil }
        return Identity(device: UInt64(status.st_dev), inode: UInt64(status.st_ino))
    }

    static func isFolder(_ path: String) -> Bool { identity(FilePath(path)) != nil }

    /// What lies in a folder, links followed, hidden names left out.
    static func list(_ folder: FilePath) throws(DataError) -> Contents {
        guard let stream = withCPath(folder, { opendir($0) }) else {
            throw DataError(folder.description, "can't list the folder: \(String(cString: strerror(errno)))")
        }
        defer { closedir(stream) }
        var contents = Contents()
        while let entry = readdir(stream) {
            let name = withUnsafeBytes(of: &entry.pointee.d_name) { Array($0.prefix { $0 != 0 }) }
            if name.first == UInt8(ascii: ".") { continue }
            switch kind(of: appending(folder, name)) {
            case S_IFREG: contents.files.append(name)
            case S_IFDIR: contents.folders.append(name)
            default: continue
            }
        }
        contents.files.sort { $0.lexicographicallyPrecedes($1) }
        contents.folders.sort { $0.lexicographicallyPrecedes($1) }
        return contents
    }

    private static func kind(of path: FilePath) -> mode_t {
        var status = stat()
        return withCPath(path, { stat($0, &status) }) == 0 ? status.st_mode & S_IFMT : 0
    }

    static func appending(_ folder: FilePath, _ name: [UInt8]) -> FilePath {
        folder.bytes.last == UInt8(ascii: "/") || folder.bytes.isEmpty
            ? FilePath(bytes: folder.bytes + name) : FilePath(bytes: folder.bytes + [UInt8(ascii: "/")] + name)
    }

    static func withCPath<Result>(_ path: FilePath, _ body: (UnsafePointer<CChar>) -> Result) -> Result {
        (path.bytes.map(CChar.init(bitPattern:)) + [0]).withUnsafeBufferPointer { body($0.baseAddress!) }
    }
}

/// Parts of file names.
enum FileName {
    static let pictures: Set<String> = [
        "jpg", "jpeg", "png", "webp", "gif", "bmp", "tif", "tiff", "svg", "heic", "heif", "avif",
    ]

    /// What stands before the last dot, and behind it in lower case.
    static func split(_ name: [UInt8]) -> (stem: [UInt8], suffix: String) {
        guard let dot = name.lastIndex(of: UInt8(ascii: ".")), dot > 0 else { return (name, "") }
        return (Array(name[..<dot]), String(decoding: name[(dot + 1)...], as: UTF8.self).lowercased())
    }

    /// The folder of a path, `.` where it has none.
    static func folder(of path: String) -> String {
        guard let slash = path.lastIndex(of: "/") else { return "." }
        return slash == path.startIndex ? "/" : String(path[..<slash])
    }

    /// `name` beside `folder`, unless it is absolute.
    static func resolve(_ name: String, in folder: String) -> FilePath {
        name.hasPrefix("/") || folder == "." ? FilePath(name) : FilePath(folder + "/" + name)
    }
}
