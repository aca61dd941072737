import Checkpoints
import Imaging
import Layers
import ModelKit
import Tensors

/// `config.json` of ViTModel and ViTForImageClassification (Dosovitskiy et al. 2021).
struct ViTConfig: Sendable, Hashable {
    var block: BlockConfig
    var layers, image, patch, channels: Int
    var pooler: Activation?
    var pooled: Int
    var classes: Int?

    init(_ config: ConfigReader, weights: ModelFolder) throws {
        let width = try config.size("hidden_size", default: 768)
        block = BlockConfig(
            width: width, heads: try config.heads("num_attention_heads", width: width, default: 12),
            hidden: try config.size("intermediate_size", default: 3072), activation: try config.activation("hidden_act", default: .gelu),
            epsilon: try config.float("layer_norm_eps", default: 1e-12))
        if try !config.bool("qkv_bias", default: true) { block.inputBias = [false, false, false] }
        layers = try config.size("num_hidden_layers", default: 12)
        image = try config.squareSize("image_size", default: 224)
        patch = try config.patchSize("patch_size", image: image, default: 16)
        channels = try config.size("num_channels", default: 3)
        pooled = try config.size("pooler_output_size", default: width)
        let hasPooler = weights.hasPrefix("pooler.") || weights.hasPrefix("vit.pooler.")
        pooler = hasPooler ? try config.activation("pooler_act", default: .tanh) : nil
        classes = weights.shape("classifier.weight")?.first
    }
}

extension ViT {
    private static func published(
        _ name: String, _ width: Int, _ layers: Int, _ heads: Int, patch: Int, image: Int = 224
    ) -> PublishedCheckpoint {
        .init(
            "google/vit-" + name, licence: "Apache-2.0",
            config:
                #"{"model_type":"vit","hidden_size":\#(width),"num_hidden_layers":\#(layers),"num_attention_heads":\#(heads),"intermediate_size":\#(width * 4),"image_size":\#(image),"patch_size":\#(patch)}"#
        )
    }

    public static let family = Family(
        name: "ViT", group: "Vision", summary: "Vision transformer, features and classifier (Dosovitskiy et al. 2021)",
        layouts: ["Hugging Face"],
        worstDifference: 2e-6,
        published: [
            published("base-patch16-224", 768, 12, 12, patch: 16), published("base-patch16-384", 768, 12, 12, patch: 16, image: 384),
            published("base-patch32-224-in21k", 768, 12, 12, patch: 32), published("base-patch32-384", 768, 12, 12, patch: 32, image: 384),
            published("large-patch16-224", 1024, 24, 16, patch: 16), published("large-patch32-384", 1024, 24, 16, patch: 32, image: 384),
            published("huge-patch14-224-in21k", 1280, 32, 16, patch: 14),
        ],
        recognises: { $0.modelType == "vit" },
        load: { folder in
            let config = try ViTConfig(folder.requireConfig(), weights: folder)
            let transform = try folder.transform(
                default: .squash(config.image, filter: .bilinear, statistics: ImageTransform.Statistics.half))
            let model = try WeightLoader.load(from: folder.source, precision: folder.precision, label: "ViT") {
                try ViT($0, config, transform: transform, labels: folder.labels(config.classes ?? 0))
            }
            return LoadedModel(family: "ViT", image: model, classifier: config.classes == nil ? nil : model)
        })
}
