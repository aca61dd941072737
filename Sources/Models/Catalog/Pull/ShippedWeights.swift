import Checkpoints
import Foundation
import Tensors

/// Weights of our own training that come with the program: matrices in 8 bits with a scale for each row, everything else in f16.
/// They are of the parts that were trained; the picture tower is fetched.
public enum ShippedWeights {
    /// Behind a matrix' name, its rows' scales.
    private static let scale = ".row_scale"

    /// What is kept of a trained model: the tensors `isKept`.
    public static func pack(_ source: any TensorSource, isKept: (String) -> Bool) throws -> [String: Tensor] {
        var packed: [String: Tensor] = [:]
        for entry in source.entries where isKept(entry.name) {
            let value = try source.tensor(entry.name).asType(.f32).contiguous()
            guard value.rank == 2, value.count >= 4096 else {
                packed[entry.name] = value.asType(.f16)
                continue
            }
            let rows = value.shape[0], columns = value.shape[1]
            let scales = value.withElements(Float.self) { values in
                (0..<rows).map { row in
                    // The scale as f16 stores it, so that rounding to bytes knows it.
                    let largest = (0..<columns).reduce(Float(0)) { max($0, abs(values[row * columns + $1])) }
                    return Tensor(max(largest / 127, 1e-7)).asType(.f16).asType(.f32).scalar
                }
            }
            packed[entry.name + scale] = try Tensor(scales, [rows]).asType(.f16)
            let bytes = value.withElements(Float.self) { values in
                (0..<rows * columns).map { Int8(clamping: Int((values[$0] / scales[$0 / columns]).rounded())) }
            }
            packed[entry.name] = try Tensor(bytes, [rows, columns])
        }
        return packed
    }

    /// The values as f32.
    static func unpack(_ file: SafetensorsFile) throws(CheckpointError) -> [String: Tensor] {
        var weights: [String: Tensor] = [:]
        for entry in file.entries where !entry.name.hasSuffix(scale) {
            let value = try file.tensor(entry.name).asType(.f32)
            guard file.entry(entry.name + scale) != nil else {
                weights[entry.name] = value
                continue
            }
            let scales = try file.tensor(entry.name + scale).asType(.f32)
            do {
                weights[entry.name] = try value * scales.expandedDim(1)
            } catch {
                throw .operation(file: file.path, key: entry.name, error)
            }
        }
        return weights
    }

    /// The folder of a shipped model: beside the program as it is built, or under `share` as it is installed.
    static func folder(_ name: String) throws(PullError) -> String {
        let places = ProgramFolder.places(share: "models", bundle: "Sensorium_Catalog.resources/Shipped")
        for place in places where FileManager.default.fileExists(atPath: place + "/" + name) { return place + "/" + name }
        throw .disk(
            path: name,
            reason:
                "the weights that come with the program aren't in \(places.joined(separator: " or ")): install it whole (`make install`)")
    }

    /// A model folder's files: fetched tower, our weights, configuration and tokenizer.
    /// - Parameter texts: the shipped model whose text tower and tokenizer are this one's, too; nil where it has its own.
    static func combine(
        _ name: String, tower: [String: Tensor], texts: String?
    ) throws -> (weights: [String: Tensor], files: [String: Data]) {
        let folder = try folder(name), textFolder = try texts.map(Self.folder) ?? folder
        var weights = tower.merging(try unpack(SafetensorsFile(path: folder + "/trained.safetensors"))) { $1 }
        if texts != nil {
            weights.merge(try unpack(SafetensorsFile(path: textFolder + "/trained.safetensors")).filter { isText($0.key) }) { $1 }
        }
        var files: [String: Data] = [:]
        for (file, place) in [("config.json", folder), ("preprocessor_config.json", folder), ("tokenizer.json", textFolder)] {
            guard let data = FileManager.default.contents(atPath: place + "/" + file) else {
                throw PullError.disk(path: place + "/" + file, reason: "it can't be read")
            }
            files[file] = data
        }
        return (weights, files)
    }

    /// Whether a tensor belongs to the text tower.
    public static func isText(_ name: String) -> Bool { name.hasPrefix("text_model.") || name.hasPrefix("text_projection.") }
}
