"""Writes Tests/LayersTests/golden/layers.safetensors: rotary embeddings and root mean square norms as transformers and Meta's
own Llama compute them.

Run: python tools/reference/layers.py
"""
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))

import torch
from transformers import LlamaConfig
from transformers.models.llama.modeling_llama import LlamaRMSNorm, LlamaRotaryEmbedding, apply_rotary_pos_emb

from golden import ROOT, save_file, versions

POSITIONS = [0, 1, 2, 7, 40, 1000, 8191]
LLAMA3 = dict(rope_type="llama3", factor=8.0, low_freq_factor=1.0, high_freq_factor=4.0, original_max_position_embeddings=8192)
LINEAR = dict(rope_type="linear", factor=4.0)


def main():
    random = torch.Generator().manual_seed(5)
    arrays = {}
    x = torch.randn(2, len(POSITIONS), 3, 16, generator=random)  # [batch, tokens, heads, width]
    arrays["x"], positions = x, torch.tensor([POSITIONS])
    for name, scaling in (("plain", None), ("linear", LINEAR), ("llama3", LLAMA3)):
        config = LlamaConfig(hidden_size=48, num_attention_heads=3, rope_theta=500000.0, rope_scaling=scaling, max_position_embeddings=131072)
        rotary = LlamaRotaryEmbedding(config)
        cos, sin = rotary(x, positions)
        arrays[f"frequencies.{name}"] = rotary.inv_freq
        arrays[f"halves.{name}"] = apply_rotary_pos_emb(x, x, cos, sin, unsqueeze_dim=2)[0]
    # Meta's Llama: neighbours are the parts of complex numbers.
    frequencies = 1.0 / (500000.0 ** (torch.arange(0, 16, 2).float() / 16))
    turns = torch.polar(torch.ones(len(POSITIONS), 8), torch.outer(torch.tensor(POSITIONS).float(), frequencies))
    arrays["neighbours.plain"] = torch.view_as_real(torch.view_as_complex(x.reshape(2, len(POSITIONS), 3, 8, 2)) * turns[None, :, None]).flatten(3)

    norm = LlamaRMSNorm(16, eps=1e-5)
    norm.weight.copy_(1 + 0.3 * torch.randn(16, generator=random))
    arrays["norm.weight"], arrays["norm.y"] = norm.weight, norm(x)
    folder = ROOT / "Tests" / "LayersTests" / "golden"
    folder.mkdir(parents=True, exist_ok=True)
    save_file({name: array.detach().clone().contiguous() for name, array in arrays.items()}, folder / "layers.safetensors",
              {"positions": str(POSITIONS), "versions": str(versions())})


if __name__ == "__main__":
    main()
