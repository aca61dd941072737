import Checkpoints
import ModelKit
import Tokenizers

extension Llama {
    private static func load(_ folder: ModelFolder) throws -> LoadedModel {
        let gguf = folder.source as? GGUFFile
        let config = try gguf.map { try LlamaConfig(gguf: $0) } ?? LlamaConfig(huggingFace: folder.requireConfig())
        let (tokenizer, absence) = try tokenizer(folder, gguf)
        if let tokenizer, tokenizer.vocabularySize > config.vocabulary {
            throw CheckpointError.unreadable(
                file: folder.path,
                reason:
                    "the tokenizer knows \(tokenizer.vocabularySize) tokens, the network \(config.vocabulary): they don't belong together")
        }
        let model = try WeightLoader.load(
            from: folder.source, precision: folder.precision, renames: gguf == nil ? .none : .llamaGGUF,
            ignoring: ["**.rotary_emb.inv_freq"] + (config.isTied ? ["lm_head.weight"] : []), label: "Llama"
        ) { Llama($0, config, tokenizer: tokenizer, tokenizerAbsence: absence) }
        return LoadedModel(family: "Llama", language: model)
    }

    private static func tokenizer(_ folder: ModelFolder, _ gguf: GGUFFile?) throws -> (Tokenizer?, String?) {
        if let gguf {
            if let tokenizer = try Tokenizer(gguf) { return (tokenizer, nil) }
            return (
                nil,
                "the file holds no byte-level BPE vocabulary (tokenizer.ggml.model is \(gguf.metadata["tokenizer.ggml.model"] ?? "absent"))"
            )
        }
        let names = ["tokenizer.json", "tokenizer.model", "vocab.json"]
        guard let directory = folder.directory, names.contains(where: { folder.file($0) != nil }) else {
            return (nil, "no \(names.joined(separator: ", ")) beside the weights")
        }
        return (try Tokenizer.load(folder: directory), nil)
    }

    private static func recognises(_ folder: ModelFolder) -> Bool {
        if let gguf = folder.source as? GGUFFile {
            return gguf.values["general.architecture"]?.string.map(LlamaConfig.modelTypes.contains) ?? false
        }
        return folder.modelType.map(LlamaConfig.modelTypes.contains) ?? false
    }

    private static func smolLM2(_ size: String, width: Int, layers: Int, heads: Int, keyHeads: Int, hidden: Int) -> PublishedCheckpoint {
        .init(
            "HuggingFaceTB/SmolLM2-\(size)-Instruct", licence: "Apache-2.0",
            config:
                #"{"model_type":"llama","hidden_size":\#(width),"intermediate_size":\#(hidden),"num_hidden_layers":\#(layers),"num_attention_heads":\#(heads),"num_key_value_heads":\#(keyHeads),"vocab_size":49152,"max_position_embeddings":8192,"rms_norm_eps":1e-05,"rope_theta":100000,"tie_word_embeddings":true,"hidden_act":"silu"}"#
        )
    }

    private static let qwen = PublishedCheckpoint(
        "Qwen/Qwen2.5-0.5B-Instruct", licence: "Apache-2.0",
        config:
            #"{"model_type":"qwen2","hidden_size":896,"intermediate_size":4864,"num_hidden_layers":24,"num_attention_heads":14,"num_key_value_heads":2,"vocab_size":151936,"max_position_embeddings":32768,"rms_norm_eps":1e-06,"rope_theta":1000000.0,"tie_word_embeddings":true,"hidden_act":"silu","use_sliding_window":false}"#
    )

    public static let family = Family(
        name: "Llama", group: "Language",
        summary: "Decoder-only language model (Touvron et al. 2023); SmolLM2 and Qwen2.5 (Yang et al. 2024) are of its kind",
        layouts: ["Hugging Face", "GGUF"], worstDifference: 5e-6,
        published: [
            smolLM2("135M", width: 576, layers: 30, heads: 9, keyHeads: 3, hidden: 1536),
            smolLM2("360M", width: 960, layers: 32, heads: 15, keyHeads: 5, hidden: 2560), qwen,
        ],
        recognises: recognises, load: load)
}
