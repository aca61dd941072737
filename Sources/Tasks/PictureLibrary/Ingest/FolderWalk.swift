import Foundation
import Imaging

/// A picture file found by walking, not yet read.
struct FoundFile: Sendable, Equatable {
    var path: FilePath
    var stamp: FileStamp
    /// A caption beside it.
    var sidecar: FilePath?
    var sidecarStamp: Int64 = 0
    /// What the caption says, once it was read.
    var words = PictureWords()
}

/// Walks folders for files that may be pictures. Links are followed; a folder is entered once, whatever leads to it,
/// so loops end, and folders reached directly come before those reached through links.
struct FolderWalk {
    struct Options: Sendable {
        var includesHidden = false
        var followsLinks = true
    }

    enum Finding {
        /// A folder's picture files, in the order of their names.
        case folder(FilePath, [FoundFile])
        case problem(FilePath, FileProblem)
    }

    private struct FolderID: Hashable {
        var device: Int64
        var inode: Int64
    }

    private let options: Options
    private var entered: Set<FolderID> = []
    private var direct: [FilePath] = []
    private var linked: [FilePath] = []

    /// - Parameter excluded: Folders not to enter, such as the library itself.
    init(roots: [FilePath], excluding excluded: [FilePath] = [], options: Options) {
        self.options = options
        for folder in excluded {
            if let status = folder.status() { entered.insert(Self.id(status)) }
        }
        direct = roots.reversed()
    }

    /// The next folder or problem; nil at the end.
    mutating func next() -> Finding? {
        while let path = direct.popLast() ?? linked.popLast() {
            guard let status = path.status() else {
                let code = errno
                return .problem(path, FileProblem(code == ENOENT ? .vanished : .unreadable, systemMessage(code)))
            }
            guard entered.insert(Self.id(status)).inserted else { continue }
            return list(path)
        }
        return nil
    }

    private static func id(_ status: stat) -> FolderID {
        let stamp = FileStamp(status)
        return FolderID(device: stamp.device, inode: stamp.inode)
    }

    private mutating func list(_ folder: FilePath) -> Finding {
        let names: [FilePath]
        switch Self.names(in: folder) {
        case .success(let found): names = found.sorted()
        case .failure(let problem): return .problem(folder, problem)
        }
        let present = Set(names)
        var files: [FoundFile] = []
        var folders: [FilePath] = []
        for name in names where options.includesHidden || name.bytes.first != UInt8(ascii: ".") {
            let path = folder.appending(name)
            var own = stat()
            guard path.withCString({ lstat($0, &own) }) == 0 else { continue }
            let isLink = own.st_mode & S_IFMT == S_IFLNK
            if isLink && !options.followsLinks { continue }
            guard let status = isLink ? path.status() : own else {
                // A dangling link is worth a word only where it claims to be a picture; reading it will say what is wrong.
                if PictureFileKind.hasPictureExtension(name) { files.append(FoundFile(path: path, stamp: FileStamp(own))) }
                continue
            }
            switch status.st_mode & S_IFMT {
            case S_IFDIR: if isLink { linked.append(path) } else { folders.append(path) }
            case S_IFREG: if PictureFileKind.mayBePicture(path) { files.append(Self.found(path, status, beside: present, in: folder)) }
            default: continue
            }
        }
        direct.append(contentsOf: folders.reversed())
        return .folder(folder, files)
    }

    /// A file that was named itself, not found in a folder.
    static func single(_ path: FilePath, _ status: stat) -> FoundFile {
        let folder = path.folder
        let candidates = Sidecar.names(for: path.name).filter { folder.appending($0).existsByName }
        return found(path, status, beside: Set(candidates), in: folder)
    }

    private static func found(_ path: FilePath, _ status: stat, beside names: Set<FilePath>, in folder: FilePath) -> FoundFile {
        var file = FoundFile(path: path, stamp: FileStamp(status))
        if let name = Sidecar.names(for: path.name).first(where: names.contains) {
            let sidecar = folder.appending(name)
            if let status = sidecar.status(), status.st_mode & S_IFMT == S_IFREG {
                let stamp = FileStamp(status)
                file.sidecar = sidecar
                // Never 0, which stands for no sidecar.
                file.sidecarStamp = (stamp.modified &* 31 &+ stamp.size) | 1
            }
        }
        return file
    }

    static func names(in folder: FilePath) -> Result<[FilePath], FileProblem> {
        guard let stream = folder.withCString({ opendir($0) }) else {
            let code = errno
            return .failure(FileProblem(code == ENOENT || code == ENOTDIR ? .vanished : .unreadable, systemMessage(code)))
        }
        defer { closedir(stream) }
        var names: [FilePath] = []
        while true {
            errno = 0
            guard let entry = readdir(stream) else {
                guard errno == 0 else { return .failure(FileProblem(.unreadable, systemMessage(errno))) }
                return .success(names)
            }
            let name = withUnsafePointer(to: &entry.pointee.d_name) { pointer in
                pointer.withMemoryRebound(to: UInt8.self, capacity: 256) { bytes in
                    FilePath(
                        bytes: UnsafeBufferPointer(
                            start: bytes, count: strnlen(UnsafeRawPointer(bytes).assumingMemoryBound(to: CChar.self), 256)))
                }
            }
            if name.bytes != [46] && name.bytes != [46, 46] { names.append(name) }
        }
    }

    /// Whether the folder can be read and holds nothing, as a mount point without its disk does.
    static func isEmpty(_ folder: FilePath) -> Bool {
        if case .success(let names) = names(in: folder) { names.isEmpty } else { false }
    }
}
