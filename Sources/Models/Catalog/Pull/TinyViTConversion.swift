import Checkpoints
import Tensors

/// TinyViT-5M to timm's names. The exporter folded every BatchNorm into its convolution, so each `conv` has a bias and no `bn`.
enum TinyViTConversion {
    static func weights(_ graph: ONNXFile) throws(CheckpointError) -> [String: Tensor] {
        var weights: [String: Tensor] = [:]
        let parameters = ["weight", "bias", "attention_biases"]
        for entry in graph.entries
        where parameters.contains(String(entry.name.split(separator: ".").last ?? "")) && !entry.name.hasPrefix("onnx::") {
            weights[entry.name] = try graph.floats(entry.name)
        }
        for node in graph.nodes {
            if node.operation == "Conv" {
                try graph.requireInputs(node, 3)
                weights[node.modulePath + ".weight"] = try graph.floats(node.inputs[1])
                weights[node.modulePath + ".bias"] = try graph.floats(node.inputs[2])
            } else if node.operation == "MatMul", node.inputs.count == 2, graph.entry(node.inputs[1]) != nil {
                weights[node.modulePath + ".weight"] = try graph.transposedFloats(node.inputs[1])
            }
        }
        return weights
    }

    /// timm's own config names the preprocessing too.
    static let texts = [
        "config.json": """
        {
          "architecture": "tiny_vit_5m_224",
          "num_classes": 0,
          "num_features": 320,
          "global_pool": "avg",
          "model_args": {
            "embed_dims": [64, 128, 160, 320],
            "depths": [2, 2, 6, 2],
            "num_heads": [2, 4, 5, 10],
            "window_sizes": [7, 7, 14, 7],
            "mlp_ratio": 4.0
          },
          "pretrained_cfg": {
            "input_size": [3, 224, 224],
            "interpolation": "bicubic",
            "crop_pct": 0.95,
            "crop_mode": "center",
            "mean": [0.485, 0.456, 0.406],
            "std": [0.229, 0.224, 0.225],
            "num_classes": 0
          }
        }
        """
    ]
}
