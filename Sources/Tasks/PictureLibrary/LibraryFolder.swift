import Foundation
import Imaging

/// Where the parts of a library lie:
///
///     library.json     format and version
///     catalog.sqlite   the catalogue (with -wal and -shm beside it)
///     indexes/DIGEST/  vectors, one folder for each embedder
///     lock             held by the process that changes the library
struct LibraryFolder: Sendable {
    static let version = 1
    static let format = "sensorium-library"

    let path: FilePath

    var versionFile: String { path.appending("library.json").display }
    var catalogue: String { path.appending("catalog.sqlite").display }
    var indexes: String { path.appending("indexes").display }
    var lock: String { path.appending("lock").display }

    /// The folder of an embedder's vectors. The digest may be any text, so only its letters and digits go into the name.
    static func indexName(digest: String) -> String {
        let safe = digest.unicodeScalars.filter { $0.isASCII && ($0.properties.isAlphabetic || ("0"..."9").contains($0)) }
        let start = String(String.UnicodeScalarView(safe.prefix(16)))
        if start.count == 16 && safe.count == digest.unicodeScalars.count { return start }
        return start + String(fnv1a(digest.utf8), radix: 16)
    }

    private static func fnv1a(_ bytes: some Sequence<UInt8>) -> UInt64 {
        bytes.reduce(0xcbf2_9ce4_8422_2325) { ($0 ^ UInt64($1)) &* 0x100_0000_01b3 }
    }

    private struct Version: Codable {
        var format: String
        var version: Int
    }

    /// Reads the version; with `create` makes a folder that isn't there or is empty.
    func prepare(create: Bool) throws(LibraryError) {
        let files = FileManager.default
        if path.existsByName, !path.isFolder {
            throw .notALibrary(path: path.display, reason: path.status() == nil ? "the link leads nowhere" : "this is a file, not a folder")
        }
        if !files.fileExists(atPath: versionFile) {
            guard create else {
                throw .notALibrary(path: path.display, reason: path.isFolder ? "the folder has no library.json" : "no such folder")
            }
            try makeFolder(path.display)
            let present = (try? files.contentsOfDirectory(atPath: path.display)) ?? []
            let foreign = present.filter {
                !["indexes", "lock", "catalog.sqlite", "catalog.sqlite-wal", "catalog.sqlite-shm"].contains($0)
            }
            guard foreign.isEmpty else {
                throw .notALibrary(path: path.display, reason: "the folder holds other files, such as \(foreign[0])")
            }
            try makeFolder(indexes)
            try write(Version(format: Self.format, version: Self.version))
        }
        try check()
    }

    private func check() throws(LibraryError) {
        let version: Version
        do {
            let data = try Data(contentsOf: URL(fileURLWithPath: versionFile))
            guard data.count < 65_536 else { throw LibraryError.damaged(path: path.display, reason: "library.json is too long") }
            version = try JSONDecoder().decode(Version.self, from: data)
        } catch let error as LibraryError {
            throw error
        } catch {
            throw .damaged(path: path.display, reason: "library.json can't be read")
        }
        guard version.format == Self.format else {
            throw .notALibrary(path: path.display, reason: "library.json names the format \(version.format)")
        }
        guard version.version <= Self.version else {
            throw .newerVersion(path: path.display, found: version.version, supported: Self.version)
        }
        guard version.version == Self.version else {
            throw .damaged(path: path.display, reason: "library.json names version \(version.version)")
        }
    }

    private func makeFolder(_ path: String) throws(LibraryError) {
        do { try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true) } catch {
            throw .storage(path: path, reason: "the folder can't be made (\(systemMessage(errno)))")
        }
    }

    private func write(_ version: Version) throws(LibraryError) {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys]
        do { try encoder.encode(version).write(to: URL(fileURLWithPath: versionFile), options: .atomic) } catch {
            throw .storage(path: path.display, reason: "library.json can't be written")
        }
    }
}

/// The right to change a library, held until the value goes away. The kernel drops it with the process, however that ends.
final class LibraryLock: Sendable {
    private let descriptor: Int32

    init(_ folder: LibraryFolder) throws(LibraryError) {
        descriptor = open(folder.lock, O_RDWR | O_CREAT | O_CLOEXEC, 0o644)
        guard descriptor >= 0 else {
            throw .storage(path: folder.path.display, reason: "the lock file can't be opened: \(systemMessage(errno))")
        }
        guard flock(descriptor, LOCK_EX | LOCK_NB) == 0 else {
            // The file is closed by `deinit`, which runs once every property is set. Closed here as well, the number could by then be
            // that of a file which another thread has just opened.
            throw .locked(path: folder.path.display, pid: Self.owner(descriptor))
        }
        let text = Array("\(getpid())\n".utf8)
        // The number is only for the message that another process shows, so a full disk is no reason to stop here.
        if ftruncate(descriptor, 0) == 0 { _ = pwrite(descriptor, text, text.count, 0) }
    }

    private static func owner(_ descriptor: Int32) -> Int32? {
        var bytes = [UInt8](repeating: 0, count: 32)
        let count = pread(descriptor, &bytes, bytes.count, 0)
        guard count > 0 else { return nil }
        return Int32(String(decoding: bytes[..<count], as: UTF8.self).trimmingCharacters(in: .whitespacesAndNewlines))
    }

    /// Lets others in at once, whoever still holds the value. Closing the file is left to the end of the value.
    func release() { flock(descriptor, LOCK_UN) }

    deinit { if descriptor >= 0 { close(descriptor) } }
}
