import Checkpoints
import Foundation
import Tensors

/// From a package's ONNX file to a model folder: `config.json`, `preprocessor_config.json`, `model.safetensors`, all f32.
enum WeightConversion {
    static func convert(_ package: ModelPackage, onnx path: String, further: [String], into folder: String) throws {
        let graph = try ONNXFile(path: path)
        let weights: [String: Tensor], texts: [String: String]
        switch package.conversion {
        case let .shipped(tower, texts):
            let fetched =
                switch tower {
                case .clip: try CLIPVisionConversion.weights(graph)
                case .dinov2:
                    Dictionary(uniqueKeysWithValues: try DINOv2Conversion.weights(graph).map { ("vision_model." + $0.key, $0.value) })
                }
            return try write(package, ShippedWeights.combine(package.name, tower: fetched, texts: texts), into: folder)
        case .clipVision: (weights, texts) = (try CLIPVisionConversion.weights(graph), CLIPVisionConversion.texts)
        case .dinov2: (weights, texts) = (try DINOv2Conversion.weights(graph), DINOv2Conversion.texts)
        case .tinyViT: (weights, texts) = (try TinyViTConversion.weights(graph), TinyViTConversion.texts)
        case .resNetV2: (weights, texts) = (try ResNetV2Conversion.weights(graph), ResNetV2Conversion.texts)
        case .ppocr:
            let parts = try further.map { try ONNXFile(path: $0) }
            weights = try PPOCRConversion.weights(detector: graph, recognizer: parts[0], direction: parts[1])
            texts = ["config.json": try PPOCRConversion.config(recognizer: parts[0])]
        case .text, .gzippedText, .folder, .checkpoint: return
        }
        try write(package, (weights, texts.mapValues { Data(($0 + "\n").utf8) }), into: folder)
    }

    private static func write(
        _ package: ModelPackage, _ made: (weights: [String: Tensor], files: [String: Data]), into folder: String
    ) throws {
        let notes = ["format": "pt", "package": package.requirement, "sha256": package.memberSHA256, "license": package.license]
        try SafetensorsWriter.write(made.weights, metadata: notes, to: folder + "/model.safetensors")
        for (name, data) in made.files {
            let file = try AtomicFile(path: folder + "/" + name)
            try file.write(Array(data))
            try file.commit()
        }
    }
}

extension ONNXFile {
    /// An initialiser as f32.
    func floats(_ name: String) throws(CheckpointError) -> Tensor { try tensor(name).asType(.f32) }

    /// `[inputs, outputs]` as ONNX multiplies, turned to the `[outputs, inputs]` of a linear layer.
    func transposedFloats(_ name: String) throws(CheckpointError) -> Tensor { try floats(name).turned(file: path, key: name) }

    func requireInputs(_ node: ONNXNode, _ count: Int) throws(CheckpointError) {
        guard node.inputs.count >= count else {
            throw .malformed(
                file: path, field: "node \(node.name)", offset: nil, problem: "\(node.inputs.count) inputs instead of \(count)")
        }
    }
}

extension Tensor {
    /// The transpose of a matrix, row-major.
    func turned(file: String, key: String) throws(CheckpointError) -> Tensor {
        do { return try transposed().contiguous() } catch { throw .operation(file: file, key: key, error) }
    }
}

extension ONNXNode {
    /// The module that a node was traced from: `/blocks.0/attn/qkv/MatMul` is `blocks.0.attn.qkv`. A scope that the next one
    /// repeats (`stages/stages.1`) is named once.
    var modulePath: String {
        let parts = name.split(separator: "/").dropLast().map(String.init)
        return parts.indices.filter { $0 + 1 == parts.count || !parts[$0 + 1].hasPrefix(parts[$0] + ".") }.map { parts[$0] }
            .joined(separator: ".")
    }
}
