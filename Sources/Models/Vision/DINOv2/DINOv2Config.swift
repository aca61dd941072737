import Checkpoints
import Imaging
import Layers
import ModelKit
import Tensors

/// `config.json` of Dinov2Model, Dinov2WithRegistersModel and their classifiers.
package struct DINOv2Config: Sendable, Hashable {
    package var block: BlockConfig
    var layers, image, patch, channels, registers: Int
    var classes: Int?
    /// Where the backbone lies in a classifier's checkpoint.
    var prefix: String?

    package init(_ config: ConfigReader, weights: ModelFolder) throws {
        let width = try config.size("hidden_size", default: 768)
        var hidden = width * (try config.size("mlp_ratio", default: 4))
        let swiglu = try config.bool("use_swiglu_ffn", default: false)
        if swiglu { hidden = (hidden * 2 / 3 + 7) / 8 * 8 }
        block = BlockConfig(
            width: width, heads: try config.heads("num_attention_heads", width: width, default: 12), hidden: hidden,
            activation: try config.activation("hidden_act", default: .gelu), epsilon: try config.float("layer_norm_eps", default: 1e-6))
        block.feedForward = swiglu ? .swiglu : .plain
        if try !config.bool("qkv_bias", default: true) { block.inputBias = [false, false, false] }
        layers = try config.size("num_hidden_layers", default: 12)
        image = try config.squareSize("image_size", default: 224)
        patch = try config.patchSize("patch_size", image: image, default: 14)
        channels = try config.size("num_channels", default: 3)
        let withRegisters = weights.modelType == "dinov2_with_registers"
        registers = withRegisters ? try config.int("num_register_tokens", default: 4, in: 0...256) : 0
        classes = weights.shape("classifier.weight")?.first
        prefix = ["dinov2", "dinov2_with_registers"].first { weights.hasPrefix($0 + ".") }
    }
}

extension DINOv2 {
    private static func published(_ size: String, _ width: Int, _ layers: Int, _ heads: Int, registers: Bool) -> PublishedCheckpoint {
        .init(
            "facebook/dinov2-\(registers ? "with-registers-" : "")\(size)", licence: "Apache-2.0",
            config:
                #"{"model_type":"dinov2\#(registers ? "_with_registers" : "")","hidden_size":\#(width),"num_hidden_layers":\#(layers),"num_attention_heads":\#(heads),"mlp_ratio":4,"image_size":518,"patch_size":14,"use_swiglu_ffn":\#(size == "giant")}"#
        )
    }

    public static let family = Family(
        name: "DINOv2", group: "Vision", summary: "Self-supervised picture features, with and without registers (Oquab et al. 2023)",
        layouts: ["Hugging Face"],
        worstDifference: 2e-6,
        published: [false, true].flatMap { registers in
            [
                published("small", 384, 12, 6, registers: registers), published("base", 768, 12, 12, registers: registers),
                published("large", 1024, 24, 16, registers: registers), published("giant", 1536, 40, 24, registers: registers),
            ]
        },
        recognises: { $0.modelType == "dinov2" || $0.modelType == "dinov2_with_registers" },
        load: { folder in
            let config = try DINOv2Config(folder.requireConfig(), weights: folder)
            let defaults = try ImageTransform.shortestEdge(256, crop: 224, filter: .bicubic, statistics: ImageTransform.Statistics.imageNet)
            let transform = try folder.transform(default: defaults)
            let model = try WeightLoader.load(from: folder.source, precision: folder.precision, label: "DINOv2") {
                try DINOv2($0, config, transform: transform, labels: folder.labels(config.classes ?? 0))
            }
            return LoadedModel(family: "DINOv2", image: model, classifier: config.classes == nil ? nil : model)
        })
}
