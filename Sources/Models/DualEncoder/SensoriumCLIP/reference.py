"""Tiny Sensorium-CLIP checkpoints and their outputs, composed of transformers' towers and PyTorch's layers.

There is no reference of this family elsewhere: the parts are transformers' CLIPVisionModelWithProjection, Dinov2Model and BertModel, joined here
as SensoriumCLIP.swift joins them.

Run: python reference.py            (environment: tools/reference/README.md)
"""
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[4] / "tools" / "reference"))

import torch
import torch.nn.functional as F
from safetensors.torch import save_file as save_tensors
from torch import nn
from transformers import (BertConfig, BertModel, BertTokenizerFast, BitImageProcessor, CLIPImageProcessor, CLIPVisionConfig,
                          CLIPVisionModelWithProjection, Dinov2Config, Dinov2Model)

from golden import TEXTS, Golden, fresh, randomise, slow_processor, write_json
from tokenizer_training import bert_vocabulary

CONTEXT, PROJECTION, HIDDEN = 24, 24, 36


class ResidualHead(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.linear, self.up, self.down = nn.Linear(width, PROJECTION), nn.Linear(width, HIDDEN), nn.Linear(HIDDEN, PROJECTION)

    def forward(self, features):
        return self.linear(features) + self.down(F.gelu(self.up(features)))


class Attention(nn.Module):
    """Four projections by CLIP's names."""

    def __init__(self, width):
        super().__init__()
        self.q_proj, self.k_proj, self.v_proj, self.out_proj = (nn.Linear(width, width) for _ in range(4))

    def forward(self, x, heads):
        q, k, v = (part(x).unflatten(2, (heads, -1)).transpose(1, 2) for part in (self.q_proj, self.k_proj, self.v_proj))
        return self.out_proj(F.scaled_dot_product_attention(q, k, v).transpose(1, 2).flatten(2))


class Block(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.layer_norm1, self.self_attn, self.layer_norm2 = nn.LayerNorm(width, 1e-6), Attention(width), nn.LayerNorm(width, 1e-6)
        self.mlp = nn.ModuleDict({"fc1": nn.Linear(width, 4 * width), "fc2": nn.Linear(4 * width, width)})

    def forward(self, x, heads):
        x = x + self.self_attn(self.layer_norm1(x), heads)
        return x + self.mlp["fc2"](F.gelu(self.mlp["fc1"](self.layer_norm2(x))))


class PoolingHead(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.heads = 2
        self.norm, self.layers, self.post_norm = nn.LayerNorm(width, 1e-6), nn.ModuleList([Block(width)]), nn.LayerNorm(width, 1e-6)
        self.query = nn.Parameter(torch.zeros(width))
        self.k_proj, self.v_proj = nn.Linear(width, width), nn.Linear(width, width)
        self.linear, self.up = nn.Linear(2 * width, PROJECTION), nn.Linear(2 * width, HIDDEN)
        self.down = nn.Linear(HIDDEN, PROJECTION)

    def forward(self, tokens):
        x = self.norm(tokens)
        for layer in self.layers:
            x = layer(x, self.heads)
        x = self.post_norm(x)
        q = self.query.expand(len(x), 1, -1).unflatten(2, (self.heads, -1)).transpose(1, 2)
        k, v = (part(x).unflatten(2, (self.heads, -1)).transpose(1, 2) for part in (self.k_proj, self.v_proj))
        mixed = F.scaled_dot_product_attention(q, k, v).transpose(1, 2).flatten(2)[:, 0]
        pooled = torch.cat([mixed, x.mean(1)], 1)
        return self.linear(pooled) + self.down(F.gelu(self.up(pooled)))


class Model(nn.Module):
    def __init__(self, tower, head, text):
        super().__init__()
        self.tower, self.head, self.text_model = tower, head, text
        self.text_projection = nn.Linear(text.config.hidden_size, PROJECTION, bias=False)
        self.logit_scale = nn.Parameter(torch.tensor(0.0))

    def features(self, pixels):
        if isinstance(self.tower, CLIPVisionModelWithProjection):
            return F.normalize(self.tower(pixels).image_embeds, dim=-1)
        patches = self.tower(pixels).last_hidden_state[:, 1:]
        side = int(patches.shape[1] ** 0.5)
        return patches.unflatten(1, (side // 2, 2, side // 2, 2)).mean((2, 4)).flatten(1, 2)

    def forward(self, pixels, ids, mask):
        states = self.text_model(input_ids=ids, attention_mask=mask).last_hidden_state
        kept = mask[..., None].float()
        return self.head(self.features(pixels)), self.text_projection((states * kept).sum(1) / kept.sum(1))


def make(variant, seed, tower, head, processor, vision, prefix):
    folder = fresh(__file__, variant)
    bert_vocabulary(folder)
    tokenizer = BertTokenizerFast(str(folder / "vocab.txt"), do_lower_case=True, model_max_length=CONTEXT)
    tokenizer.save_pretrained(folder)
    text = BertConfig(vocab_size=len(tokenizer), hidden_size=32, intermediate_size=48, num_hidden_layers=2, num_attention_heads=4,
                      max_position_embeddings=40, pad_token_id=0)
    bert = BertModel._from_config(text, attn_implementation="eager", add_pooling_layer=False)
    model = randomise(Model(tower, head, bert), seed)
    processor.save_pretrained(folder)
    names = {key.replace("tower.", prefix, 1) if key.startswith("tower.") else key: value for key, value in model.state_dict().items()}
    save_tensors({key: value.contiguous() for key, value in names.items() if not key.endswith("position_ids")}, folder / "model.safetensors",
                 metadata={"format": "pt"})
    write_json(folder / "config.json", {
        "model_type": "sensorium_clip", "projection_dim": PROJECTION, "context_length": CONTEXT, "vision_config": vision.to_diff_dict(),
        "text_config": text.to_diff_dict() | {"model_type": "bert"}, "head_config": {"hidden_size": HIDDEN, "num_hidden_layers": 1, "num_attention_heads": 2}})

    golden = Golden(folder, reference="composed of transformers' towers", embeds="image_embeds and text_embeds are not normalised")
    encoded = tokenizer(TEXTS, padding="max_length", truncation=True, max_length=CONTEXT, return_tensors="pt")
    golden.tap(bert.embeddings, "tap.text.embeddings")
    for index, layer in enumerate(bert.encoder.layer):
        golden.tap(layer, f"tap.text.layer.{index}")
    pixels = golden.pixels(slow_processor(processor))
    images, texts = model(pixels, encoded.input_ids, encoded.attention_mask)
    golden.add("image_embeds", images)
    golden.add("text_ids", encoded.input_ids)
    golden.add("attention_mask", encoded.attention_mask)
    golden.add("text_embeds", texts)
    golden.add("logits_per_image", model.logit_scale.exp() * F.normalize(images, dim=-1) @ F.normalize(texts, dim=-1).T)
    golden.save(TEXTS, ["tokenizers"])


def main():
    clip = CLIPVisionConfig(hidden_size=40, intermediate_size=64, num_hidden_layers=2, num_attention_heads=4, image_size=32, patch_size=8,
                            projection_dim=28)
    make("clip", 71, CLIPVisionModelWithProjection._from_config(clip, attn_implementation="eager"), ResidualHead(28),
         CLIPImageProcessor(size={"shortest_edge": 32}, crop_size={"height": 32, "width": 32}), clip, "")
    dinov2 = Dinov2Config(hidden_size=32, num_hidden_layers=1, num_attention_heads=4, image_size=28, patch_size=7, mlp_ratio=1)
    make("dinov2", 72, Dinov2Model._from_config(dinov2, attn_implementation="eager"), PoolingHead(32),
         BitImageProcessor(size={"height": 28, "width": 28}, resample=3, do_center_crop=False, image_mean=[0.485, 0.456, 0.406],
                           image_std=[0.229, 0.224, 0.225]), dinov2, "vision_model.")


if __name__ == "__main__":
    main()
