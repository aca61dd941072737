import Foundation
import Imaging
import ModelKit
import Pipelines
import Tensors

/// An indexing run that is ready to begin: model, folders and library are there.
public struct LibraryUpdate: Sendable {
    public let library: Library
    public let embedder: ModelEmbedder
    private let roots: [FilePath]
    private let options: IndexingOptions

    /// Finds and loads the model, checks the folders, and only then makes a library that isn't there: a wrong model or folder
    /// shouldn't leave an empty one behind. The library remembers the model.
    /// - Parameters:
    ///   - roots: Folders or files. Empty: the folders of earlier runs.
    ///   - model: nil takes the one in use, at first `RememberedModels.standard`.
    public init(
        of path: FilePath, roots: [FilePath], model: String? = nil, precision: WeightFormat? = nil,
        options: IndexingOptions = IndexingOptions(), find: @escaping ModelFinder
    ) throws {
        var remembered = RememberedModels(library: path, find: find)
        let source = try remembered.modelForIndexing(given: model, precision: precision)
        embedder = try ModelEmbedder(source)
        try Self.check(roots, for: path)
        library = try Library(at: path, create: true)
        try remembered.remember(source, embedder.identity)
        (self.roots, self.options) = (roots, options)
    }

    /// A library that knows them may be told of folders that are away; a new one has nothing of theirs.
    private static func check(_ roots: [FilePath], for library: FilePath) throws(LibraryError) {
        guard !Library.exists(at: library) else { return }
        guard !roots.isEmpty else { throw .nothingToIndex(path: library.display) }
        for root in roots where root.status() == nil {
            throw .unreachableRoot(path: root.absolute().display, reason: systemMessage(errno))
        }
    }

    /// As `Library.index`.
    public func run(onEvent: @escaping @Sendable (IndexEvent) -> Void = { _ in }) async throws -> IndexSummary {
        try await library.index(roots: roots, embedder: embedder, options: options, onEvent: onEvent)
    }
}
