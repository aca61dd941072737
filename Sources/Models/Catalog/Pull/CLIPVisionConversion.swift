import Checkpoints
import Tensors

/// The picture tower of CLIP ViT-B/16, 8-bit matrices with a scale and a zero point per output, to the names of
/// `CLIPVisionModelWithProjection`. The matrices are multiplied out to f32: the graph's own 8-bit activations cost accuracy
/// (cosine .977 to the float graph), the 8-bit weights don't.
enum CLIPVisionConversion {
    static func weights(_ graph: ONNXFile) throws(CheckpointError) -> [String: Tensor] {
        var weights: [String: Tensor] = [:]
        for entry in graph.entries where entry.name.hasPrefix("vision_model.") { weights[entry.name] = try graph.floats(entry.name) }
        for node in graph.nodes where node.operation == "MatMulInteger" {
            try graph.requireInputs(node, 2)
            let quantised = node.inputs[1]
            let base = quantised.hasSuffix("_quantized") ? String(quantised.dropLast("_quantized".count)) : quantised
            weights[node.modulePath + ".weight"] = try dequantised(graph, quantised, base)
        }
        return weights
    }

    /// `(w - zero point) * scale` per column of `[inputs, outputs]`, as `[outputs, inputs]`.
    private static func dequantised(_ graph: ONNXFile, _ name: String, _ base: String) throws(CheckpointError) -> Tensor {
        let values = try graph.transposedFloats(name)
        let scale = try graph.floats(base + "_scale"), zero = try graph.floats(base + "_zero_point")
        guard values.rank == 2, scale.count == values.shape[0], zero.count == values.shape[0] else {
            throw .malformed(file: graph.path, field: name, offset: nil, problem: "one scale and zero point per output are expected")
        }
        let scales = scale.floats(), zeros = zero.floats(), inputs = values.shape[1]
        return values.withElements(Float.self) { source in
            Tensor.makeFloats(values.shape) { out in
                for row in scales.indices {
                    for at in row * inputs..<(row + 1) * inputs { out[at] = (source[at] - zeros[row]) * scales[row] }
                }
            }
        }
    }

    static let texts = [
        "config.json": """
        {
          "architectures": ["CLIPVisionModelWithProjection"],
          "model_type": "clip_vision_model",
          "attention_dropout": 0.0,
          "hidden_act": "quick_gelu",
          "hidden_size": 768,
          "image_size": 224,
          "intermediate_size": 3072,
          "layer_norm_eps": 1e-05,
          "num_attention_heads": 12,
          "num_channels": 3,
          "num_hidden_layers": 12,
          "patch_size": 16,
          "projection_dim": 512
        }
        """,
        "preprocessor_config.json": PreprocessorText.centreCrop(
            processor: "CLIPImageProcessor", edge: 224, resample: 3, mean: "0.48145466, 0.4578275, 0.40821073",
            std: "0.26862954, 0.26130258, 0.27577711"),
    ]
}

/// `preprocessor_config.json` of a resize of the shorter edge and a centre crop to 224.
enum PreprocessorText {
    static let imageNetMean = "0.485, 0.456, 0.406"
    static let imageNetStd = "0.229, 0.224, 0.225"

    /// - Parameter resample: Pillow's number: 2 bilinear, 3 bicubic.
    static func centreCrop(processor: String, edge: Int, resample: Int, mean: String = imageNetMean, std: String = imageNetStd) -> String {
        """
        {
          "image_processor_type": "\(processor)",
          "do_convert_rgb": true,
          "do_resize": true,
          "size": {"shortest_edge": \(edge)},
          "resample": \(resample),
          "do_center_crop": true,
          "crop_size": {"height": 224, "width": 224},
          "do_rescale": true,
          "rescale_factor": 0.00392156862745098,
          "do_normalize": true,
          "image_mean": [\(mean)],
          "image_std": [\(std)]
        }
        """
    }
}
