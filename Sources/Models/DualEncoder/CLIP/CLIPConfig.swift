import Checkpoints
import Foundation
import Layers
import ModelKit
import Tensors

/// Sizes of a CLIP picture tower.
struct CLIPVisionConfig: Sendable, Hashable {
    var block: BlockConfig
    var layers, image, patch, channels: Int
}

/// Sizes of a CLIP text tower.
struct CLIPTextConfig: Sendable, Hashable {
    var block: BlockConfig
    var layers, vocabulary, positions: Int
    /// The token whose first place is pooled; nil pools at the largest id, as the first checkpoints did.
    var endOfText: Int?
}

/// CLIP (Radford et al. 2021): two towers and the length of the common embedding.
struct CLIPConfig: Sendable, Hashable {
    var vision: CLIPVisionConfig?
    /// Sizes of the modified ResNet where that is the picture tower.
    var resNet: ModifiedResNetConfig?
    var text: CLIPTextConfig?
    /// nil for a tower without a projection.
    var projection: Int?
}

extension CLIPVisionConfig {
    init(_ config: ConfigReader) throws {
        let width = try config.size("hidden_size", default: 768)
        block = BlockConfig(
            width: width, heads: try config.heads("num_attention_heads", width: width, default: 12),
            hidden: try config.size("intermediate_size", default: 3072),
            activation: try config.activation("hidden_act", default: .quickGelu),
            epsilon: try config.float("layer_norm_eps", default: 1e-5))
        layers = try config.size("num_hidden_layers", default: 12)
        image = try config.squareSize("image_size", default: 224)
        patch = try config.patchSize("patch_size", image: image, default: 32)
        channels = try config.size("num_channels", default: 3)
    }
}

extension CLIPTextConfig {
    init(_ config: ConfigReader) throws {
        let width = try config.size("hidden_size", default: 512)
        block = BlockConfig(
            width: width, heads: try config.heads("num_attention_heads", width: width, default: 8),
            hidden: try config.size("intermediate_size", default: 2048),
            activation: try config.activation("hidden_act", default: .quickGelu),
            epsilon: try config.float("layer_norm_eps", default: 1e-5))
        layers = try config.size("num_hidden_layers", default: 12)
        vocabulary = try config.size("vocab_size", default: 49408)
        positions = try config.size("max_position_embeddings", default: 77)
        // Published configurations say 2, which is not the token's id; the reference pools at the largest id then.
        let end = try config.int("eos_token_id", default: 49407)
        endOfText = end == 2 ? nil : end
    }
}

extension CLIPConfig {
    /// From a Hugging Face folder: `clip`, `clip_vision_model` or `clip_text_model`.
    init(huggingFace folder: ModelFolder) throws {
        let config = try folder.requireConfig()
        switch folder.modelType {
        case "clip_vision_model":
            vision = try CLIPVisionConfig(config)
            projection = folder.shape("visual_projection.weight")?.first
        case "clip_text_model":
            text = try CLIPTextConfig(config)
            projection = folder.shape("text_projection.weight")?.first
        default:
            projection = try config.size("projection_dim", default: 512)
            vision = try CLIPVisionConfig(config.sectionOrEmpty("vision_config"))
            text = try CLIPTextConfig(config.sectionOrEmpty("text_config"))
        }
    }

    /// From the tensors of an OpenAI or open_clip checkpoint, with `open_clip_config.json` where it lies beside.
    init(openAI folder: ModelFolder) throws {
        let model = try folder.openCLIPConfig?.sectionOrEmpty("model_cfg")
        let quick = try folder.openCLIPConfig == nil || model?.bool("quick_gelu", default: false) == true
        let activation: Activation = quick ? .quickGelu : .gelu
        projection = folder.shape("text_projection")?.last ?? folder.shape("visual.proj")?.last
        let headWidth = try model?.sectionOrEmpty("vision_cfg").raw("head_width")?.int
        if folder.has("visual.layer1.0.conv1.weight") {
            resNet = try ModifiedResNetConfig(folder, prefix: "", headWidth: headWidth ?? 64)
        } else if folder.has("visual.conv1.weight") {
            vision = try CLIPVisionConfig(openAI: folder, prefix: "", activation, headWidth: headWidth)
        }
        let text = try model?.sectionOrEmpty("text_cfg")
        if let table = folder.shape("token_embedding.weight"), table.count == 2, let places = folder.shape("positional_embedding")?.first {
            let heads = try text?.size("heads", default: max(table[1] / 64, 1)) ?? max(table[1] / 64, 1)
            let hidden = folder.shape("transformer.resblocks.0.mlp.c_fc.weight")?.first ?? table[1] * 4
            guard table[1] % heads == 0 else {
                throw CheckpointError.unreadable(
                    file: folder.path, reason: "a text width of \(table[1]) doesn't divide into \(heads) heads")
            }
            let block = BlockConfig(width: table[1], heads: heads, hidden: hidden, activation: activation, epsilon: 1e-5)
            self.text = CLIPTextConfig(
                block: block, layers: folder.layerCount("transformer.resblocks."), vocabulary: table[0], positions: places, endOfText: nil)
        }
    }
}

extension CLIPVisionConfig {
    /// Widths of heads that differ from 64 in published checkpoints, by the width of the tower: H/14, g/14 and bigG/14.
    private static let headWidths = [1280: 80, 1408: 88, 1664: 104]

    /// From the tensors under `visual`. Shapes don't tell the number of heads: `headWidth`, else that of the published models.
    init(openAI folder: ModelFolder, prefix: String, _ activation: Activation, headWidth: Int?) throws {
        let root = prefix + "visual."
        guard let kernel = folder.shape(root + "conv1.weight"), kernel.count == 4,
            let places = folder.shape(root + "positional_embedding")?.first
        else {
            throw CheckpointError.unreadable(file: folder.path, reason: "\(root)conv1.weight or \(root)positional_embedding is missing")
        }
        let width = kernel[0], grid = Int(Double(max(places - 1, 0)).squareRoot().rounded()),
            head = headWidth ?? Self.headWidths[width] ?? 64
        guard grid > 0, grid * grid == places - 1, head > 0, width % head == 0, kernel[3] > 0 else {
            throw CheckpointError.unreadable(
                file: folder.path,
                reason:
                    "\(root)positional_embedding of \(places) rows or a width of \(width) doesn't fit a square picture with heads of \(head)"
            )
        }
        let hidden = folder.shape(root + "transformer.resblocks.0.mlp.c_fc.weight")?.first ?? width * 4
        block = BlockConfig(width: width, heads: width / head, hidden: hidden, activation: activation, epsilon: 1e-5)
        layers = folder.layerCount(root + "transformer.resblocks.")
        (image, patch, channels) = (grid * kernel[3], kernel[3], kernel[1])
    }
}
