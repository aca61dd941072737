import Checkpoints
import Layers
import ModelKit
import Text
import Vision

/// Sizes of a bilingual dual encoder: a published picture tower, a head on it, and a small text encoder.
struct SensoriumCLIPConfig: Sendable {
    enum Tower: Sendable {
        case clip(CLIPVisionConfig, projection: Int)
        case dinov2(DINOv2Config)
    }

    var tower: Tower
    var text: BERTConfig
    var projection: Int
    /// Width of the head's hidden layer.
    var hidden: Int
    /// Transformer blocks of the head over the tower's tokens; for towers without an embedding of their own.
    var blocks: Int
    /// Its attention heads; nil for one of every 64 of the tower's width.
    var heads: Int?
    /// Longest text in tokens.
    var contextLength: Int

    init(_ folder: ModelFolder) throws {
        let config = try folder.requireConfig()
        let vision = try config.section("vision_config")
        let type = try vision.string("model_type")
        switch type {
        case "clip_vision_model": tower = .clip(try CLIPVisionConfig(vision), projection: try vision.size("projection_dim", default: 512))
        case "dinov2": tower = .dinov2(try DINOv2Config(vision, weights: folder))
        default:
            throw CheckpointError.unsupported(
                file: folder.path + "/config.json", key: "vision_config.model_type", found: type,
                advice: "clip_vision_model and dinov2 are read")
        }
        text = try BERTConfig(config.section("text_config"))
        projection = try config.size("projection_dim", default: 512)
        let head = try config.sectionOrEmpty("head_config")
        hidden = try head.size("hidden_size", default: 1024)
        blocks = try head.int("num_hidden_layers", default: 1, in: 0...16)
        heads = head.has("num_attention_heads") ? try head.int("num_attention_heads", in: 1...256) : nil
        contextLength = min(text.positions, try config.int("context_length", default: 64, in: 1...4096))
    }
}
