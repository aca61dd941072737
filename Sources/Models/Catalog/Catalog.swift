import Checkpoints
import DualEncoder
import Foundation
import Language
import ModelKit
import Tensors
import Vision

/// Every family of models: the only list of them.
public enum Catalog {
    public static let all: [Family] = [
        ViT.family,
        ResNet.family,
        TinyViT.family,
        DINOv2.family,
        PPOCR.family,
        CLIP.family,
        ChineseCLIP.family,
        SigLIP.family,
        SensoriumCLIP.family,
        Llama.family,
    ]

    /// Loads a model folder or a single checkpoint file with the family that recognises it.
    /// - Parameter vocabularies: where vocabularies lie that some checkpoints take for granted.
    /// - Parameter precision: what the matrices of linear layers are rounded to; nil leaves them as they are stored.
    public static func load(path: String, vocabularies: URL? = nil, precision: WeightFormat? = nil) throws -> LoadedModel {
        try load(ModelFolder(path: path, vocabularies: vocabularies, precision: precision))
    }

    public static func load(_ folder: ModelFolder) throws -> LoadedModel {
        // Buffers that conversions of weights wanted for a while.
        defer { BufferPool.trim() }
        return try family(of: folder).load(folder)
    }

    /// Builds a model again and again, as training does: buffers stay for the next one.
    public static func rebuild(_ folder: ModelFolder) throws -> LoadedModel { try family(of: folder).load(folder) }

    public static func family(of folder: ModelFolder) throws -> Family {
        guard let family = all.first(where: { $0.recognises(folder) }) else {
            let found =
                folder.modelType.map { "its config.json says model_type \"\($0)\"" }
                ?? "it has no config.json with a model_type, and its tensors (\(folder.source.entries.prefix(3).map(\.name).joined(separator: ", ")) ...) are of no known layout"
            throw CheckpointError.unreadable(
                file: folder.path, reason: "no family reads this model: \(found). Families: \(all.map(\.name).joined(separator: ", "))")
        }
        return family
    }
}
