import GRDB

/// What can go wrong with a library as a whole. What is wrong with one picture is a `FileProblem` and stops nothing.
public enum LibraryError: Error, Sendable, Equatable, CustomStringConvertible {
    /// Nothing there, or something that isn't a library.
    case notALibrary(path: String, reason: String)
    /// Written by a newer program.
    case newerVersion(path: String, found: Int, supported: Int)
    case damaged(path: String, reason: String)
    /// Another process is changing the library. `pid` is nil where the lock file doesn't say.
    case locked(path: String, pid: Int32?)
    /// Disk full, no permission, input/output error: what was acknowledged stays.
    case storage(path: String, reason: String)
    /// No vectors of this embedder; `known` names those that there are.
    case notIndexed(embedder: String, known: [String])
    /// The library has no vectors at all, or none that is complete.
    case noActiveIndex(path: String)
    case unknownPicture(path: String)
    case unreachableRoot(path: String, reason: String)
    case badQuery(reason: String)
    /// No folder was named, and none was indexed before.
    case nothingToIndex(path: String)
    /// Several embedders have the name that was given.
    case ambiguousIndex(name: String, digests: [String])
    case badFilter(WhereError)
    case unreadablePicture(path: String, reason: String)
    /// A file outside the library that can't be written.
    case output(path: String, reason: String)
    /// Vectors or metadata of another program that can't be imported.
    case source(path: String, reason: String)
    /// A server that holds the library's vectors can't be reached, or refuses.
    case service(reason: String)
    /// Vectors that lie elsewhere than they are asked for.
    case place(embedder: String, reason: String)
    /// The network failed, which is no fault of a picture.
    case embedder(name: String, reason: String)
    /// The model that a library was indexed with can't be used.
    case model(path: String, reason: String)
    /// The system can't tell of changes.
    case watch(reason: String)

    public var description: String {
        switch self {
        case .notALibrary(let path, let reason):
            return
                "no picture library at \(path): \(reason). `sensorium index FOLDER` makes one; `--library DIR` or SENSORIUM_LIBRARY names another"
        case .newerVersion(let path, let found, let supported):
            return
                "the library at \(path) has version \(found), this program reads up to \(supported): use a newer sensorium or another --library"
        case .damaged(let path, let reason):
            return "the library at \(path) is damaged (\(reason)): restore it from a backup, or move the folder away and index again; "
                + "your pictures themselves are never changed"
        case .locked(let path, let pid):
            let owner = pid.map { "process \($0)" } ?? "another process"
            return "\(owner) is changing the library at \(path): wait for it to end, or stop it (searching is possible meanwhile)"
        case .storage(let path, let reason):
            return "can't write to the library at \(path): \(reason). What was indexed so far is kept; make room or mend it and run again"
        case .notIndexed(let embedder, let known):
            let have = known.isEmpty ? "the library holds no vectors" : "the library holds vectors of \(known.joined(separator: ", "))"
            return "no pictures are indexed with \(embedder): \(have). Run `sensorium index` with this model first"
        case .noActiveIndex(let path):
            return "the library at \(path) holds no vectors yet: run `sensorium index FOLDER` first"
        case .unknownPicture(let path): return "\(path) is not in the library: index it first"
        case .unreachableRoot(let path, let reason): return "can't index \(path): \(reason)"
        case .badQuery(let reason): return "can't search: \(reason)"
        case .nothingToIndex(let path):
            return "nothing to index: the library at \(path) knows no folder yet; name one, as in `sensorium index ~/Pictures`"
        case .ambiguousIndex(let name, let digests):
            return "\(digests.count) indexes are named \(name): name one by its digest: \(digests.joined(separator: ", "))"
        case .badFilter(let error): return error.description
        case .unreadablePicture(let path, let reason): return "can't read the picture \(path): \(reason)"
        case .output(let path, let reason): return "\(path) can't be written: \(reason)"
        case .source(let path, let reason): return "can't import \(path): \(reason)"
        case .service(let reason): return reason
        case .place(let embedder, let reason): return "the vectors of \(embedder) \(reason)"
        case .embedder(let name, let reason): return "the model \(name) failed: \(reason)"
        case .model(let path, let reason): return "\(reason) (the library at \(path) is indexed with it; --model chooses another)"
        case .watch(let reason): return "the system can't tell of changes in folders: \(reason)"
        }
    }
}

extension LibraryError {
    /// Says in the library's terms what SQLite reported.
    init(_ error: any Error, at path: String) {
        switch error {
        case let error as LibraryError: self = error
        case let error as WhereError: self = .badFilter(error)
        case let error as DatabaseError:
            switch error.resultCode {
            case .SQLITE_CORRUPT, .SQLITE_NOTADB, .SQLITE_FORMAT:
                self = .damaged(path: path, reason: error.message ?? "\(error.resultCode)")
            case .SQLITE_BUSY, .SQLITE_LOCKED: self = .locked(path: path, pid: nil)
            // The extended code tells a full disk from a bad one.
            default:
                self = .storage(
                    path: path, reason: "\(error.message ?? "SQLite failed") (SQLite code \(error.extendedResultCode.rawValue))")
            }
        default: self = .storage(path: path, reason: "\(error)")
        }
    }
}
