import Imaging
import ModelKit
import Pipelines
import Synchronization
import Tensors

/// The embedders that searches of a library need, each loaded when it is first asked for and kept then. While a library changes its
/// model two are in use; more aren't kept.
public final class LibraryEmbedders: Sendable {
    private static let mostKept = 2

    private let library: FilePath
    private let model: String?
    private let precision: WeightFormat?
    private let find: ModelFinder
    private let kept = Mutex<[(digest: String, embedder: ModelEmbedder)]>([])
    private let named = Mutex<ModelEmbedder?>(nil)

    /// - Parameter model: one that the user named; nil takes the model that made the library's vectors.
    public init(library: FilePath, model: String? = nil, precision: WeightFormat? = nil, find: @escaping ModelFinder) {
        (self.library, self.model, self.precision, self.find) = (library, model, precision, find)
    }

    var isGiven: Bool { model != nil }

    /// The embedder that the user named.
    func given() throws -> ModelEmbedder? {
        guard let model else { return nil }
        // Whoever comes while it is loaded waits: it needs the model as well.
        return try named.withLock { named in
            if named == nil { named = try ModelEmbedder(find(model, precision)) }
            return named
        }
    }

    /// The embedder that made vectors of this identity.
    public func embedder(of identity: EmbedderIdentity) throws -> ModelEmbedder {
        try kept.withLock { kept in
            if let known = kept.first(where: { $0.digest == identity.digest }) { return known.embedder }
            let embedder = try RememberedModels(library: library, find: find).embedder(of: identity)
            kept.append((identity.digest, embedder))
            if kept.count > Self.mostKept { kept.removeFirst() }
            return embedder
        }
    }
}
