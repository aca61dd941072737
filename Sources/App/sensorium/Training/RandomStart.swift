import Catalog
import Checkpoints
import Foundation
import ModelKit
import Tensors

/// A model whose folder has a configuration and perhaps no weights, with random ones as the reference implementation begins: matrices,
/// positions and class tokens of deviation `initializer_range`, norms 1, biases, registers and mask tokens 0, layer scales as configured.
enum RandomStart {
    /// - Parameter path: a folder with a `config.json` of a family of picture encoders.
    static func folder(_ path: String, seed: UInt64) throws -> ModelFolder {
        let place = URL(fileURLWithPath: path, isDirectory: true), config = try ConfigReader(path: path + "/config.json")
        let type = config.raw("model_type")?.string ?? "none"
        guard ["vit", "dinov2", "dinov2_with_registers"].contains(type) else {
            throw Failure(.unusable, "\(config.file): initialise: random is for ViT and DINOv2, and the model_type is \(type)")
        }
        func folder(_ tensors: [String: Tensor]) -> ModelFolder {
            ModelFolder(path: path, config: config, source: HeldTensors(path: path, tensors), directory: place)
        }
        let deviation = try config.float("initializer_range", default: 0.02), scale = try config.float("layerscale_value", default: 1)
        var generator = RandomGenerator(seed: seed), tensors: [String: Tensor] = [:]
        for (name, shape) in try wanted(folder([:])).sorted(by: { $0.key < $1.key }) {
            let last = name.split(separator: ".").last ?? ""
            switch last {
            case "bias", "register_tokens", "mask_token": tensors[name] = .zeros(shape)
            case "weight" where shape.count == 1: tensors[name] = .ones(shape)
            case "lambda1": tensors[name] = .full(shape, scale)
            case "weight", "cls_token", "position_embeddings": tensors[name] = truncated(shape, deviation, &generator)
            default:
                throw Failure(.unusable, "\(path): initialise: random knows nothing of how \(name) \(shape) begins")
            }
        }
        return folder(tensors)
    }

    /// What the model asks of a checkpoint that has nothing.
    private static func wanted(_ folder: ModelFolder) throws -> [String: [Int]] {
        do {
            _ = try Catalog.load(folder)
        } catch CheckpointError.mismatch(let report) where report.misshapen.isEmpty && report.unused.isEmpty {
            var all: [String: [Int]] = [:]
            for missing in report.missing { all[missing.name] = missing.shape }
            // transformers' DINOv2 has one whether it is used or not.
            if folder.modelType?.hasPrefix("dinov2") == true, let width = all["embeddings.cls_token"]?.last {
                all["embeddings.mask_token"] = [1, width]
            }
            return all
        }
        return [:]
    }

    /// `torch.nn.init.trunc_normal_`: what lies further out than 2 is drawn again.
    private static func truncated(_ shape: [Int], _ deviation: Float, _ generator: inout RandomGenerator) -> Tensor {
        Tensor.makeFloats(shape) { out in
            for i in 0..<shape.reduce(1, *) {
                repeat { out[i] = generator.normal() * deviation } while abs(out[i]) > 2
            }
        }
    }
}

/// Tensors in memory as a checkpoint.
private struct HeldTensors: TensorSource {
    let path: String
    let entries: [TensorEntry]
    private let tensors: [String: Tensor]

    init(path: String, _ tensors: [String: Tensor]) {
        (self.path, self.tensors) = (path, tensors)
        entries = tensors.sorted { $0.key < $1.key }.map { name, value in
            TensorEntry(name: name, type: .native(value.dtype), shape: value.shape, byteCount: value.count * value.dtype.size)
        }
    }

    func tensor(_ name: String) throws(CheckpointError) -> Tensor {
        guard let found = tensors[name] else { throw .absent(file: path, key: "tensor \(name)", near: []) }
        return found
    }
}
