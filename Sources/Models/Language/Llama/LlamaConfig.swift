import Checkpoints
import Layers
import ModelKit
import Tensors

/// Sizes of a Llama network (Touvron et al. 2023) or one of its kind: SmolLM2, Qwen2, TinyLlama.
struct LlamaConfig: Sendable, Hashable {
    var attention: GroupedQueryAttention.Config
    var hidden, layers, vocabulary, context: Int
    var epsilon: Float
    var base: Float
    var pairing: RotaryEmbedding.Pairing
    var scaling = RotaryEmbedding.Scaling.none
    /// Elements of a head that turn with the position.
    var rotated: Int
    var hiddenBias = false
    /// The output's matrix is the embedding's.
    var isTied: Bool

    static let modelTypes = ["llama", "qwen2"]
    private static let positions = 1...1 << 24

    /// `config.json` of LlamaForCausalLM or Qwen2ForCausalLM.
    init(huggingFace config: ConfigReader) throws {
        let type = try config.string("model_type", default: "llama", among: Self.modelTypes)
        let width = try config.size("hidden_size", default: 4096), heads = try config.size("num_attention_heads", default: 32)
        if !config.has("head_dim"), width % heads != 0 { throw config.invalid("num_attention_heads", expected: "a divisor of \(width)") }
        attention = .init(
            width: width, heads: heads, keyHeads: try config.size("num_key_value_heads", default: heads),
            headWidth: try config.size("head_dim", default: width / heads))
        attention.inputBias = try type == "qwen2" || config.bool("attention_bias", default: false)
        attention.outputBias = try type != "qwen2" && config.bool("attention_bias", default: false)
        hidden = try config.size("intermediate_size", default: 11008)
        layers = try config.size("num_hidden_layers", default: 32)
        vocabulary = try config.int("vocab_size", default: 32000, in: 1...1 << 24)
        context = try config.int("max_position_embeddings", default: 2048, in: Self.positions)
        epsilon = try config.float("rms_norm_eps", default: 1e-6)
        base = try config.float("rope_theta", default: 10000)
        rotated = attention.headWidth
        pairing = .halves
        hiddenBias = try config.bool("mlp_bias", default: false)
        isTied = try config.bool("tie_word_embeddings", default: false)
        _ = try config.string("hidden_act", default: "silu", among: ["silu"])
        if try config.bool("use_sliding_window", default: false) { throw config.invalid("use_sliding_window", expected: "false") }
        if config.has("rope_scaling") { scaling = try Self.scaling(config.section("rope_scaling")) }
        try check(config, heads: "num_attention_heads", keyHeads: "num_key_value_heads", base: "rope_theta")
    }

    private static func scaling(_ config: ConfigReader) throws -> RotaryEmbedding.Scaling {
        let field = config.has("rope_type") ? "rope_type" : "type"
        switch try config.string(field, default: "default", among: ["default", "linear", "llama3"]) {
        case "linear": return .linear(try factor(config, "factor"))
        case "llama3":
            let (low, high) = (try factor(config, "low_freq_factor"), try factor(config, "high_freq_factor"))
            guard high > low else { throw config.invalid("high_freq_factor", expected: "more than low_freq_factor \(low)") }
            return .llama3(
                factor: try factor(config, "factor"), low: low, high: high,
                original: Float(try config.int("original_max_position_embeddings", in: positions)))
        default: return .none
        }
    }

    private static func factor(_ config: ConfigReader, _ field: String) throws -> Float {
        let factor = try config.float(field)
        guard factor > 0 else { throw config.invalid(field, expected: "a number above 0") }
        return factor
    }

    /// The metadata of a GGUF file of architecture `llama` or `qwen2`.
    init(gguf file: GGUFFile) throws {
        let config = try file.config()
        let kind = try config.string("general.architecture", among: Self.modelTypes)
        func key(_ name: String) -> String { "\(kind).\(name)" }
        let width = try config.size(key("embedding_length")), heads = try config.size(key("attention.head_count"))
        if !config.has(key("attention.key_length")), width % heads != 0 {
            throw config.invalid(key("attention.head_count"), expected: "a divisor of \(width)")
        }
        attention = .init(
            width: width, heads: heads, keyHeads: try config.size(key("attention.head_count_kv"), default: heads),
            headWidth: try config.size(key("attention.key_length"), default: width / heads))
        attention.inputBias = file.entry("blk.0.attn_q.bias") != nil
        attention.outputBias = file.entry("blk.0.attn_output.bias") != nil
        hidden = try config.size(key("feed_forward_length"))
        hiddenBias = file.entry("blk.0.ffn_up.bias") != nil
        layers = try config.size(key("block_count"))
        context = try config.int(key("context_length"), in: Self.positions)
        epsilon = try config.float(key("attention.layer_norm_rms_epsilon"))
        base = try config.float(key("rope.freq_base"), default: 10000)
        rotated = try config.int(key("rope.dimension_count"), default: attention.headWidth, in: 0...attention.headWidth)
        // llama.cpp's converter puts the rows of Llama's queries and keys back into their original order.
        pairing = kind == "llama" ? .neighbours : .halves
        isTied = file.entry("output.weight") == nil
        guard let rows = file.entry("token_embd.weight")?.shape.first else {
            throw CheckpointError.absent(file: file.path, key: "tensor token_embd.weight", near: [])
        }
        vocabulary = rows
        switch try config.string(key("rope.scaling.type"), default: "none", among: ["none", "linear"]) {
        case "linear": scaling = .linear(try Self.factor(config, key("rope.scaling.factor")))
        default: break
        }
        if let factors = file.entry("rope_freqs.weight") {
            guard scaling == .none, factors.shape == [rotated / 2] else {
                throw CheckpointError.malformed(
                    file: file.path, field: "tensor rope_freqs.weight", offset: nil,
                    problem: "shape \(factors.shape); expected [\(rotated / 2)] and no other scaling")
            }
            scaling = .divisors(try file.tensor("rope_freqs.weight").floats())
        }
        try check(config, heads: key("attention.head_count"), keyHeads: key("attention.head_count_kv"), base: key("rope.freq_base"))
    }

    private func check(_ config: ConfigReader, heads: String, keyHeads: String, base field: String) throws {
        guard attention.heads % attention.keyHeads == 0 else {
            throw config.invalid(keyHeads, expected: "a divisor of the \(attention.heads) heads")
        }
        guard rotated % 2 == 0 else { throw config.invalid(heads, expected: "heads of an even width, which is \(rotated)") }
        guard base > 0 else { throw config.invalid(field, expected: "a number above 0") }
        guard attention.heads * attention.headWidth <= 1 << 20 else { throw config.invalid(heads, expected: "heads of 2^20 together") }
    }
}
