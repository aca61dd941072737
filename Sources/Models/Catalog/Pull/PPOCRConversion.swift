import Checkpoints
import Tensors

/// PP-OCRv6's small detector and line reader and PP-OCR's classifier of turned lines, as rapidocr's wheel holds them, to the names of its
/// PyTorch networks merged for inference. The exporter numbered what it wrote: convolutions are named in the order of the graph, which is
/// that of the forward pass.
enum PPOCRConversion {
    /// A stage of PP-LCNetV4: channels of its blocks, which of them have a gate, the first one's stride.
    private struct Stage {
        var name: String
        var widths, gated: [Int]
        var stride = [1, 1]
    }

    private static let detectorStages = [
        Stage(name: "blocks_s1", widths: [48, 48], gated: [1, 0]),
        Stage(name: "blocks_s2", widths: [96, 96, 96], gated: [0, 1, 0], stride: [2, 2]),
        Stage(name: "blocks_s3", widths: [192, 192, 192, 192, 192], gated: [0, 1, 0, 1, 0], stride: [2, 2]),
        Stage(name: "blocks_s4", widths: [384, 384, 384], gated: [0, 1, 0], stride: [2, 2]),
    ]
    private static let recognizerStages = [
        Stage(name: "blocks2", widths: [96], gated: [1]),
        Stage(name: "blocks3", widths: [96, 96], gated: [0, 0]),
        Stage(name: "blocks4", widths: [192, 192, 192, 192, 192, 192, 192], gated: [0, 1, 0, 1, 0, 1, 0], stride: [2, 1]),
        Stage(name: "blocks5", widths: [384, 384, 384], gated: [0, 1, 0], stride: [2, 1]),
    ]

    static func weights(
        detector: ONNXFile, recognizer: ONNXFile, direction: ONNXFile
    ) throws(CheckpointError) -> [String: Tensor] {
        var weights: [String: Tensor] = [:]
        for (name, tensor) in try self.detector(detector) { weights["detector." + name] = tensor }
        for (name, tensor) in try self.recognizer(recognizer) { weights["recognizer." + name] = tensor }
        for (name, tensor) in try self.direction(direction) { weights["direction." + name] = tensor }
        return weights
    }

    // MARK: Detector

    private static func detector(_ graph: ONNXFile) throws(CheckpointError) -> [String: Tensor] {
        var names = backbone("backbone.stem", detectorStages)
        let levels = detectorStages.indices.reversed()
        for level in levels {
            let part = "neck.ins_conv.\(level)"
            names += ["\(part).in_conv", "\(part).se_block.conv1", "\(part).se_block.conv2"]
        }
        for level in levels {
            names += ["neck.inp_conv_dw.\(level).lk_origin", "neck.inp_conv_pw.\(level)"]
            names += ["neck.inp_conv_se.\(level).conv1", "neck.inp_conv_se.\(level).conv2"]
        }
        names.append("head.binarize.conv1")
        var weights = try convolutions(graph, "Conv", names)
        weights.merge(try convolutions(graph, "ConvTranspose", ["head.binarize.conv2", "head.binarize.conv3"])) { $1 }
        return weights
    }

    // MARK: Line reader

    private static func recognizer(_ graph: ONNXFile) throws(CheckpointError) -> [String: Tensor] {
        let neck = "head.ctc_encoder.encoder"
        var weights = try convolutions(
            graph, "Conv",
            backbone("backbone.conv1", recognizerStages) + ["skip_conv.conv", "conv_reduce.conv", "local_conv.0"].map { "\(neck).\($0)" })
        let norms = graph.nodes.filter { $0.operation == "BatchNormalization" }
        for (node, name) in try pairs(graph, norms, ["skip_conv.norm", "conv_reduce.norm", "local_conv.1"]) {
            try graph.requireInputs(node, 5)
            for (index, part) in ["weight", "bias", "running_mean", "running_var"].enumerated() {
                weights["\(neck).\(name).\(part)"] = try graph.floats(node.inputs[index + 1])
            }
        }
        let blocks = (0..<2).map { "\(neck).svtr_block.\($0)" }
        let products = graph.nodes.filter { $0.operation == "MatMul" && $0.inputs.count == 2 && graph.entry($0.inputs[1]) != nil }
        let linear = blocks.flatMap { block in ["mixer.qkv", "mixer.proj", "mlp.fc1", "mlp.fc2"].map { "\(block).\($0)" } }
        for (node, name) in try pairs(graph, products, linear + ["head.ctc_head.fc"]) {
            weights["\(name).weight"] = try graph.transposedFloats(node.inputs[1])
            weights["\(name).bias"] = try bias(graph, of: node)
        }
        // A layer norm ends in a product with its weight, a vector, and the sum with its bias.
        let scales = graph.nodes.filter {
            $0.operation == "Mul" && $0.inputs.count == 2 && (graph.entry($0.inputs[1])?.shape.first ?? 0) > 1
        }
        for (node, name) in try pairs(graph, scales, blocks.flatMap { ["\($0).norm1", "\($0).norm2"] } + ["\(neck).norm"]) {
            weights["\(name).weight"] = try graph.floats(node.inputs[1])
            weights["\(name).bias"] = try bias(graph, of: node)
        }
        return weights
    }

    // MARK: Turned lines

    private static func direction(_ graph: ONNXFile) throws(CheckpointError) -> [String: Tensor] {
        let parts = [
            "expand": "expand_conv", "depthwise": "bottleneck_conv", "linear": "linear_conv", "se_1": "mid_se.conv1",
            "se_2": "mid_se.conv2",
        ]
        let kinds = [
            "_weights": "conv.weight", "_bn_scale": "bn.weight", "_bn_offset": "bn.bias", "_bn_mean": "bn.running_mean",
            "_bn_variance": "bn.running_var",
        ]
        var weights = [
            "head.fc.weight": try graph.transposedFloats("fc_0.w_0"), "head.fc.bias": try graph.floats("fc_0.b_0"),
        ]
        for entry in graph.entries {
            for (ending, kind) in kinds where entry.name.hasSuffix(ending) {
                let stem = entry.name.dropLast(ending.count)
                if stem == "conv1" || stem == "conv_last" {
                    weights["backbone.\(stem == "conv1" ? "conv1" : "conv2").\(kind)"] = try graph.floats(entry.name)
                } else if let (block, part) = blockPart(stem), let name = parts[part] {
                    let inner = part.hasPrefix("se") ? "weight" : kind
                    weights["backbone.blocks.\(block).\(name).\(inner)"] = try graph.floats(entry.name)
                }
            }
            if entry.name.hasSuffix("_offset"), let (block, part) = blockPart(entry.name.dropLast("_offset".count)), part.hasPrefix("se"),
                let name = parts[part]
            {
                weights["backbone.blocks.\(block).\(name).bias"] = try graph.floats(entry.name)
            }
        }
        return weights
    }

    /// `conv5_se_1` is the part `se_1` of block 3: the first block is `conv2`.
    private static func blockPart(_ stem: Substring) -> (block: Int, part: String)? {
        guard stem.hasPrefix("conv"), let mark = stem.firstIndex(of: "_"), let number = Int(stem[..<mark].dropFirst(4)), number >= 2 else {
            return nil
        }
        return (number - 2, String(stem[mark...].dropFirst()))
    }

    // MARK: The graph

    private static func backbone(_ stem: String, _ stages: [Stage]) -> [String] {
        var names = ["stem1", "stem2a", "stem2b", "stem3", "stem4"].map { "\(stem).\($0).conv" }
        for stage in stages {
            for index in stage.widths.indices {
                let block = "backbone.\(stage.name).\(index)"
                let isFirst = index == 0 && stage.stride != [1, 1]
                names.append("\(block).token_mixer." + (isFirst ? "dw_conv" : "rep_dw.reparam_conv"))
                if stage.gated[index] == 1 { names += ["\(block).token_mixer.se.conv1", "\(block).token_mixer.se.conv2"] }
                names += ["\(block).channel_mixer.expand", "\(block).channel_mixer.compress"]
            }
        }
        return names
    }

    private static func convolutions(
        _ graph: ONNXFile, _ operation: String, _ names: [String]
    ) throws(CheckpointError) -> [String: Tensor] {
        var weights: [String: Tensor] = [:]
        for (node, name) in try pairs(graph, graph.nodes.filter { $0.operation == operation }, names) {
            try graph.requireInputs(node, 2)
            weights["\(name).weight"] = try graph.floats(node.inputs[1])
            if let bias = try bias(graph, of: node) { weights["\(name).bias"] = bias }
        }
        return weights
    }

    private static func pairs(
        _ graph: ONNXFile, _ nodes: [ONNXNode], _ names: [String]
    ) throws(CheckpointError) -> [(ONNXNode, String)] {
        guard nodes.count == names.count else {
            throw .malformed(
                file: graph.path, field: "nodes", offset: nil,
                problem: "\(nodes.count) \(nodes.first?.operation ?? "") nodes with weights instead of \(names.count)")
        }
        return Array(zip(nodes, names))
    }

    /// What a sum adds to the node's result, where that is stored, as a vector.
    private static func bias(_ graph: ONNXFile, of node: ONNXNode) throws(CheckpointError) -> Tensor? {
        guard let output = node.outputs.first else { return nil }
        // The exporter passes some results through nodes that change nothing.
        let names = [output] + graph.nodes.filter { $0.operation == "Identity" && $0.inputs == [output] }.flatMap(\.outputs)
        let sum = graph.nodes.first {
            $0.operation == "Add" && $0.inputs.count == 2 && names.contains($0.inputs[0]) && graph.entry($0.inputs[1]) != nil
        }
        guard let sum else { return nil }
        let stored = try graph.floats(sum.inputs[1])
        do { return try stored.reshaped([stored.count]) } catch { throw .operation(file: graph.path, key: sum.inputs[1], error) }
    }

    // MARK: Configuration

    static func config(recognizer graph: ONNXFile) throws(CheckpointError) -> String {
        let lines = (graph.metadata["character"] ?? "").split(separator: "\n", omittingEmptySubsequences: false)
        guard lines.count > 1, lines.allSatisfy({ $0.unicodeScalars.count == 1 }) else {
            throw .malformed(
                file: graph.path, field: "metadata character", offset: nil, problem: "one character on each line is expected")
        }
        return """
            {
              "architectures": ["PPOCR"],
              "model_type": "ppocr",
              "detector": {
                "backbone": { "stem": [24, 48], "stages": \(json(detectorStages)) },
                "neck_width": 96,
                "neck_kernel": 7
              },
              "recognizer": {
                "backbone": { "stem": [48, 96], "stages": \(json(recognizerStages)) },
                "line_height": 48,
                "neck_width": 120,
                "neck_depth": 2,
                "neck_heads": 8,
                "neck_hidden": 240,
                "neck_kernel": 7,
                "characters": \(JSONText.quoted(lines.joined()))
              },
              "direction": {
                "line_height": 48,
                "line_width": 192,
                "stem": 8,
                "kernels": [3, 3, 3, 5, 5, 5, 5, 5, 5, 5, 5],
                "hidden": [8, 24, 32, 32, 88, 88, 40, 48, 104, 200, 200],
                "widths": [8, 8, 8, 16, 16, 16, 16, 16, 32, 32, 32],
                "strides": [2, 2, 1, 2, 1, 1, 1, 1, 2, 1, 1],
                "gated": [1, 0, 0, 1, 1, 1, 1, 1, 1, 1, 1],
                "hard_swish": [0, 0, 0, 1, 1, 1, 1, 1, 1, 1, 1],
                "output": 200
              }
            }
            """
    }

    private static func json(_ stages: [Stage]) -> String {
        let texts = stages.map { "{ \"widths\": \($0.widths), \"gated\": \($0.gated), \"stride\": \($0.stride) }" }
        return "[\n      " + texts.joined(separator: ",\n      ") + "\n    ]"
    }
}
