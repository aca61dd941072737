import Checkpoints

extension Renames {
    /// llama.cpp's names to those of transformers.
    static let llamaGGUF: Renames = [
        .rename("token_embd.*", to: "model.embed_tokens.*"),
        .rename("output_norm.*", to: "model.norm.*"),
        .rename("output.*", to: "lm_head.*"),
        .rename("blk.*.attn_norm.*", to: "model.layers.*.input_layernorm.*"),
        .rename("blk.*.ffn_norm.*", to: "model.layers.*.post_attention_layernorm.*"),
        .rename("blk.*.attn_q.*", to: "model.layers.*.self_attn.q_proj.*"),
        .rename("blk.*.attn_k.*", to: "model.layers.*.self_attn.k_proj.*"),
        .rename("blk.*.attn_v.*", to: "model.layers.*.self_attn.v_proj.*"),
        .rename("blk.*.attn_output.*", to: "model.layers.*.self_attn.o_proj.*"),
        .rename("blk.*.ffn_gate.*", to: "model.layers.*.mlp.gate_proj.*"),
        .rename("blk.*.ffn_up.*", to: "model.layers.*.mlp.up_proj.*"),
        .rename("blk.*.ffn_down.*", to: "model.layers.*.mlp.down_proj.*"),
        // Read with the configuration.
        .drop("rope_freqs.weight"),
    ]
}
