import Checkpoints
import Imaging
import ModelKit
import Tensors

/// SigLIP (Zhai et al. 2023) and SigLIP 2 (Tschannen et al. 2025): two towers trained with a sigmoid for each pair. Reads Hugging
/// Face folders, whole or of one tower.
public enum SigLIP {
    private static func load(_ folder: ModelFolder) throws -> LoadedModel {
        let config = try SigLIPConfig(folder.requireConfig())
        let tokenizer = config.text == nil ? nil : try SigLIPTokenizer(folder)
        var absence: String?
        if config.text == nil {
            absence = "the checkpoint holds the picture tower only"
        } else if tokenizer == nil {
            absence = "no spiece.model or tokenizer.json beside the weights"
        }
        return try WeightLoader.load(from: folder.source, precision: folder.precision, ignoring: ["**.position_ids"], label: "SigLIP") {
            weights in
            let image = try config.vision.map { try imageEncoder(weights["vision_model"], $0, folder) }
            let text = try config.text.map { try SigLIPTextTower(weights["text_model"], $0, tokenizer: tokenizer) }
            var similarity: Similarity?
            if image != nil && text != nil {
                similarity = Similarity(
                    scale: weights.tensor("logit_scale", [1]).exp().floats()[0], bias: weights.tensor("logit_bias", [1]).floats()[0],
                    link: .sigmoid)
            }
            return LoadedModel(family: "SigLIP", image: image, text: text, similarity: similarity, textAbsence: absence)
        }
    }

    private static func imageEncoder(_ weights: Weights, _ config: SigLIPVisionConfig, _ folder: ModelFolder) throws -> any ImageEncoder {
        guard let side = config.image else {
            return try SigLIPNaFlexTower(weights, config, transform: NaFlexTransform(folder, patch: config.patch))
        }
        let transform = try folder.transform(default: .squash(side, filter: .bicubic, statistics: ImageTransform.Statistics.half))
        return try SigLIPVisionTower(weights, config, image: side, transform: transform)
    }

    public static let family = Family(
        name: "SigLIP", group: "DualEncoder",
        summary: "Picture and text towers with a sigmoid loss: SigLIP (Zhai et al. 2023), SigLIP 2 (Tschannen et al. 2025)",
        layouts: ["Hugging Face"], worstDifference: 1e-6, published: published,
        recognises: { SigLIPConfig.types.contains($0.modelType ?? "") }, load: load)
}

extension SigLIP {
    /// Fields of one tower's configuration.
    private struct Tower {
        var width, layers, heads, hidden: Int
        static let base = Tower(width: 768, layers: 12, heads: 12, hidden: 3072)
        static let large = Tower(width: 1024, layers: 24, heads: 16, hidden: 4096)
        static let so400m = Tower(width: 1152, layers: 27, heads: 16, hidden: 4304)
        static let giant = Tower(width: 1536, layers: 40, heads: 16, hidden: 6144)

        var fields: String {
            #""hidden_size":\#(width),"num_hidden_layers":\#(layers),"num_attention_heads":\#(heads),"intermediate_size":\#(hidden)"#
        }
    }

    private static func published(
        _ name: String, _ vision: Tower, text: Tower? = nil, patch: Int, image: Int? = nil, vocabulary: Int, positions: Int = 64
    ) -> PublishedCheckpoint {
        let size = image.map { #""image_size":\#($0)"# } ?? #""num_patches":256"#
        return .init(
            "google/" + name, licence: "Apache-2.0",
            config: """
                {"model_type":"\(image == nil ? "siglip2" : "siglip")",\
                "vision_config":{\(vision.fields),"patch_size":\(patch),\(size)},\
                "text_config":{\((text ?? vision).fields),"vocab_size":\(vocabulary),"max_position_embeddings":\(positions),"projection_size":\(vision.width)}}
                """)
    }

    private static let english = 32000, multilingual = 250000, gemma = 256000

    static let published = [
        published("siglip-base-patch16-224", .base, patch: 16, image: 224, vocabulary: english),
        published("siglip-base-patch16-256", .base, patch: 16, image: 256, vocabulary: english),
        published("siglip-base-patch16-384", .base, patch: 16, image: 384, vocabulary: english),
        published("siglip-base-patch16-512", .base, patch: 16, image: 512, vocabulary: english),
        published("siglip-base-patch16-256-multilingual", .base, patch: 16, image: 256, vocabulary: multilingual),
        published("siglip-large-patch16-256", .large, patch: 16, image: 256, vocabulary: english),
        published("siglip-large-patch16-384", .large, patch: 16, image: 384, vocabulary: english),
        published("siglip-so400m-patch14-224", .so400m, patch: 14, image: 224, vocabulary: english, positions: 16),
        published("siglip-so400m-patch14-384", .so400m, patch: 14, image: 384, vocabulary: english),
        published("siglip-so400m-patch16-256-i18n", .so400m, patch: 16, image: 256, vocabulary: multilingual),
        published("siglip2-base-patch32-256", .base, patch: 32, image: 256, vocabulary: gemma),
        published("siglip2-base-patch16-224", .base, patch: 16, image: 224, vocabulary: gemma),
        published("siglip2-base-patch16-256", .base, patch: 16, image: 256, vocabulary: gemma),
        published("siglip2-base-patch16-384", .base, patch: 16, image: 384, vocabulary: gemma),
        published("siglip2-base-patch16-512", .base, patch: 16, image: 512, vocabulary: gemma),
        published("siglip2-large-patch16-256", .large, patch: 16, image: 256, vocabulary: gemma),
        published("siglip2-large-patch16-384", .large, patch: 16, image: 384, vocabulary: gemma),
        published("siglip2-large-patch16-512", .large, patch: 16, image: 512, vocabulary: gemma),
        published("siglip2-so400m-patch14-224", .so400m, patch: 14, image: 224, vocabulary: gemma),
        published("siglip2-so400m-patch14-384", .so400m, patch: 14, image: 384, vocabulary: gemma),
        published("siglip2-so400m-patch16-256", .so400m, patch: 16, image: 256, vocabulary: gemma),
        published("siglip2-so400m-patch16-384", .so400m, patch: 16, image: 384, vocabulary: gemma),
        published("siglip2-so400m-patch16-512", .so400m, patch: 16, image: 512, vocabulary: gemma),
        published("siglip2-giant-opt-patch16-256", .giant, text: .so400m, patch: 16, image: 256, vocabulary: gemma),
        published("siglip2-giant-opt-patch16-384", .giant, text: .so400m, patch: 16, image: 384, vocabulary: gemma),
        published("siglip2-base-patch16-naflex", .base, patch: 16, vocabulary: gemma),
        published("siglip2-so400m-patch16-naflex", .so400m, patch: 16, vocabulary: gemma),
    ]
}
