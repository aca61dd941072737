import Foundation
import GRDB
import Imaging

extension Library {
    /// The file with this id.
    func picture(_ id: Int64) throws(LibraryError) -> FileRow {
        let row = try database.read { database in
            try Row.fetchOne(database, sql: "SELECT \(FileRow.columns) FROM file WHERE id = ?", arguments: [id]).map(FileRow.init)
        }
        guard let row else { throw .unknownPicture(path: "picture \(id)") }
        return row
    }

    /// Pictures that pass the filters, by ascending id: a page of all that can be shown.
    /// - Parameter after: The last id of the page before; 0 at first.
    public func pictures(
        after: Int64 = 0, limit: Int, filter: WhereFilter? = nil, folder: FilePath? = nil
    ) throws(LibraryError) -> [PictureEntry] {
        guard (1...Query.largestLimit).contains(limit) else {
            throw .badQuery(reason: "the number of pictures must be 1 to \(Query.largestLimit)")
        }
        let condition = CandidateCondition(Query(filter: filter, folder: folder?.absolute()))
        return try database.read { database in
            try Row.fetchAll(
                database,
                sql: """
                    SELECT \(PictureEntry.columns) FROM \(CandidateCondition.join)
                    WHERE f.id > ? AND \(condition.sql) ORDER BY f.id LIMIT ?
                    """, arguments: [after] + condition.arguments + [limit]
            ).map(PictureEntry.init)
        }
    }

    /// Titles and paths of pictures by id; ids that no shown file has are left out.
    public func pictures(ids: [Int64]) throws(LibraryError) -> [Int64: PictureEntry] {
        var found: [Int64: PictureEntry] = [:]
        // SQLite takes a bounded number of values in a statement.
        for start in stride(from: 0, to: ids.count, by: 500) {
            let part = Array(ids[start..<min(start + 500, ids.count)])
            let rows = try database.read { database in
                try Row.fetchAll(
                    database,
                    sql: """
                        SELECT \(PictureEntry.columns) FROM \(CandidateCondition.join)
                        WHERE f.state = 'indexed' AND f.id IN (\(part.map { _ in "?" }.joined(separator: ", ")))
                        """, arguments: StatementArguments(part)
                ).map(PictureEntry.init)
            }
            for entry in rows { found[entry.id] = entry }
        }
        return found
    }

    /// Opens the file of a picture for reading, if it is still the one that was indexed and lies inside the library's folders.
    /// - Throws: `.unknownPicture` for an id that no shown file has; `.unreadablePicture` for a file that is gone, has changed or lies
    ///   elsewhere.
    public func openPicture(_ id: Int64) throws(LibraryError) -> OpenedPicture {
        let row = try picture(id)
        guard row.state == .indexed else { throw .unknownPicture(path: "picture \(id)") }
        guard !row.stamp.isNone else {
            throw .unreadablePicture(
                path: row.path.display,
                reason: "it was imported without its file; `sensorium import` with --pictures says where the files lie")
        }
        let opened = try OpenedPicture(row.path, inside: roots())
        guard opened.stamp.isSameFile(as: row.stamp) else {
            throw .unreadablePicture(path: row.path.display, reason: "the file has changed since it was indexed; index it again")
        }
        return opened
    }
}

/// A picture as lists show it.
public struct PictureEntry: Sendable, Equatable {
    public var id: Int64
    public var path: FilePath
    public var title: String?
    public var width: Int
    public var height: Int
    public var format: String

    static let columns = "f.id, f.path, f.title, c.width, c.height, c.format"

    init(_ row: Row) {
        (id, path, title) = (row["id"], FilePath(row["path"] as Data), row["title"])
        (width, height, format) = (row["width"], row["height"], row["format"])
    }
}

/// A picture's file, open for reading; closed when the value goes away.
public final class OpenedPicture: Sendable {
    public let path: FilePath
    let stamp: FileStamp
    private let descriptor: Int32

    /// Bytes.
    public var size: Int { Int(stamp.size) }

    /// Opens a file that lies inside one of the folders. What is checked is the file that was opened, not its name, so nothing can be
    /// put in its place in between: a name that leads out of the folders through a symbolic link opens nothing.
    /// - Throws: `.unreadablePicture`.
    public init(_ path: FilePath, inside folders: [FilePath]) throws(LibraryError) {
        self.path = path
        // Without O_NONBLOCK opening a pipe would wait for a writer.
        let descriptor = path.withCString { open($0, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY) }
        guard descriptor >= 0 else { throw .unreadablePicture(path: path.display, reason: systemMessage(errno)) }
        var status = stat()
        guard fstat(descriptor, &status) == 0, status.st_mode & S_IFMT == S_IFREG else {
            close(descriptor)
            throw .unreadablePicture(path: path.display, reason: "not a regular file")
        }
        (self.descriptor, stamp) = (descriptor, FileStamp(status))
        guard let place, folders.contains(where: { $0.real.map(place.isInside) ?? false }) else {
            throw .unreadablePicture(path: path.display, reason: "its name leads out of the library's folders")
        }
    }

    deinit { close(descriptor) }

    /// Tells this state of the file from every other.
    public var tag: String { "\(stamp.inode)-\(stamp.modified)-\(stamp.size)" }

    /// Where the opened file is, links resolved; nil for one that was deleted meanwhile.
    private var place: FilePath? {
        guard let place = FilePath("/proc/self/fd/\(descriptor)").linkTarget else { return nil }
        return place.display.hasSuffix(" (deleted)") ? nil : place
    }

    /// Up to `count` bytes from `offset`; fewer at the end of the file only.
    public func bytes(from offset: Int, count: Int) throws(LibraryError) -> [UInt8] {
        var failed: Int32 = 0
        let bytes = [UInt8](unsafeUninitializedCapacity: count) { buffer, done in
            done = 0
            while done < count {
                let got = pread(descriptor, buffer.baseAddress! + done, count - done, off_t(offset + done))
                if got < 0, errno == EINTR { continue }
                if got < 0 { failed = errno }
                if got <= 0 { break }
                done += got
            }
        }
        guard failed == 0 else { throw .unreadablePicture(path: path.display, reason: systemMessage(failed)) }
        return bytes
    }

    /// The whole file.
    /// - Throws: `.unreadablePicture` for one of more than `limit` bytes.
    public func bytes(limit: Int) throws(LibraryError) -> [UInt8] {
        guard size <= limit else {
            throw .unreadablePicture(path: path.display, reason: "\(size) bytes are over the limit of \(limit)")
        }
        return size == 0 ? [] : try bytes(from: 0, count: size)
    }
}

extension FilePath {
    /// The path with every link resolved; nil where nothing is.
    fileprivate var real: FilePath? {
        withCString { name in
            guard let resolved = realpath(name, nil) else { return nil }
            defer { free(resolved) }
            return FilePath(bytes: UnsafeBufferPointer(start: resolved, count: strlen(resolved)).map { UInt8(bitPattern: $0) })
        }
    }

    /// What a symbolic link says.
    fileprivate var linkTarget: FilePath? {
        var buffer = [CChar](repeating: 0, count: Int(PATH_MAX) + 1)
        let count = withCString { readlink($0, &buffer, buffer.count) }
        guard count > 0, count < buffer.count else { return nil }
        return FilePath(bytes: buffer[..<count].map { UInt8(bitPattern: $0) })
    }
}
