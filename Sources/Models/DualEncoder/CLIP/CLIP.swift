import Checkpoints
import Foundation
import Imaging
import ModelKit
import Tensors
import Tokenizers

/// CLIP (Radford et al. 2021): a picture tower (transformer or modified ResNet) and a text tower with a common embedding.
/// Reads Hugging Face folders (whole, or one tower), open_clip folders and OpenAI's original archives.
public enum CLIP {
    static func transform(_ folder: ModelFolder, image: Int) throws -> ImageTransform {
        if let openCLIP = try folder.openCLIPTransform(image: image) { return openCLIP }
        return try folder.transform(
            default: .shortestEdge(image, crop: image, filter: .bicubic, statistics: ImageTransform.Statistics.clip))
    }

    private static func load(_ folder: ModelFolder) throws -> LoadedModel {
        let original = !["clip", "clip_vision_model", "clip_text_model"].contains(folder.modelType)
        let config = try original ? CLIPConfig(openAI: folder) : CLIPConfig(huggingFace: folder)
        guard config.vision != nil || config.resNet != nil || config.text != nil else {
            throw CheckpointError.unreadable(
                file: folder.path,
                reason: "neither a picture tower (visual.conv1.weight) nor a text tower (token_embedding.weight) is in it")
        }
        let image = config.vision?.image ?? config.resNet?.image ?? 224
        let transform = try transform(folder, image: image)
        let (tokenizer, absence) =
            config.text == nil
            ? (nil, "the checkpoint holds the picture tower only") : try tokenizer(folder, original: original)
        var renames = Renames.none
        if original { renames = (config.resNet == nil ? .openAIVision : .none) + .openAIText + .openAIConstants }
        return try WeightLoader.load(
            from: folder.source, precision: folder.precision, renames: renames, ignoring: ["**.position_ids"], label: "CLIP"
        ) { weights in
            var encoder: (any ImageEncoder)?
            if let vision = config.vision {
                encoder = try CLIPVisionTower(weights, vision, projection: config.projection, transform: transform)
            }
            if let resNet = config.resNet { encoder = try ModifiedResNet(weights["visual"], resNet, transform: transform) }
            let text = try config.text.map { try CLIPTextTower(weights, $0, projection: config.projection, tokenizer: tokenizer) }
            let scale = weights.optional("logit_scale", []).map { $0.exp().scalar }
            return LoadedModel(
                family: "CLIP", image: encoder, text: text,
                similarity: text == nil || encoder == nil ? nil : Similarity(scale: scale ?? 100),
                textAbsence: absence)
        }
    }

    /// The folder's tokenizer; OpenAI's vocabulary for checkpoints that take it for granted.
    private static func tokenizer(_ folder: ModelFolder, original: Bool) throws -> (Tokenizer?, String?) {
        if let directory = folder.directory, folder.file("tokenizer.json") != nil || folder.file("vocab.json") != nil {
            return (try Tokenizer.load(folder: directory), nil)
        }
        guard
            folder.shape("token_embedding.weight")?.first == 49408
                || folder.shape("text_model.embeddings.token_embedding.weight")?.first == 49408
        else {
            return (nil, "no tokenizer.json or vocab.json beside the weights")
        }
        guard let file = folder.vocabularies?.appendingPathComponent("clip_bpe.txt"), let merges = try? Data(contentsOf: file) else {
            return (
                nil,
                "no tokenizer.json beside the weights, and the vocabulary isn't there yet: run `sensorium models pull vocabularies/clip_bpe.txt`"
            )
        }
        return (try Tokenizer.clip(merges: [UInt8](merges)), nil)
    }

    private static func isCLIP(_ folder: ModelFolder) -> Bool {
        if let type = folder.modelType { return ["clip", "clip_vision_model", "clip_text_model"].contains(type) }
        return !folder.hasPrefix("bert.") && folder.has("visual.conv1.weight")
            || folder.has("token_embedding.weight") && folder.has("text_projection")
    }

    public static let family = Family(
        name: "CLIP", group: "DualEncoder", summary: "Contrastive picture and text towers (Radford et al. 2021)",
        layouts: ["Hugging Face", "open_clip", "OpenAI"], worstDifference: 2e-6, published: published, recognises: isCLIP, load: load)
}

extension CLIP {
    private static func published(
        _ name: String, licence: String = "MIT", width: Int, layers: Int, heads: Int, hidden: Int? = nil, patch: Int, image: Int = 224,
        text: Int,
        textLayers: Int = 12, projection: Int, act: String = "quick_gelu"
    ) -> PublishedCheckpoint {
        .init(
            name, licence: licence,
            config: """
                {"model_type":"clip","projection_dim":\(projection),\
                "vision_config":{"hidden_size":\(width),"num_hidden_layers":\(layers),"num_attention_heads":\(heads),"intermediate_size":\(hidden ?? width * 4),"patch_size":\(patch),"image_size":\(image),"hidden_act":"\(act)"},\
                "text_config":{"hidden_size":\(text),"num_hidden_layers":\(textLayers),"num_attention_heads":\(text / 64),"intermediate_size":\(text * 4),"hidden_act":"\(act)"}}
                """)
    }

    static let published = [
        published("openai/clip-vit-base-patch32", width: 768, layers: 12, heads: 12, patch: 32, text: 512, projection: 512),
        published("openai/clip-vit-base-patch16", width: 768, layers: 12, heads: 12, patch: 16, text: 512, projection: 512),
        published("openai/clip-vit-large-patch14", width: 1024, layers: 24, heads: 16, patch: 14, text: 768, projection: 768),
        published(
            "openai/clip-vit-large-patch14-336", width: 1024, layers: 24, heads: 16, patch: 14, image: 336, text: 768, projection: 768),
        published(
            "laion/CLIP-ViT-H-14-laion2B-s32B-b79K", width: 1280, layers: 32, heads: 16, patch: 14, text: 1024, textLayers: 24,
            projection: 1024, act: "gelu"),
        published(
            "laion/CLIP-ViT-g-14-laion2B-s12B-b42K", width: 1408, layers: 40, heads: 16, hidden: 6144, patch: 14, text: 1024,
            textLayers: 24, projection: 1024, act: "gelu"),
        published(
            "laion/CLIP-ViT-bigG-14-laion2B-39B-b160k", width: 1664, layers: 48, heads: 16, hidden: 8192, patch: 14, text: 1280,
            textLayers: 32, projection: 1280, act: "gelu"),
    ]
}
