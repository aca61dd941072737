import Checkpoints

extension Renames {
    /// The picture transformer of OpenAI's, open_clip's and cn_clip's layout under `visual`, to Hugging Face names.
    static let openAIVision =
        Renames([
            .rename("visual.class_embedding", to: "vision_model.embeddings.class_embedding"),
            .rename("visual.positional_embedding", to: "vision_model.embeddings.position_embedding.weight"),
            .rename("visual.conv1.weight", to: "vision_model.embeddings.patch_embedding.weight"),
            .rename("visual.ln_pre.*", to: "vision_model.pre_layrnorm.*"),
            .rename("visual.ln_post.*", to: "vision_model.post_layernorm.*"),
            .transpose("visual.proj"),
            .rename("visual.proj", to: "visual_projection.weight"),
            .rename("visual.transformer.resblocks.**", to: "vision_model.encoder.layers.**"),
        ]) + blocks("vision_model.encoder.layers.*")

    /// The text transformer of OpenAI's and open_clip's layout.
    static let openAIText =
        Renames([
            .rename("token_embedding.weight", to: "text_model.embeddings.token_embedding.weight"),
            .rename("positional_embedding", to: "text_model.embeddings.position_embedding.weight"),
            .rename("ln_final.*", to: "text_model.final_layer_norm.*"),
            .transpose("text_projection"),
            .rename("text_projection", to: "text_projection.weight"),
            .rename("transformer.resblocks.**", to: "text_model.encoder.layers.**"),
        ]) + blocks("text_model.encoder.layers.*")

    /// Constants that OpenAI's archives carry beside the weights.
    static let openAIConstants = Renames([
        .drop("input_resolution"), .drop("context_length"), .drop("vocab_size"), .drop("attn_mask"),
    ])

    private static func blocks(_ layer: String) -> Renames {
        func parts(_ kind: String) -> [String] { ["q", "k", "v"].map { "\(layer).self_attn.\($0)_proj.\(kind)" } }
        return Renames([
            .split("\(layer).attn.in_proj_weight", into: parts("weight")),
            .split("\(layer).attn.in_proj_bias", into: parts("bias")),
            .rename("\(layer).attn.out_proj.*", to: "\(layer).self_attn.out_proj.*"),
            .rename("\(layer).ln_1.*", to: "\(layer).layer_norm1.*"),
            .rename("\(layer).ln_2.*", to: "\(layer).layer_norm2.*"),
            .rename("\(layer).mlp.c_fc.*", to: "\(layer).mlp.fc1.*"),
            .rename("\(layer).mlp.c_proj.*", to: "\(layer).mlp.fc2.*"),
        ])
    }
}
