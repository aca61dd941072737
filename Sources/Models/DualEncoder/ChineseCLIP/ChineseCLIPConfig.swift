import Checkpoints
import Layers
import ModelKit
import Tensors
import Text

/// Chinese-CLIP (Yang et al. 2022): CLIP's picture tower and a Chinese RoBERTa.
struct ChineseCLIPConfig: Sendable, Hashable {
    var vision: CLIPVisionConfig?
    var resNet: ModifiedResNetConfig?
    var text: BERTConfig
    var projection: Int
    /// Longest text in tokens: that of the reference's tokenizer call.
    var contextLength: Int

    static let contextLength = 52

    init(huggingFace folder: ModelFolder) throws {
        let config = try folder.requireConfig()
        vision = try CLIPVisionConfig(config.sectionOrEmpty("vision_config"))
        text = try BERTConfig(config.sectionOrEmpty("text_config"))
        projection = try config.size("projection_dim", default: 512)
        contextLength = min(text.positions, ChineseCLIPConfig.contextLength)
    }

    /// From the tensors of cn_clip's original archives, after `module.` is off; the sizes that shapes don't tell come from
    /// `cn_clip_config.json` where it lies beside, and from the published models otherwise.
    init(original folder: ModelFolder, prefix: String) throws {
        func shape(_ key: String) -> [Int]? { folder.shape(prefix + key) }
        let config =
            try folder.file("cn_clip_config.json").map { try ConfigReader(path: $0) }
            ?? ConfigReader(text: "{}", file: "cn_clip_config.json")
        guard let words = shape("bert.embeddings.word_embeddings.weight"), words.count == 2, let out = shape("text_projection")?.last,
            let places = shape("bert.embeddings.position_embeddings.weight")?.first,
            let types = shape("bert.embeddings.token_type_embeddings.weight")?.first
        else {
            throw CheckpointError.unreadable(file: folder.path, reason: "the text tower (bert.embeddings...) or text_projection is missing")
        }
        projection = out
        if shape("visual.layer1.0.conv1.weight") != nil {
            resNet = try ModifiedResNetConfig(
                folder, prefix: prefix, headWidth: try config.int("vision_head_width", default: 64, in: 1...4096))
        } else {
            vision = try CLIPVisionConfig(
                openAI: folder, prefix: prefix, .quickGelu,
                headWidth: config.has("vision_head_width") ? try config.size("vision_head_width") : nil)
        }
        let width = words[1]
        let block = BlockConfig(
            width: width, heads: try config.heads("text_num_attention_heads", width: width, default: max(width / 64, 1)),
            hidden: shape("bert.encoder.layer.0.intermediate.dense.weight")?.first ?? width * 4, activation: .gelu, epsilon: 1e-12)
        text = BERTConfig(
            block: block, layers: folder.layerCount(prefix + "bert.encoder.layer."), vocabulary: words[0], positions: places, types: types)
        contextLength = min(places, ChineseCLIPConfig.contextLength)
    }
}
