import Catalog
import Foundation
import Imaging
import ModelKit
import PictureLibrary
import Synchronization

/// The library that the service is about: opened when it is first there, which may be after the first indexing.
final class LibraryDesk: Sendable {
    let path: FilePath
    let embedders: LibraryEmbedders
    private let opened = Mutex<Library?>(nil)

    /// - Throws: `LibraryError` for a library that is there and can't be used.
    init(_ settings: ServiceSettings, find: @escaping ModelFinder) throws {
        path = settings.library.absolute()
        embedders = LibraryEmbedders(library: path, model: settings.model, find: find)
        if Library.exists(at: path) { _ = try library() }
    }

    var exists: Bool { opened.withLock { $0 != nil } || Library.exists(at: path) }

    /// - Throws: `LibraryError.notALibrary` before anything was indexed.
    func library() throws(LibraryError) -> Library {
        let path = path
        let result: Result<Library, LibraryError> = opened.withLock { opened in
            if let opened { return .success(opened) }
            do throws(LibraryError) {
                let library = try Library(at: path)
                opened = library
                return .success(library)
            } catch {
                return .failure(error)
            }
        }
        return try result.get()
    }

    func searcher() throws(LibraryError) -> Searcher { Searcher(library: try library(), embedders: embedders) }
}
