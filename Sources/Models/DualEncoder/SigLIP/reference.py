"""Tiny SigLIP and SigLIP 2 checkpoints and their outputs from transformers.

Run: python reference.py            (environment: tools/reference/README.md)
"""
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[4] / "tools" / "reference"))

import torch
from transformers import (GemmaTokenizerFast, Siglip2Config, Siglip2ImageProcessor, Siglip2Model, SiglipConfig, SiglipImageProcessor,
                          SiglipModel, SiglipTokenizer)

from golden import TEXTS, Golden, fresh, open_picture, picture_names, randomise, slow_processor
from tokenizer_training import gemma_file, sentencepiece_model

CONTEXT = 16
EMBEDS = "image_embeds is the attention pooling head's output, text_embeds the head of the last position; neither is normalised"
LAYERS = dict(hidden_size=40, intermediate_size=64, num_hidden_layers=2, num_attention_heads=4)


def text_config(tokenizer):
    return dict(**LAYERS, vocab_size=len(tokenizer), max_position_embeddings=CONTEXT, pad_token_id=tokenizer.pad_token_id,
                eos_token_id=tokenizer.eos_token_id, bos_token_id=tokenizer.bos_token_id)


def sentencepiece_tokenizer(folder):
    sentencepiece_model(folder)
    return SiglipTokenizer(str(folder / "spiece.model"), do_lower_case=True, model_max_length=CONTEXT)


def gemma_tokenizer(folder, lowercase):
    gemma_file(folder, lowercase)
    return GemmaTokenizerFast(tokenizer_file=str(folder / "tokenizer.json"), add_bos_token=False, add_eos_token=True, padding_side="right",
                              do_lower_case=lowercase, model_input_names=["input_ids"], model_max_length=CONTEXT)


def encode(tokenizer):
    """Always padded to the full context, and no mask: SigLIP reads its last position."""
    return tokenizer(TEXTS, padding="max_length", truncation=True, max_length=CONTEXT, return_tensors="pt").input_ids


def tap(golden, model):
    golden.tap(model.vision_model.embeddings, "tap.vision.embeddings")
    for index, layer in enumerate(model.vision_model.encoder.layers):
        golden.tap(layer, f"tap.vision.layer.{index}")
    golden.tap(model.vision_model.post_layernorm, "tap.vision.post_layernorm")
    golden.tap(model.vision_model.head, "tap.vision.pooled")
    golden.tap(model.text_model.embeddings, "tap.text.embeddings")
    for index, layer in enumerate(model.text_model.encoder.layers):
        golden.tap(layer, f"tap.text.layer.{index}")


def finish(golden, model, tokenizer, images):
    ids = encode(tokenizer)
    golden.add("image_embeds", model.get_image_features(**images))
    golden.add("text_ids", ids)
    golden.add("attention_mask", torch.ones_like(ids))
    golden.add("text_embeds", model.get_text_features(ids))
    golden.add("logits_per_image", model(input_ids=ids, **images).logits_per_image)
    golden.save(TEXTS, ["tokenizers", "sentencepiece"])


def fixed(variant, seed, make_tokenizer, **options):
    folder = fresh(__file__, variant)
    tokenizer = make_tokenizer(folder)
    tokenizer.save_pretrained(folder)
    config = SiglipConfig(text_config=text_config(tokenizer), vision_config=dict(**LAYERS, image_size=32, patch_size=8, **options))
    model = randomise(SiglipModel._from_config(config, attn_implementation="eager"), seed)
    model.save_pretrained(folder)
    process = SiglipImageProcessor(size={"height": 32, "width": 32}, image_mean=[0.5] * 3, image_std=[0.5] * 3, **RESAMPLING[variant])
    process.save_pretrained(folder)
    golden = Golden(folder, reference="transformers.SiglipModel", embeds=EMBEDS)
    tap(golden, model)
    finish(golden, model, tokenizer, {"pixel_values": golden.pixels(slow_processor(process))})


# As published: SigLIP resizes bicubically, SigLIP 2 bilinearly.
RESAMPLING = {"siglip": dict(resample=3), "siglip2_fixed": dict(resample=2)}


def naflex():
    """Pictures keep their shape: up to 24 patches of 8 x 8, padded, with a mask and each picture's rows and columns."""
    folder = fresh(__file__, "siglip2_naflex")
    tokenizer = gemma_tokenizer(folder, lowercase=True)
    tokenizer.save_pretrained(folder)
    config = Siglip2Config(text_config=text_config(tokenizer), vision_config=dict(**LAYERS, num_patches=25, patch_size=8))
    model = randomise(Siglip2Model._from_config(config, attn_implementation="eager"), 73)
    model.save_pretrained(folder)
    process = Siglip2ImageProcessor(patch_size=8, max_num_patches=24)
    process.save_pretrained(folder)
    golden = Golden(folder, reference="transformers.Siglip2Model", embeds=EMBEDS,
                    pixels="pixels.* are patches [24, 8 * 8 * 3] (row, column, channel), pixel_attention_mask and spatial_shapes [height, width] in patches")
    tap(golden, model)
    names = picture_names()
    images = process([open_picture(name) for name in names], return_tensors="pt")
    for row, name in enumerate(names):
        golden.add(f"pixels.{name}", images["pixel_values"][row])
    golden.notes["pictures"] = names
    golden.add("pixel_attention_mask", images["pixel_attention_mask"])
    golden.add("spatial_shapes", images["spatial_shapes"])
    finish(golden, model, tokenizer, dict(images))


def main():
    fixed("siglip", 71, sentencepiece_tokenizer)
    fixed("siglip2_fixed", 72, lambda folder: gemma_tokenizer(folder, lowercase=False))
    naflex()


if __name__ == "__main__":
    main()
