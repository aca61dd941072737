import Checkpoints
import Foundation
import Imaging
import Tensors

/// A model on disk: a folder, or a single checkpoint file.
public struct ModelFolder: Sendable {
    /// The folder or file that the user named.
    public let path: String
    /// Where configuration and tokenizer files lie: the folder, or that of the single checkpoint file.
    public let directory: URL?
    /// `config.json`; nil where there is none.
    public let config: ConfigReader?
    /// `open_clip_config.json`; nil where there is none.
    public let openCLIPConfig: ConfigReader?
    public let source: any TensorSource
    /// What the matrices of linear layers are rounded to at loading; nil leaves them as they are stored.
    public let precision: WeightFormat?
    /// Where vocabularies lie that checkpoints without a tokenizer take for granted.
    public let vocabularies: URL?

    /// Throws a `CheckpointError` that names the file which is absent or wrong.
    public init(path: String, vocabularies: URL? = nil, precision: WeightFormat? = nil) throws {
        var isDirectory: ObjCBool = false
        guard FileManager.default.fileExists(atPath: path, isDirectory: &isDirectory) else {
            throw CheckpointError.unreadable(file: path, reason: "no such file or folder")
        }
        self.path = path
        self.vocabularies = vocabularies
        self.precision = precision
        let place = URL(fileURLWithPath: path, isDirectory: isDirectory.boolValue)
        directory = isDirectory.boolValue ? place : place.deletingLastPathComponent()
        config = try ModelFolder.config("config.json", in: directory)
        openCLIPConfig = try ModelFolder.config("open_clip_config.json", in: directory)
        source = try CheckpointFile.open(path)
    }

    /// A model out of parts, for tests and converters.
    public init(
        path: String, config: ConfigReader?, source: any TensorSource, directory: URL? = nil, vocabularies: URL? = nil,
        precision: WeightFormat? = nil
    ) {
        (self.path, self.config, self.source, self.directory, self.vocabularies) = (path, config, source, directory, vocabularies)
        self.precision = precision
        openCLIPConfig = nil
    }

    private init(_ other: ModelFolder, directory: URL?, source: any TensorSource) {
        (path, config, openCLIPConfig, self.directory) = (other.path, other.config, other.openCLIPConfig, directory)
        (vocabularies, precision, self.source) = (directory == nil ? nil : other.vocabularies, other.precision, source)
    }

    /// The same model over other weights.
    func replacing(source: any TensorSource) -> ModelFolder { ModelFolder(self, directory: directory, source: source) }

    /// The same network over other weights, without the files beside them: a model built from it has neither tokenizer nor transform,
    /// which training loads once.
    public func network(over source: any TensorSource) -> ModelFolder { ModelFolder(self, directory: nil, source: source) }

    private static func config(_ name: String, in directory: URL?) throws -> ConfigReader? {
        guard let file = directory?.appendingPathComponent(name).path, FileManager.default.fileExists(atPath: file) else { return nil }
        return try ConfigReader(path: file)
    }

    /// The path of a file of the folder, nil where it is absent.
    public func file(_ name: String) -> String? {
        guard let path = directory?.appendingPathComponent(name).path, FileManager.default.fileExists(atPath: path) else { return nil }
        return path
    }

    public var modelType: String? { config?.raw("model_type")?.string }
    public func has(_ key: String) -> Bool { source.entry(key) != nil }
    public func hasPrefix(_ prefix: String) -> Bool { source.entries.contains { $0.name.hasPrefix(prefix) } }
    public func shape(_ key: String) -> [Int]? { source.entry(key)?.shape }

    /// The largest number that follows `prefix` in the names, plus one: how many layers there are.
    public func layerCount(_ prefix: String) -> Int {
        source.entries.lazy.filter { $0.name.hasPrefix(prefix) }
            .compactMap { Int($0.name.dropFirst(prefix.count).prefix { $0.isNumber }) }.max().map { $0 + 1 } ?? 0
    }

    /// The configuration, which must be there.
    public func requireConfig() throws -> ConfigReader {
        guard let config else {
            throw CheckpointError.unreadable(
                file: path + "/config.json", reason: "no such file; a Hugging Face folder has it beside the weights")
        }
        return config
    }

    /// The transform that `preprocessor_config.json` asks for; the family's own where there is no such file.
    public func transform(default own: ImageTransform) throws -> ImageTransform {
        guard let file = file("preprocessor_config.json") else { return own }
        do {
            return try ImageTransform(huggingFace: [UInt8](Data(contentsOf: URL(fileURLWithPath: file))))
        } catch let error as TransformConfigurationError {
            throw CheckpointError.unreadable(file: file, reason: "\(error.field): \(error.problem)")
        }
    }

    /// open_clip's transform for pictures of the model's size, from `open_clip_config.json`.
    public func openCLIPTransform(image: Int) throws -> ImageTransform? {
        guard let file = file("open_clip_config.json") else { return nil }
        do {
            return try ImageTransform(openCLIP: [UInt8](Data(contentsOf: URL(fileURLWithPath: file))), imageSize: image)
        } catch let error as TransformConfigurationError {
            throw CheckpointError.unreadable(file: file, reason: "\(error.field): \(error.problem)")
        }
    }

    /// Names of the classes in `config.json`'s `id2label`, by index.
    public func labels(_ count: Int) -> [String] {
        guard let table = config?.raw("id2label")?.object else { return [] }
        return (0..<count).map { table[String($0)]?.string ?? "class \($0)" }
    }
}
