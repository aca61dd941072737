import Catalog
import Checkpoints
import Foundation
import Imaging
import ModelKit
import Pipelines
import Tensors

/// Where a model is that a user named: a folder, a single checkpoint file, a name of the catalogue that was fetched, or a folder with an
/// adapter that names one of these as its base.
struct ModelPlace {
    /// As remembered for a library: a catalogue name, or an absolute path.
    let spec: String
    let path: String
    /// The folder of the adapter that the model is used with.
    let adapter: String?
    /// For people: the catalogue name or the file's.
    let name: String
    let package: ModelPackage?
    let precision: WeightFormat?
    let cache: ModelCache

    /// Throws a `Failure` that says what to do about a model that isn't there.
    init(_ named: String, precision: WeightFormat? = nil, cache: ModelCache = ModelCache()) throws {
        (self.cache, self.precision) = (cache, precision)
        guard !named.isEmpty else {
            throw Failure(.usage, "--model is empty: give a folder, a checkpoint file or a name from `sensorium models list`")
        }
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
            guard cache.has(known) else {
                throw Failure(.unusable, "the model \(named) isn't here yet: run `sensorium models pull \(named)`")
            }
            adapter = nil
            (spec, path, name, package) = (named, cache.path(of: known), named, known)
        } else {
            let models = ModelPackage.all.filter { !$0.name.contains("/") }.map(\.name).joined(separator: ", ")
            throw Failure(.unusable, "\(named): no such file or folder, and no model of that name; `sensorium models pull` knows \(models)")
        }
    }

    /// Vocabularies that some checkpoints take for granted.
    private var vocabularies: URL? {
        let folder = cache.root + "/vocabularies"
        return FileManager.default.fileExists(atPath: folder) ? URL(fileURLWithPath: folder, isDirectory: true) : nil
    }

    /// The base that an adapter names: a place as written or beside the adapter, or a name of the catalogue.
    private static func base(of adapter: String, _ cache: ModelCache) throws -> ModelPlace {
        let file = adapter + "/" + AdapterConfig.fileName
        guard let named = try AdapterConfig(ConfigReader(path: file)).base else {
            throw Failure(.unusable, "\(file) doesn't name the adapter's base: set base_model_name_or_path to its folder or catalogue name")
        }
        let beside = URL(fileURLWithPath: adapter).appendingPathComponent(named).standardizedFileURL.path
        let found = [named, beside].first { FileManager.default.fileExists(atPath: $0) }
        guard found != nil || ModelPackage.named(named) != nil else {
            throw Failure(
                .unusable,
                "\(file): base_model_name_or_path: \"\(named.prefix(200))\" is neither here nor in the catalogue; set it to the folder that "
                    + "holds the base, or to a name from `sensorium models list`")
        }
        guard found.map({ !AdapterFolder.isOne($0) }) ?? true else {
            throw Failure(
                .unusable, "\(file): base_model_name_or_path: \(named) is an adapter, too; `sensorium models merge` makes a base of it")
        }
        return try ModelPlace(found ?? named, cache: cache)
    }

    func load() throws -> LoadedModel { try Catalog.load(folder()) }

    /// Throws where the model is of another kind.
    func languageModel() throws -> any LanguageModel {
        let loaded = try load()
        guard let language = loaded.language else {
            throw RoleError(model: name, role: "language model", reason: "\(loaded.family) doesn't write text")
        }
        return language
    }

    func folder() throws -> ModelFolder {
        let base = try ModelFolder(path: path, vocabularies: vocabularies, precision: precision)
        return try adapter.map { try base.adapted(by: AdapterFolder(path: $0)) } ?? base
    }

    func embedder() throws -> ModelEmbedder {
        // Rounded weights give vectors of their own: they aren't mixed with those of the model as it is.
        let digest = try ModelDigest(cache: cache).digest(of: self)
        return try ModelEmbedder(
            load(), name: precision.map { "\(name) (\($0.rawValue))" } ?? name,
            weightsDigest: precision.map { ContentHash(of: Array("\(digest) \($0.rawValue)".utf8)).hex } ?? digest)
    }
}
