import Checkpoints
import Imaging
import Layers
import ModelKit
import Tensors

/// `config.json` of ResNetModel and ResNetForImageClassification (He et al. 2016), and of the pre-activation `resnet_v2`.
struct ResNetConfig: Sendable, Hashable {
    /// Channels after the stem and after each stage; blocks of each stage.
    var stem: Int
    var widths, depths: [Int]
    var channels: Int
    /// 1x1, 3x3, 1x1 convolutions in a block; otherwise two of 3x3.
    var bottleneck: Bool
    /// The stride sits in the first convolution of a bottleneck, as in the paper; otherwise in the second.
    var strideFirst: Bool
    var firstStageHalves: Bool
    var activation: Activation
    var epsilon: Float
    var classes: Int?

    init(_ config: ConfigReader, weights: ModelFolder) throws {
        let sizes = 1...1 << 20
        stem = try config.size("embedding_size", default: 64)
        widths = try config.ints("hidden_sizes", default: [256, 512, 1024, 2048], in: sizes)
        depths = try config.ints("depths", default: [3, 4, 6, 3], in: 1...1000)
        guard !widths.isEmpty else { throw config.invalid("hidden_sizes", expected: "at least one stage") }
        guard widths.count == depths.count else {
            throw config.invalid("depths", expected: "as many entries as hidden_sizes (\(widths.count))")
        }
        channels = try config.size("num_channels", default: 3)
        bottleneck = try config.string("layer_type", default: "bottleneck", among: ["basic", "bottleneck"]) == "bottleneck"
        guard !bottleneck || widths.allSatisfy({ $0 >= ResNetBlock.reduction }) else {
            throw config.invalid("hidden_sizes", expected: "at least \(ResNetBlock.reduction) channels in a bottleneck")
        }
        strideFirst = try config.bool("downsample_in_bottleneck", default: false)
        firstStageHalves = try config.bool("downsample_in_first_stage", default: false)
        activation = try config.activation("hidden_act", default: .relu)
        epsilon = try config.float("batch_norm_eps", default: 1e-5)
        classes = (weights.shape("classifier.1.weight") ?? weights.shape("classifier.weight"))?.first
    }
}

extension ResNet {
    private static func published(_ name: String, _ type: String, _ depths: [Int], model: String = "resnet") -> PublishedCheckpoint {
        let widths = [64, 128, 256, 512].map { type == "bottleneck" ? $0 * 4 : $0 }
        return .init(
            name, licence: "Apache-2.0",
            config: #"{"model_type":"\#(model)","embedding_size":64,"hidden_sizes":\#(widths),"depths":\#(depths),"layer_type":"\#(type)"}"#
        )
    }

    public static let family = Family(
        name: "ResNet", group: "Vision", summary: "Residual network, features and classifier (He et al. 2016), and its pre-activation form",
        layouts: ["Hugging Face", "ONNX model zoo v2 (converted)"],
        worstDifference: 1e-6,
        published: [
            published("microsoft/resnet-18", "basic", [2, 2, 2, 2]), published("microsoft/resnet-26", "bottleneck", [2, 2, 2, 2]),
            published("microsoft/resnet-34", "basic", [3, 4, 6, 3]), published("microsoft/resnet-50", "bottleneck", [3, 4, 6, 3]),
            published("microsoft/resnet-101", "bottleneck", [3, 4, 23, 3]), published("microsoft/resnet-152", "bottleneck", [3, 8, 36, 3]),
            published("onnx/resnet18-v2-7", "basic", [2, 2, 2, 2], model: "resnet_v2"),
            published("onnx/resnet34-v2-7", "basic", [3, 4, 6, 3], model: "resnet_v2"),
        ],
        recognises: { $0.modelType == "resnet" || $0.modelType == "resnet_v2" }, load: load)

    private static func load(_ folder: ModelFolder) throws -> LoadedModel {
        let config = try ResNetConfig(folder.requireConfig(), weights: folder), isV2 = folder.modelType == "resnet_v2"
        let transform = try folder.transform(
            default: .shortestEdge(256, crop: 224, filter: isV2 ? .bilinear : .bicubic, statistics: ImageTransform.Statistics.imageNet))
        let labels = folder.labels(config.classes ?? 0)
        if isV2 {
            guard !config.bottleneck else {
                throw try folder.requireConfig().invalid("layer_type", expected: "basic, the only pre-activation form")
            }
            let model = try WeightLoader.load(from: folder.source, precision: folder.precision, label: "ResNet v2") {
                try ResNetV2($0, config, transform: transform, labels: labels)
            }
            return LoadedModel(family: "ResNet", image: model, classifier: config.classes == nil ? nil : model)
        }
        let model = try WeightLoader.load(from: folder.source, precision: folder.precision, label: "ResNet") {
            try ResNet($0, config, transform: transform, labels: labels)
        }
        return LoadedModel(family: "ResNet", image: model, classifier: config.classes == nil ? nil : model)
    }
}
