import Foundation
import GRDB
import Imaging

/// The SQLite file, opened: readers go on while one writer works (write-ahead log).
struct CatalogueDatabase: Sendable {
    let pool: DatabasePool
    let path: String

    init(path: String) throws(LibraryError) {
        self.path = path
        var configuration = Configuration()
        configuration.busyMode = .timeout(10)
        configuration.prepareDatabase { database in
            // What is acknowledged must outlast a power cut, not only a killed process.
            try database.execute(sql: "PRAGMA synchronous = FULL")
            database.add(function: Self.fold)
        }
        do {
            let opened = Self.reading(path)
            configuration.readonly = opened != path
            pool = try DatabasePool(path: opened, configuration: configuration)
            let migrator = CatalogueSchema.migrator
            if try pool.read({ try migrator.hasBeenSuperseded($0) }) {
                throw LibraryError.newerVersion(path: path, found: LibraryFolder.version + 1, supported: LibraryFolder.version)
            }
            if try !configuration.readonly && !pool.read({ try migrator.hasCompletedMigrations($0) }) { try migrator.migrate(pool) }
        } catch {
            throw LibraryError(error, at: path)
        }
    }

    /// How SQLite is asked for the file: by its path, or where neither file nor folder may be written (another user's library, a
    /// read-only disk) by an address that says so. Without a log beside it nobody is writing, and it is read as it stands; SQLite
    /// would else want to make files of its own.
    private static func reading(_ path: String) -> String {
        guard access(path, F_OK) == 0, access(path, W_OK) != 0 || access(FilePath(path).folder.display, W_OK) != 0 else { return path }
        let escaped = path.replacing("%", with: "%25").replacing("?", with: "%3f").replacing("#", with: "%23")
        let hasLog = FilePath(path + "-wal").existsByName
        return "file:" + escaped + (hasLog ? "?mode=ro" : "?immutable=1")
    }

    /// Lower case of any script; SQLite's own knows ASCII only.
    private static let fold = DatabaseFunction("fold", argumentCount: 1, pure: true) { values in
        String.fromDatabaseValue(values[0])?.lowercased()
    }

    func read<Value: Sendable>(_ body: @Sendable (Database) throws -> Value) throws(LibraryError) -> Value {
        do { return try pool.read(body) } catch { throw LibraryError(error, at: path) }
    }

    func write<Value: Sendable>(_ body: @Sendable (Database) throws -> Value) throws(LibraryError) -> Value {
        do { return try pool.write(body) } catch { throw LibraryError(error, at: path) }
    }
}

extension FilePath {
    var data: Data { Data(bytes) }
    init(_ data: Data) { self.init(bytes: data) }

    /// The half-open range of paths beneath this folder, as blobs compare.
    var beneath: (from: Data, to: Data) {
        let prefix = bytes == [UInt8(ascii: "/")] ? [] : bytes
        return (Data(prefix + [UInt8(ascii: "/")]), Data(prefix + [UInt8(ascii: "/") + 1]))
    }
}
