import Checkpoints
import Foundation
import Imaging
import ModelKit
import Tensors

/// Where a model is that a user named: a folder, a single checkpoint file, a name of the catalogue that was fetched, or a folder with an
/// adapter that names one of these as its base.
public struct ModelPlace: ModelSource {
    public let spec: String
    public let path: String
    /// The folder of the adapter that the model is used with.
    public let adapter: String?
    public let name: String
    public let precision: WeightFormat?
    let package: ModelPackage?
    let cache: ModelCache

    /// Throws a `ModelPlaceError` that says what to do about a model that isn't there, a `CheckpointError` for an adapter that can't be read.
    public init(_ named: String, precision: WeightFormat? = nil, cache: ModelCache = ModelCache()) throws {
        (self.cache, self.precision) = (cache, precision)
        guard !named.isEmpty else { throw ModelPlaceError.unnamed }
        if FileManager.default.fileExists(atPath: named) {
            let absolute = FilePath(named).absolute().display
            if AdapterFolder.isOne(absolute) {
                let base = try Self.base(of: absolute, cache)
                (spec, path, name, package) = (absolute, base.path, FilePath(absolute).name.display, base.package)
                adapter = absolute
                return
            }
            adapter = nil
            (spec, path, name, package) = (absolute, absolute, FilePath(absolute).name.display, nil)
        } else if let known = ModelPackage.named(named) {
            guard cache.has(known) else { throw ModelPlaceError.notFetched(name: named) }
            adapter = nil
            (spec, path, name, package) = (named, cache.path(of: known), named, known)
        } else {
            throw ModelPlaceError.unknown(name: named, known: ModelPackage.all.filter { !$0.name.contains("/") }.map(\.name))
        }
    }

    /// The base that an adapter names: a place as written or beside the adapter, or a name of the catalogue.
    private static func base(of adapter: String, _ cache: ModelCache) throws -> ModelPlace {
        let file = adapter + "/" + AdapterConfig.fileName
        guard let named = try AdapterConfig(ConfigReader(path: file)).base else {
            throw ModelPlaceError.unreadable(
                path: file, reason: "it doesn't name the adapter's base: set base_model_name_or_path to its folder or catalogue name")
        }
        let beside = URL(fileURLWithPath: adapter).appendingPathComponent(named).standardizedFileURL.path
        let found = [named, beside].first { FileManager.default.fileExists(atPath: $0) }
        guard found != nil || ModelPackage.named(named) != nil else {
            throw ModelPlaceError.unreadable(
                path: file,
                reason: "base_model_name_or_path: \"\(named.prefix(200))\" is neither here nor in the catalogue; set it to the folder that "
                    + "holds the base, or to a name from `sensorium models list`")
        }
        guard found.map({ !AdapterFolder.isOne($0) }) ?? true else {
            throw ModelPlaceError.unreadable(
                path: file, reason: "base_model_name_or_path: \(named) is an adapter, too; `sensorium models merge` makes a base of it")
        }
        return try ModelPlace(found ?? named, cache: cache)
    }

    /// Finds models as `ModelPlace.init` does.
    public static let find: ModelFinder = { spec, precision in try ModelPlace(spec, precision: precision) }

    /// Vocabularies that some checkpoints take for granted.
    private var vocabularies: URL? {
        let folder = cache.root + "/vocabularies"
        return FileManager.default.fileExists(atPath: folder) ? URL(fileURLWithPath: folder, isDirectory: true) : nil
    }

    public func load() throws -> LoadedModel { try Catalog.load(folder()) }
    public func digest() throws -> String { try ModelDigest(cache: cache).digest(of: self) }

    /// Throws where the model is of another kind.
    public func languageModel() throws -> any LanguageModel {
        let loaded = try load()
        guard let language = loaded.language else {
            throw RoleError(model: name, role: "language model", reason: "\(loaded.family) doesn't write text")
        }
        return language
    }

    public func folder() throws -> ModelFolder {
        let base = try ModelFolder(path: path, vocabularies: vocabularies, precision: precision)
        return try adapter.map { try base.adapted(by: AdapterFolder(path: $0)) } ?? base
    }
}
