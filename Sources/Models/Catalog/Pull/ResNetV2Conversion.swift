import Checkpoints
import Tensors

/// ResNet-18 v2 of the ONNX model zoo (a Gluon export) to the names of our ResNet family. Gluon numbers convolutions in the order
/// in which they are made; the shortcut of a stage's first block is made third.
enum ResNetV2Conversion {
    static func weights(_ graph: ONNXFile) throws(CheckpointError) -> [String: Tensor] {
        let prefix = "resnetv22_"
        var weights = [
            "classifier.weight": try graph.floats(prefix + "dense0_weight"), "classifier.bias": try graph.floats(prefix + "dense0_bias"),
            "stem.conv.weight": try graph.floats(prefix + "conv0_weight"),
        ]
        func norm(_ target: String, _ source: String) throws(CheckpointError) {
            for (ours, theirs) in [("weight", "gamma"), ("bias", "beta"), ("running_mean", "running_mean"), ("running_var", "running_var")]
            {
                weights["\(target).\(ours)"] = try graph.floats("\(prefix)\(source)_\(theirs)")
            }
        }
        for (index, target) in ["input_norm", "stem.norm", "norm"].enumerated() { try norm(target, "batchnorm\(index)") }
        for stage in 0..<4 {
            let convolutions = ["0.conv1", "0.conv2"] + (stage > 0 ? ["0.downsample"] : []) + ["1.conv1", "1.conv2"]
            for (index, name) in convolutions.enumerated() {
                weights["stages.\(stage).\(name).weight"] = try graph.floats("\(prefix)stage\(stage + 1)_conv\(index)_weight")
            }
            for index in 0..<4 { try norm("stages.\(stage).\(index / 2).norm\(index % 2 + 1)", "stage\(stage + 1)_batchnorm\(index)") }
        }
        return weights
    }

    static let texts = [
        "config.json": """
        {
          "architectures": ["ResNetV2ForImageClassification"],
          "model_type": "resnet_v2",
          "embedding_size": 64,
          "hidden_sizes": [64, 128, 256, 512],
          "depths": [2, 2, 2, 2],
          "layer_type": "basic",
          "batch_norm_eps": 1e-05,
          "num_labels": 1000
        }
        """,
        "preprocessor_config.json": PreprocessorText.centreCrop(processor: "BitImageProcessor", edge: 256, resample: 2),
    ]
}
