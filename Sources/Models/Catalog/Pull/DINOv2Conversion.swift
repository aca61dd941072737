import Checkpoints
import Tensors

/// DINOv2 ViT-S/14 to the names of `Dinov2Model`. The position table is baked for 224 x 224 as the graph itself resizes it.
enum DINOv2Conversion {
    static func weights(_ graph: ONNXFile) throws(CheckpointError) -> [String: Tensor] {
        var stored: [String: Tensor] = [:]
        for entry in graph.entries where entry.name.hasPrefix("model.") {
            stored[String(entry.name.dropFirst("model.".count))] = try graph.floats(entry.name)
        }
        for node in graph.nodes where node.operation == "MatMul" && node.inputs.count == 2 && graph.entry(node.inputs[1]) != nil {
            stored[node.modulePath + ".weight"] = try graph.transposedFloats(node.inputs[1])
        }
        guard let classToken = stored.removeValue(forKey: "cls_token") else { throw missing(graph, "model.cls_token") }
        var weights: [String: Tensor] = [:]
        for (name, tensor) in stored {
            if let layer = fusedLayer(name) {
                let parts: [Tensor]
                do { parts = try tensor.split(0, sizes: [Int](repeating: tensor.dim(0) / 3, count: 3)) } catch {
                    throw .operation(file: graph.path, key: name, error)
                }
                let kind = name.hasSuffix(".weight") ? "weight" : "bias"
                for (part, piece) in zip(["query", "key", "value"], parts) {
                    weights["encoder.layer.\(layer).attention.attention.\(part).\(kind)"] = piece
                }
            } else {
                weights[renamed(name)] = tensor
            }
        }
        weights["embeddings.cls_token"] = classToken
        weights["embeddings.position_embeddings"] = try positions(graph, classToken)
        // The graph has no use for the token of masked training; the reference's loader asks for it.
        weights["embeddings.mask_token"] = Tensor.zeros([1, 384])
        return weights
    }

    private static func missing(_ graph: ONNXFile, _ key: String) -> CheckpointError { .absent(file: graph.path, key: key, near: []) }

    private static func fusedLayer(_ name: String) -> Substring? {
        let parts = name.split(separator: ".")
        return parts.count == 5 && parts[0] == "blocks" && parts[3] == "qkv" ? parts[1] : nil
    }

    private static func renamed(_ name: String) -> String {
        let parts = name.split(separator: ".").map(String.init)
        if parts.starts(with: ["patch_embed", "proj"]) {
            return "embeddings.patch_embeddings.projection." + parts[2...].joined(separator: ".")
        }
        if parts.first == "norm" { return "layernorm." + parts[1...].joined(separator: ".") }
        guard parts.count >= 4, parts[0] == "blocks" else { return name }
        let layer = "encoder.layer.\(parts[1])."
        switch parts[2] {
        case "ls1": return layer + "layer_scale1.lambda1"
        case "ls2": return layer + "layer_scale2.lambda1"
        case "attn": return layer + "attention.output.dense." + parts[4...].joined(separator: ".")
        default: return layer + parts[2...].joined(separator: ".")
        }
    }

    /// Class position, then 16 x 16 patches. The graph adds the class token itself as the class position (the exporter stores equal
    /// tensors once), and resizes 37 x 37 by the scale 16.1 / 37, bilinearly, where transformers resizes bicubically to the size.
    private static func positions(_ graph: ONNXFile, _ classToken: Tensor) throws(CheckpointError) -> Tensor {
        guard let entry = graph.entries.first(where: { $0.shape == [1, 37 * 37, 384] }) else {
            throw missing(graph, "position table of shape [1, 1369, 384]")
        }
        let table = try graph.floats(entry.name)
        let patches = table.withElements(Float.self) { bilinear($0, from: 37, to: 16, width: 384, scale: Float(16.1 / 37)) }
        do { return try Tensor.concatenated([classToken, patches], axis: 1) } catch {
            throw .operation(file: graph.path, key: entry.name, error)
        }
    }

    /// ONNX Resize: linear, half_pixel, edges repeated. Returns [1, to * to, width].
    private static func bilinear(_ table: UnsafeBufferPointer<Float>, from: Int, to: Int, width: Int, scale: Float) -> Tensor {
        let taps = (0..<to).map { index -> (low: Int, high: Int, part: Float) in
            let source = min(max((Float(index) + 0.5) / scale - 0.5, 0), Float(from - 1))
            let low = Int(source)
            return (low, min(low + 1, from - 1), source - Float(low))
        }
        return Tensor.makeFloats([1, to * to, width]) { out in
            for (y, row) in taps.enumerated() {
                for (x, column) in taps.enumerated() {
                    for c in 0..<width {
                        func mixedRow(_ x: Int) -> Float {
                            table[(row.low * from + x) * width + c] * (1 - row.part) + table[(row.high * from + x) * width + c] * row.part
                        }
                        out[(y * to + x) * width + c] = mixedRow(column.low) * (1 - column.part) + mixedRow(column.high) * column.part
                    }
                }
            }
        }
    }

    static let texts = [
        "config.json": """
        {
          "architectures": ["Dinov2Model"],
          "model_type": "dinov2",
          "apply_layernorm": true,
          "hidden_act": "gelu",
          "hidden_size": 384,
          "image_size": 224,
          "layer_norm_eps": 1e-06,
          "layerscale_value": 1.0,
          "mlp_ratio": 4,
          "num_attention_heads": 6,
          "num_channels": 3,
          "num_hidden_layers": 12,
          "patch_size": 14,
          "qkv_bias": true,
          "use_mask_token": true,
          "use_swiglu_ffn": false
        }
        """,
        "preprocessor_config.json": PreprocessorText.centreCrop(processor: "BitImageProcessor", edge: 256, resample: 3),
    ]
}
