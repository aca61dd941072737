import Checkpoints
import Layers
import ModelKit
import Tensors

/// Sizes of a SigLIP picture tower.
struct SigLIPVisionConfig: Sendable, Hashable {
    var block: BlockConfig
    var layers, patch, channels: Int
    /// Side of the square pictures; nil for towers that take any shape (NaFlex).
    var image: Int?
    /// Rows (= columns) of the table of positions.
    var grid: Int
}

/// Sizes of a SigLIP text tower.
struct SigLIPTextConfig: Sendable, Hashable {
    var block: BlockConfig
    var layers, vocabulary, positions, projection: Int
}

/// SigLIP (Zhai et al. 2023) and SigLIP 2 (Tschannen et al. 2025): one tower or two.
struct SigLIPConfig: Sendable, Hashable {
    var vision: SigLIPVisionConfig?
    var text: SigLIPTextConfig?

    static let types = ["siglip", "siglip2", "siglip_vision_model", "siglip_text_model", "siglip2_vision_model", "siglip2_text_model"]

    init(_ config: ConfigReader) throws {
        let type = try config.string("model_type", among: Self.types), naFlex = type.hasPrefix("siglip2")
        if type.hasSuffix("_vision_model") {
            vision = try SigLIPVisionConfig(config, naFlex: naFlex)
        } else if type.hasSuffix("_text_model") {
            text = try SigLIPTextConfig(config)
        } else {
            vision = try SigLIPVisionConfig(config.sectionOrEmpty("vision_config"), naFlex: naFlex)
            text = try SigLIPTextConfig(config.sectionOrEmpty("text_config"))
        }
    }
}

extension BlockConfig {
    /// The fields that both towers have, with the reference's defaults.
    fileprivate init(sigLIP config: ConfigReader) throws {
        let width = try config.size("hidden_size", default: 768)
        self.init(
            width: width, heads: try config.heads("num_attention_heads", width: width, default: 12),
            hidden: try config.size("intermediate_size", default: 3072),
            activation: try config.activation("hidden_act", default: .geluTanh),
            epsilon: try config.float("layer_norm_eps", default: 1e-6))
    }
}

extension SigLIPVisionConfig {
    init(_ config: ConfigReader, naFlex: Bool) throws {
        block = try BlockConfig(sigLIP: config)
        layers = try config.size("num_hidden_layers", default: 12)
        channels = try config.int("num_channels", default: 3, in: 3...3)
        if naFlex {
            patch = try config.int("patch_size", default: 16, in: 1...1024)
            let places = try config.size("num_patches", default: 256)
            grid = Int(Double(places).squareRoot().rounded())
            guard grid * grid == places else { throw config.invalid("num_patches", expected: "a square number") }
        } else {
            let side = try config.squareSize("image_size", default: 224)
            patch = try config.patchSize("patch_size", image: side, default: 16)
            grid = side / patch
            image = side
        }
    }
}

extension SigLIPTextConfig {
    init(_ config: ConfigReader) throws {
        block = try BlockConfig(sigLIP: config)
        layers = try config.size("num_hidden_layers", default: 12)
        vocabulary = try config.size("vocab_size", default: 32000)
        positions = try config.size("max_position_embeddings", default: 64)
        projection = try config.size("projection_size", default: block.width)
    }
}
