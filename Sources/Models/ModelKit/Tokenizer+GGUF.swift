import Checkpoints
import Tokenizers

extension Tokenizer {
    /// The tokenizer in a GGUF file's metadata.
    /// - Returns: nil where the file holds none, or one of a kind other than byte-level BPE.
    /// - Throws: `CheckpointError` or `TokenizerError` that names the field.
    public init?(_ file: GGUFFile) throws {
        guard file.values["tokenizer.ggml.model"]?.string == "gpt2", let tokens = file.values["tokenizer.ggml.tokens"]?.list else {
            return nil
        }
        let config = try file.config()
        var parts = ByteLevelParts(
            tokens: try tokens.texts(), kinds: try file.values["tokenizer.ggml.token_type"]?.list?.ints().map(Self.kind) ?? [],
            merges: try file.values["tokenizer.ggml.merges"]?.list?.texts() ?? [],
            splitting: try config.string("tokenizer.ggml.pre", default: "gpt-2"))
        func id(_ role: String) throws -> Int? {
            let field = "tokenizer.ggml.\(role)_token_id"
            return config.has(field) ? try config.int(field, in: 0...1 << 24) : nil
        }
        parts.beginning = try id("bos")
        parts.end = try id("eos")
        parts.padding = try id("padding")
        parts.unknown = try id("unknown")
        // Files of Llama 3 may leave this out, whose tokenizer.json always puts it in.
        parts.addsBeginning = try config.bool("tokenizer.ggml.add_bos_token", default: parts.splitting.hasPrefix("llama"))
        parts.addsEnd = try config.bool("tokenizer.ggml.add_eos_token", default: false)
        try self.init(byteLevel: parts, file: file.path)
    }

    private static func kind(_ type: Int) -> ByteLevelParts.Kind {
        switch type {
        case 3: .control
        case 4: .userDefined
        default: .normal
        }
    }
}
