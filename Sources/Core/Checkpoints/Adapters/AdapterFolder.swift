import Foundation
import Tensors

/// A LoRA adapter as Hugging Face's PEFT keeps it: `adapter_config.json` beside `adapter_model.safetensors` (or `.bin`), whose tensors
/// are named `base_model.model.PATH.lora_A.weight` and so on.
public struct AdapterFolder: Sendable {
    public let path: String
    public let config: AdapterConfig
    /// Additions by the paths of the linear layers.
    public private(set) var layers: [String: LowRank]
    /// Parameters that were trained as they are, by their names.
    public private(set) var saved: [String: Tensor]

    private static let prefix = "base_model.model."
    private static let weightFiles = ["adapter_model.safetensors", "adapter_model.bin"]

    public static func isOne(_ path: String) -> Bool { FileManager.default.fileExists(atPath: path + "/" + AdapterConfig.fileName) }

    /// Throws a `CheckpointError` that names the file and the field or tensor.
    public init(path: String) throws(CheckpointError) {
        self.path = path
        config = try AdapterConfig(ConfigReader(path: path + "/" + AdapterConfig.fileName))
        guard let file = Self.weightFiles.map({ path + "/" + $0 }).first(where: { FileManager.default.fileExists(atPath: $0) }) else {
            throw .nothingFound(folder: path, lookedFor: Self.weightFiles)
        }
        let source = try CheckpointFile.open(file: file)
        var downs: [String: Tensor] = [:], ups: [String: Tensor] = [:]
        saved = [:]
        for entry in source.entries {
            let name = entry.name.hasPrefix(Self.prefix) ? String(entry.name.dropFirst(Self.prefix.count)) : entry.name
            let value = try source.tensor(entry.name)
            if let layer = Self.layer(of: name, LowRank.downName) {
                downs[layer] = value
            } else if let layer = Self.layer(of: name, LowRank.upName) {
                ups[layer] = value
            } else if name.contains("lora_") {
                throw .unsupported(
                    file: file, key: "tensor \(entry.name)", found: "an addition to something else than a linear layer",
                    advice: "merge the adapter with its base by PEFT's merge_and_unload and save the whole model")
            } else {
                saved[name.replacing("modules_to_save.", with: "")] = value
            }
        }
        layers = try Self.layers(downs, ups, config, file)
    }

    private static func layer(of name: String, _ ending: String) -> String? {
        name.hasSuffix("." + ending) ? String(name.dropLast(ending.count + 1)) : nil
    }

    private static func layers(
        _ downs: [String: Tensor], _ ups: [String: Tensor], _ config: AdapterConfig, _ file: String
    ) throws(CheckpointError) -> [String: LowRank] {
        guard !downs.isEmpty, downs.keys.sorted() == ups.keys.sorted() else {
            let odd = Set(downs.keys).symmetricDifference(ups.keys).sorted().first
            throw .malformed(
                file: file, field: odd.map { "the layer \($0)" } ?? "tensors", offset: nil,
                problem: odd == nil ? "there is no lora_A.weight" : "it has one of lora_A and lora_B")
        }
        var layers: [String: LowRank] = [:]
        for (path, down) in downs {
            guard let up = ups[path], down.rank == 2, up.rank == 2, down.dim(0) == up.dim(1), down.dim(0) > 0,
                down.dtype.isFloatingPoint, up.dtype.isFloatingPoint
            else {
                throw .malformed(
                    file: file, field: "the layer \(path)", offset: nil,
                    problem: "lora_A \(down.shape) and lora_B \(ups[path]?.shape ?? []) are no factors of a matrix")
            }
            layers[path] = LowRank(down: down, up: up, scale: config.scale(of: path, rank: down.dim(0)))
        }
        return layers
    }

    /// The same with the paths of a base that names its parts otherwise: PEFT's names follow the class that was trained, a checkpoint's
    /// the class that was saved, and one of them may have a component in front (`dinov2.`, `model.`).
    public func fitted(to base: any TensorSource) -> AdapterFolder {
        func fits(_ rename: (String) -> String) -> Bool { layers.keys.allSatisfy { base.entry(rename($0) + ".weight") != nil } }
        guard !fits({ $0 }), let first = layers.keys.sorted().first else { return self }
        let shorter = { (path: String) in path.firstIndex(of: ".").map { String(path[path.index(after: $0)...]) } ?? path }
        if fits(shorter) { return renamed(shorter, base) }
        let ending = ".\(first).weight"
        for entry in base.entries where entry.name.hasSuffix(ending) {
            let front = entry.name.dropLast(ending.count)
            let longer = { (path: String) in "\(front).\(path)" }
            if fits(longer) { return renamed(longer, base) }
        }
        return self
    }

    private func renamed(_ rename: (String) -> String, _ base: any TensorSource) -> AdapterFolder {
        var result = self
        result.layers = Dictionary(layers.map { (rename($0.key), $0.value) }) { first, _ in first }
        result.saved = Dictionary(saved.map { (base.entry($0.key) == nil ? rename($0.key) : $0.key, $0.value) }) { first, _ in first }
        return result
    }

    /// Writes a folder that PEFT reads. The same adapter gives the same bytes.
    public static func write(
        _ config: AdapterConfig, layers: [String: LowRank], saved: [String: Tensor], to folder: URL
    ) throws(CheckpointError) {
        var tensors: [String: Tensor] = [:]
        for (path, layer) in layers {
            tensors["\(prefix)\(path).\(LowRank.downName)"] = layer.down.detached()
            tensors["\(prefix)\(path).\(LowRank.upName)"] = layer.up.detached()
        }
        for (name, value) in saved { tensors[prefix + name] = value.detached() }
        try SafetensorsWriter.write(tensors, metadata: ["format": "pt"], to: folder.appendingPathComponent(weightFiles[0]).path)
        let file = try AtomicFile(path: folder.appendingPathComponent(AdapterConfig.fileName).path)
        try file.write(Array(config.text.utf8))
        try file.commit()
    }
}
