"""Tiny Llama checkpoints and their logits from transformers; GGUF files of the same networks in several formats.

The logits of a quantised file are those of transformers with the file's own weights, read back by the package gguf.

Run: python reference.py            (environment: tools/reference/README.md)
"""
import json
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[4] / "tools" / "reference"))

import gguf
import numpy as np
import torch
from gguf import GGMLQuantizationType as Type
from tokenizers import Tokenizer, decoders, models, pre_tokenizers
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast, Qwen2Config, Qwen2ForCausalLM

from golden import CORPUS, TEXTS, Golden, fresh, randomise
from tokenizer_training import clip_bytes, learn_merges

SPECIAL = ["<|endoftext|>", "<|im_start|>", "<|im_end|>"]
SPLITS = {
    "smollm": pre_tokenizers.Sequence([pre_tokenizers.Digits(individual_digits=True), pre_tokenizers.ByteLevel(add_prefix_space=False)]),
    "gpt-2": pre_tokenizers.ByteLevel(add_prefix_space=False),
}
DIMENSIONS = dict(hidden_size=64, intermediate_size=96, num_hidden_layers=2, num_attention_heads=4, num_key_value_heads=2,
                  max_position_embeddings=64, rms_norm_eps=1e-5, rope_theta=10000.0, tie_word_embeddings=True,
                  bos_token_id=1, eos_token_id=2)
LLAMA3 = dict(rope_type="llama3", factor=4.0, low_freq_factor=1.0, high_freq_factor=2.0, original_max_position_embeddings=32)
ROWS, LENGTH = 2, 20


def vocabulary(splitting, merges=60):
    """Tokens in order of their ids, and merges."""
    words = [word for line in CORPUS for word, _ in SPLITS[splitting].pre_tokenize_str(line)]
    learned = learn_merges([tuple(word) for word in words], merges)
    return list(dict.fromkeys(SPECIAL + clip_bytes() + ["".join(pair) for pair in learned])), learned


def tokenizer(splitting):
    tokens, merges = vocabulary(splitting)
    made = Tokenizer(models.BPE({token: index for index, token in enumerate(tokens)}, merges))
    made.pre_tokenizer = SPLITS[splitting]
    made.decoder = decoders.ByteLevel()
    made.add_special_tokens(SPECIAL)
    return made


def build(seed, model_class=LlamaForCausalLM, config_class=LlamaConfig, **options):
    config = config_class(**{**DIMENSIONS, "vocab_size": len(vocabulary("smollm")[0]), **options})
    model = randomise(model_class._from_config(config, attn_implementation="eager"), seed)
    # Where the output's matrix is the embedding's, logits near one.
    model.model.embed_tokens.weight.mul_(config.hidden_size**-0.5 / 0.3)
    return model


def store(folder, model, splitting="smollm", **notes):
    """Runs the model on the texts and writes the golden file."""
    golden = Golden(folder, reference=f"transformers.{type(model).__name__}", **notes)
    made = tokenizer(splitting)
    texts = TEXTS + ["In 1984 she paid 12.50!", "<|im_start|>user\nhello<|im_end|>"]
    encoded = [made.encode(text).ids for text in texts]
    ids = torch.tensor([row[:LENGTH] for row in encoded if len(row) >= LENGTH][:ROWS])
    golden.tap(model.model.embed_tokens, "tap.language.embeddings")
    for index, layer in enumerate(model.model.layers):
        golden.tap(layer, f"tap.language.layer.{index}")
    golden.add("token_ids", ids)
    golden.add("token_logits", model(ids).logits)
    golden.notes["tokens"] = encoded
    golden.save(texts, ["tokenizers", "gguf"])


def hugging_face(variant, model, with_tokenizer=False):
    folder = fresh(__file__, variant)
    model.save_pretrained(folder)
    (folder / "generation_config.json").unlink(missing_ok=True)
    if with_tokenizer:
        PreTrainedTokenizerFast(tokenizer_object=tokenizer("smollm"), bos_token=SPECIAL[1], eos_token=SPECIAL[2]).save_pretrained(folder)
    store(folder, model)


NAMES = {"self_attn.q_proj": "attn_q", "self_attn.k_proj": "attn_k", "self_attn.v_proj": "attn_v", "self_attn.o_proj": "attn_output",
         "mlp.gate_proj": "ffn_gate", "mlp.up_proj": "ffn_up", "mlp.down_proj": "ffn_down", "input_layernorm": "attn_norm",
         "post_attention_layernorm": "ffn_norm"}


def gguf_name(name):
    for ours, theirs in {"model.embed_tokens": "token_embd", "model.norm": "output_norm", "lm_head": "output", "model.layers": "blk",
                         **NAMES}.items():
        name = name.replace(ours, theirs)
    return name


def heads(name, config):
    """Heads whose rows llama.cpp reorders, 0 for other tensors and other architectures."""
    if config.model_type != "llama":
        return 0
    return config.num_attention_heads if ".q_proj." in name else config.num_key_value_heads if ".k_proj." in name else 0


def interleaved(array, count):
    return array.reshape(count, 2, array.shape[0] // count // 2, *array.shape[1:]).swapaxes(1, 2).reshape(array.shape)


def separated(array, count):
    return array.reshape(count, array.shape[0] // count // 2, 2, *array.shape[1:]).swapaxes(1, 2).reshape(array.shape)


def write_gguf(path, model, types, splitting="smollm"):
    """`types` gives the format of a tensor by its GGUF name."""
    config, architecture = model.config, model.config.model_type
    writer = gguf.GGUFWriter(str(path), architecture)
    writer.add_block_count(config.num_hidden_layers)
    writer.add_context_length(config.max_position_embeddings)
    writer.add_embedding_length(config.hidden_size)
    writer.add_feed_forward_length(config.intermediate_size)
    writer.add_head_count(config.num_attention_heads)
    writer.add_head_count_kv(config.num_key_value_heads)
    writer.add_rope_freq_base(config.rope_theta)
    writer.add_rope_dimension_count(config.hidden_size // config.num_attention_heads)
    writer.add_layer_norm_rms_eps(config.rms_norm_eps)
    tokens, merges = vocabulary(splitting)
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre(splitting)
    writer.add_token_list(tokens)
    writer.add_token_types([3 if token in SPECIAL else 1 for token in tokens])
    writer.add_token_merges([" ".join(pair) for pair in merges])
    writer.add_bos_token_id(1)
    writer.add_eos_token_id(2)
    writer.add_add_bos_token(False)
    if config.rope_scaling:
        plain = 1 / config.rope_theta ** (np.arange(0, model.model.rotary_emb.inv_freq.numel() * 2, 2) / (model.model.rotary_emb.inv_freq.numel() * 2))
        writer.add_tensor("rope_freqs.weight", (plain / model.model.rotary_emb.inv_freq.double().numpy()).astype(np.float32))
    for name, parameter in model.state_dict().items():
        if name == "lm_head.weight" and config.tie_word_embeddings:
            continue
        array = parameter.numpy().astype(np.float32)
        if heads(name, config):
            array = interleaved(array, heads(name, config))
        kind = types(gguf_name(name)) if array.ndim == 2 else Type.F32
        writer.add_tensor(gguf_name(name), gguf.quants.quantize(np.ascontiguousarray(array), kind), raw_dtype=kind)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def with_weights_of(path, model):
    """The model with the numbers that the file holds."""
    stored = {tensor.name: tensor for tensor in gguf.GGUFReader(str(path)).tensors}
    state = {}
    for name in model.state_dict():
        tensor = stored["token_embd.weight" if name == "lm_head.weight" and model.config.tie_word_embeddings else gguf_name(name)]
        array = gguf.quants.dequantize(tensor.data, tensor.tensor_type).reshape(tuple(reversed(tensor.shape.tolist())))
        if heads(name, model.config):
            array = separated(array, heads(name, model.config))
        state[name] = torch.from_numpy(np.array(array, dtype=np.float32))
    model.load_state_dict(state)
    return model


def gguf_file(variant, model, types, splitting="smollm"):
    folder = fresh(__file__, variant)
    write_gguf(folder / "model.gguf", model, types, splitting)
    store(folder, with_weights_of(folder / "model.gguf", model), splitting, formats=formats(folder / "model.gguf"))


def super_blocks(variant, model):
    """Q4_K and Q6_K, which llama.cpp alone writes."""
    import llama_cpp

    folder = fresh(__file__, variant)
    with tempfile.TemporaryDirectory() as scratch:
        plain = Path(scratch) / "plain.gguf"
        write_gguf(plain, model, lambda name: Type.F32)
        options = llama_cpp.llama_model_quantize_default_params()
        options.ftype = llama_cpp.LLAMA_FTYPE_MOSTLY_Q4_K_M
        options.nthread = 1
        if llama_cpp.llama_model_quantize(str(plain).encode(), str(folder / "model.gguf").encode(), options):
            raise SystemExit("llama.cpp couldn't quantise")
    store(folder, with_weights_of(folder / "model.gguf", model), formats=formats(folder / "model.gguf"))


def formats(path):
    return " ".join(sorted({tensor.tensor_type.name for tensor in gguf.GGUFReader(str(path)).tensors}))


MIXED = {"token_embd": Type.Q5_1, "attn_q": Type.F16, "attn_k": Type.BF16, "attn_v": Type.Q5_0, "attn_output": Type.Q4_0,
         "ffn_gate": Type.Q4_0, "ffn_up": Type.Q5_1, "ffn_down": Type.Q8_0, "output": Type.Q8_0}


def main():
    hugging_face("tied", build(71), with_tokenizer=True)
    hugging_face("long", build(72, tie_word_embeddings=False, attention_bias=True, mlp_bias=True, head_dim=24, rope_scaling=LLAMA3,
                               num_hidden_layers=1))
    hugging_face("qwen2", build(73, Qwen2ForCausalLM, Qwen2Config, num_hidden_layers=1))
    gguf_file("gguf_q4_1", build(74), lambda name: Type.Q8_0 if name.startswith("token_embd") else Type.Q4_1)
    gguf_file("gguf_mixed", build(75, tie_word_embeddings=False, rope_scaling=LLAMA3), lambda name: MIXED[name.split(".")[-2]], "gpt-2")
    gguf_file("gguf_qwen2", build(76, Qwen2ForCausalLM, Qwen2Config, num_hidden_layers=1), lambda name: Type.F32)
    super_blocks("gguf_super", build(77, hidden_size=256, intermediate_size=256, num_hidden_layers=1))


if __name__ == "__main__":
    main()
