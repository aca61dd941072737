import Catalog
import ModelKit
import PictureLibrary
import Pipelines
import Synchronization
import Tensors

/// The models that requests may name, each loaded when it is first asked for, the last ones kept. Requests never name a path.
final class ModelShelf: Sendable {
    private static let mostLoaded = 4

    private let settings: ServiceSettings
    private let cache: ModelCache
    private let loaded = Mutex<[(key: String, model: LoadedModel)]>([])
    private let onLoad: @Sendable (String) -> Void

    init(_ settings: ServiceSettings, cache: ModelCache = ModelCache(), onLoad: @escaping @Sendable (String) -> Void = { _ in }) {
        (self.settings, self.cache, self.onLoad) = (settings, cache, onLoad)
    }

    /// What was fetched, or what the settings name, and the language model.
    var names: [String] {
        let named = settings.models ?? ModelPackage.all.filter { !$0.name.contains("/") && cache.has($0) }.map(\.name)
        return named
            + [settings.languageModel, settings.model].compactMap { $0 }.filter { name in
                !named.contains(name) && (settings.models?.contains(name) ?? false || (try? ModelPlace(name, cache: cache)) != nil)
            }
    }

    /// Whether it was fetched.
    func has(_ package: ModelPackage) -> Bool { cache.has(package) }

    /// Finds models for a library: any place, as the library itself remembers it, loaded once for all.
    var find: ModelFinder {
        { spec, precision in ShelvedModel(place: try ModelPlace(spec, precision: precision, cache: self.cache), shelf: self) }
    }

    /// - Throws: `APIError` 404 for a name that isn't offered.
    func source(_ name: String) throws -> ShelvedModel {
        let names = names
        guard names.contains(name) else {
            throw APIError(
                .notFound, "model_not_found", "there is no model \(name.prefix(100)) here; there are \(names.joined(separator: ", "))",
                field: "model")
        }
        return ShelvedModel(place: try ModelPlace(name, cache: cache), shelf: self)
    }

    func model(_ place: ModelPlace) throws -> LoadedModel {
        let key = place.spec + "\t" + (place.precision?.rawValue ?? "")
        // Whoever comes while a model is loaded waits: two loading at once would be slower than one after the other.
        return try loaded.withLock { loaded in
            if let position = loaded.firstIndex(where: { $0.key == key }) {
                loaded.append(loaded.remove(at: position))
                return loaded[loaded.count - 1].model
            }
            let model = try place.load()
            onLoad(place.name)
            loaded.append((key, model))
            if loaded.count > Self.mostLoaded { loaded.removeFirst() }
            return model
        }
    }
}

/// A model whose weights are shared by all who ask for it.
struct ShelvedModel: ModelSource {
    let place: ModelPlace
    let shelf: ModelShelf

    var spec: String { place.spec }
    var name: String { place.name }
    var precision: WeightFormat? { place.precision }
    func load() throws -> LoadedModel { try shelf.model(place) }
    func digest() throws -> String { try place.digest() }

    func languageModel() throws -> any LanguageModel {
        let loaded = try load()
        guard let language = loaded.language else {
            throw RoleError(model: name, role: "language model", reason: "\(loaded.family) doesn't write text")
        }
        return language
    }
}
