import Checkpoints
import Foundation
import Imaging
import Layers
import ModelKit
import Tensors
import Text
import Tokenizers

/// Chinese-CLIP (Yang et al. 2022). Reads Hugging Face folders and cn_clip's original archives (transformer and ResNet towers).
public enum ChineseCLIP {
    /// RoBERTa's last state at the class token, projected.
    struct TextTower: TextEncoder {
        let dimension: Int
        private let bert: BERT
        private let projection: Linear
        private let tokenizer: Tokenizer?
        private let contextLength: Int

        init(_ weights: Weights, _ config: ChineseCLIPConfig, tokenizer: Tokenizer?) throws {
            bert = try BERT(weights["text_model"], config.text)
            projection = Linear(weights["text_projection"], config.text.block.width, config.projection, bias: false)
            dimension = config.projection
            contextLength = config.contextLength
            self.tokenizer = tokenizer
        }

        func tokenize(_ texts: [String]) throws -> TokenBatch {
            guard let tokenizer else {
                throw RoleError(model: "Chinese-CLIP", role: "text encoder", reason: "the checkpoint has no vocab.txt")
            }
            return try tokenizer.batch(texts, maxLength: contextLength, fixedLength: nil, padding: bert.config.padding)
        }

        func embed(_ tokens: TokenBatch) throws -> Tensor { try projection(bert.classState(tokens)) }
    }

    private static func load(_ folder: ModelFolder) throws -> LoadedModel {
        let prefix = folder.hasPrefix("module.bert.") ? "module." : "", original = folder.modelType == nil
        let config = try original ? ChineseCLIPConfig(original: folder, prefix: prefix) : ChineseCLIPConfig(huggingFace: folder)
        let image = config.vision?.image ?? config.resNet?.image ?? 224
        let transform = try folder.transform(default: .squash(image, filter: .bicubic, statistics: ImageTransform.Statistics.clip))
        let (tokenizer, absence) = try tokenizer(folder, vocabulary: config.text.vocabulary)
        let renames =
            (prefix.isEmpty ? Renames.none : .strippingPrefix(prefix)) + (config.resNet == nil ? .openAIVision : .none) + originalText
        return try WeightLoader.load(
            from: folder.source, precision: folder.precision, renames: original ? renames : .none,
            ignoring: ["**.position_ids", "text_model.pooler.**"],
            label: "Chinese-CLIP"
        ) { weights in
            let encoder: any ImageEncoder =
                if let resNet = config.resNet {
                    try ModifiedResNet(weights["visual"], resNet, transform: transform)
                } else {
                    try CLIPVisionTower(weights, config.vision!, projection: config.projection, transform: transform)
                }
            let text = try TextTower(weights, config, tokenizer: tokenizer)
            let scale = weights.tensor("logit_scale", []).exp().scalar
            return LoadedModel(
                family: "ChineseCLIP", image: encoder, text: text, similarity: Similarity(scale: scale), textAbsence: absence)
        }
    }

    private static let originalText = Renames([
        .rename("bert.**", to: "text_model.**"), .transpose("text_projection"), .rename("text_projection", to: "text_projection.weight"),
    ])

    private static func tokenizer(_ folder: ModelFolder, vocabulary: Int) throws -> (Tokenizer?, String?) {
        if let directory = folder.directory, folder.file("tokenizer.json") != nil || folder.file("vocab.txt") != nil {
            return (try Tokenizer.load(folder: directory), nil)
        }
        guard vocabulary == 21128 else { return (nil, "no tokenizer.json or vocab.txt beside the weights") }
        guard let file = folder.vocabularies?.appendingPathComponent("chinese_bert.txt"), let words = try? Data(contentsOf: file) else {
            return (
                nil,
                "no vocab.txt beside the weights, and the vocabulary isn't there yet: run `sensorium models pull vocabularies/chinese_bert.txt`"
            )
        }
        return (try Tokenizer.bert(vocabulary: [UInt8](words)), nil)
    }

    public static let family = Family(
        name: "ChineseCLIP", group: "DualEncoder", summary: "CLIP with a Chinese text tower (Yang et al. 2022)",
        layouts: ["Hugging Face", "cn_clip"], worstDifference: 2e-6, published: published,
        recognises: { folder in
            if let type = folder.modelType { return type == "chinese_clip" }
            return folder.hasPrefix("bert.") || folder.hasPrefix("module.bert.")
        },
        load: load)

    private static func published(
        _ name: String, width: Int, layers: Int, heads: Int, patch: Int, image: Int = 224, text: Int, textLayers: Int, projection: Int
    ) -> PublishedCheckpoint {
        .init(
            "OFA-Sys/chinese-clip-" + name, licence: "MIT (code); weights as their authors state",
            config: """
                {"model_type":"chinese_clip","projection_dim":\(projection),\
                "vision_config":{"hidden_size":\(width),"num_hidden_layers":\(layers),"num_attention_heads":\(heads),"intermediate_size":\(width * 4),"patch_size":\(patch),"image_size":\(image),"hidden_act":"quick_gelu"},\
                "text_config":{"hidden_size":\(text),"num_hidden_layers":\(textLayers),"num_attention_heads":\(text / 64),"intermediate_size":\(text * 4),"vocab_size":21128}}
                """)
    }

    static let published = [
        published("vit-base-patch16", width: 768, layers: 12, heads: 12, patch: 16, text: 768, textLayers: 12, projection: 512),
        published("vit-large-patch14", width: 1024, layers: 24, heads: 16, patch: 14, text: 768, textLayers: 12, projection: 768),
        published(
            "vit-large-patch14-336px", width: 1024, layers: 24, heads: 16, patch: 14, image: 336, text: 768, textLayers: 12, projection: 768
        ),
        published("vit-huge-patch14", width: 1280, layers: 32, heads: 16, patch: 14, text: 1024, textLayers: 24, projection: 1024),
    ]
}
