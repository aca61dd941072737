import Foundation
import Imaging
import ModelKit
import Tensors

/// Where a model is that a user named: a folder, a single checkpoint file, or a name of the catalogue that was fetched.
public struct ModelPlace: ModelSource {
    public let spec: String
    public let path: String
    public let name: String
    public let precision: WeightFormat?
    let package: ModelPackage?
    let cache: ModelCache

    /// Throws a `ModelPlaceError` that says what to do about a model that isn't there.
    public init(_ named: String, precision: WeightFormat? = nil, cache: ModelCache = ModelCache()) throws(ModelPlaceError) {
        (self.cache, self.precision) = (cache, precision)
        guard !named.isEmpty else { throw .unnamed }
        if FileManager.default.fileExists(atPath: named) {
            let absolute = FilePath(named).absolute().display
            (spec, path, name, package) = (absolute, absolute, FilePath(absolute).name.display, nil)
        } else if let known = ModelPackage.named(named) {
            guard cache.has(known) else { throw .notFetched(name: named) }
            (spec, path, name, package) = (named, cache.path(of: known), named, known)
        } else {
            throw .unknown(name: named, known: ModelPackage.all.filter { !$0.name.contains("/") }.map(\.name))
        }
    }

    /// Finds models as `ModelPlace.init` does.
    public static let find: ModelFinder = { spec, precision in try ModelPlace(spec, precision: precision) }

    /// Vocabularies that some checkpoints take for granted.
    private var vocabularies: URL? {
        let folder = cache.root + "/vocabularies"
        return FileManager.default.fileExists(atPath: folder) ? URL(fileURLWithPath: folder, isDirectory: true) : nil
    }

    public func load() throws -> LoadedModel { try Catalog.load(path: path, vocabularies: vocabularies, precision: precision) }
    public func digest() throws -> String { try ModelDigest(cache: cache).digest(of: self) }

    /// Throws where the model is of another kind.
    public func languageModel() throws -> any LanguageModel {
        let loaded = try load()
        guard let language = loaded.language else {
            throw RoleError(model: name, role: "language model", reason: "\(loaded.family) doesn't write text")
        }
        return language
    }

    public func folder() throws -> ModelFolder { try ModelFolder(path: path, vocabularies: vocabularies, precision: precision) }
}
