import Foundation
import GRDB
import Imaging
import Pipelines
import Synchronization
import Tensors
import VectorIndex

/// A library of pictures: a catalogue of files, words and colours, and the vectors of one or more embedders.
///
/// Any number of processes may search while one changes it. Nothing is ever written outside the library's folder.
public final class Library: Sendable {
    public let path: FilePath
    let folder: LibraryFolder
    let database: CatalogueDatabase
    let indexes: VectorStores
    let backgrounds = BackgroundCache()
    let groups = GroupCache()

    /// Opens a library; with `create` makes one in a folder that is absent or empty.
    /// - Throws: `LibraryError.notALibrary`, `.newerVersion`, `.damaged`, `.storage`.
    public convenience init(at path: FilePath, create: Bool = false) throws(LibraryError) {
        let path = path.absolute()
        guard path.isUTF8 else { throw .notALibrary(path: path.display, reason: "its name isn't UTF-8, which SQLite needs") }
        let folder = LibraryFolder(path: path)
        try folder.prepare(create: create)
        if !create, !FilePath(folder.catalogue).existsByName { throw .damaged(path: path.display, reason: "catalog.sqlite is gone") }
        self.init(folder: folder, database: try CatalogueDatabase(path: folder.catalogue))
    }

    /// Whether a library was made here, sound or not.
    public static func exists(at path: FilePath) -> Bool { FilePath(LibraryFolder(path: path.absolute()).versionFile).existsByName }

    private init(folder: LibraryFolder, database: CatalogueDatabase) {
        path = folder.path
        self.folder = folder
        self.database = database
        indexes = VectorStores(folder: folder.indexes)
    }

    /// `SENSORIUM_LIBRARY`, or `sensorium/library` in the user's data folder by the XDG base directory specification.
    public static func defaultPath(environment: [String: String] = ProcessInfo.processInfo.environment) -> FilePath {
        if let named = environment["SENSORIUM_LIBRARY"], !named.isEmpty { return FilePath(named).absolute() }
        // The specification has relative paths ignored.
        if let data = environment["XDG_DATA_HOME"], data.hasPrefix("/") { return FilePath(data).appending("sensorium/library") }
        let home = environment["HOME"].flatMap { $0.isEmpty ? nil : $0 } ?? NSHomeDirectory()
        return FilePath(home).appending(".local/share/sensorium/library")
    }
}

extension LibraryError {
    init(vectors error: IndexError, identity: EmbedderIdentity, path: String) {
        switch error {
        case .corrupt:
            self = .damaged(
                path: path, reason: "\(error). Only the vectors of \(identity.name) are concerned: remove this index and index again")
        case .locked: self = .locked(path: path, pid: nil)
        case .unwritable(let file, let reason): self = .output(path: file, reason: reason)
        case .io, .invalid: self = .storage(path: path, reason: "\(error)")
        case .remote: self = .service(reason: "\(error)")
        }
    }
}
