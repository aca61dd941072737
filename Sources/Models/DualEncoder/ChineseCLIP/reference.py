"""Tiny Chinese-CLIP checkpoints and their outputs from transformers and cn_clip.

Run: python reference.py            (environment: tools/reference/README.md)
"""
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[4] / "tools" / "reference"))

import torch
from cn_clip.clip.bert_tokenizer import FullTokenizer
from cn_clip.clip.model import CLIP
from cn_clip.clip.utils import image_transform
from transformers import BertTokenizerFast, ChineseCLIPConfig, ChineseCLIPImageProcessor, ChineseCLIPModel

from golden import TEXTS, Golden, fresh, randomise, slow_processor, write_json
from tokenizer_training import bert_vocabulary

CONTEXT = 24
EMBEDS = "image_embeds and text_embeds are projection outputs before normalisation"


def tokenizer_in(folder):
    bert_vocabulary(folder)
    return BertTokenizerFast(str(folder / "vocab.txt"), do_lower_case=True, model_max_length=CONTEXT)


def encode(tokenizer):
    return tokenizer(TEXTS, padding="max_length", truncation=True, max_length=CONTEXT, return_tensors="pt")


def hugging_face():
    folder = fresh(__file__, "vit")
    tokenizer = tokenizer_in(folder)
    tokenizer.save_pretrained(folder)
    config = ChineseCLIPConfig(
        text_config=dict(vocab_size=len(tokenizer), hidden_size=32, intermediate_size=48, num_hidden_layers=2, num_attention_heads=4,
                         max_position_embeddings=40, pad_token_id=0),
        vision_config=dict(hidden_size=40, intermediate_size=64, num_hidden_layers=2, num_attention_heads=4, image_size=32, patch_size=8),
        projection_dim=24)
    model = randomise(ChineseCLIPModel._from_config(config, attn_implementation="eager"), 61)
    model.save_pretrained(folder)
    # As the published checkpoints: squashed to a square, no crop.
    process = ChineseCLIPImageProcessor(size={"height": 32, "width": 32}, do_center_crop=False)
    process.save_pretrained(folder)

    golden = Golden(folder, reference="transformers.ChineseCLIPModel", embeds=EMBEDS)
    encoded = encode(tokenizer)
    golden.tap(model.vision_model.embeddings, "tap.vision.embeddings")
    for index, layer in enumerate(model.vision_model.encoder.layers):
        golden.tap(layer, f"tap.vision.layer.{index}")
    golden.tap(model.vision_model.post_layernorm, "tap.vision.pooled")
    golden.tap(model.text_model.embeddings, "tap.text.embeddings")
    for index, layer in enumerate(model.text_model.encoder.layer):
        golden.tap(layer, f"tap.text.layer.{index}")
    pixels = golden.pixels(slow_processor(process))
    golden.add("image_embeds", model.get_image_features(pixels))
    golden.add("text_ids", encoded.input_ids)
    golden.add("attention_mask", encoded.attention_mask)
    # As the model's forward: get_text_features of this version asks for a pooler that the model doesn't have.
    golden.add("text_embeds", model.text_projection(model.text_model(**encoded)[0][:, 0]))
    golden.add("logits_per_image", model(pixel_values=pixels, **encoded).logits_per_image)
    golden.save(TEXTS, ["tokenizers"])


def cn_clip_ids(folder):
    """As cn_clip.clip.tokenize, whose vocabulary is fixed, with the tiny one."""
    tokenizer = FullTokenizer(str(folder / "vocab.txt"))
    rows = torch.zeros(len(TEXTS), CONTEXT, dtype=torch.int64)
    for row, text in zip(rows, TEXTS):
        tokens = ["[CLS]"] + tokenizer.tokenize(text)[: CONTEXT - 2] + ["[SEP]"]
        row[: len(tokens)] = torch.tensor(tokenizer.convert_tokens_to_ids(tokens))
    return rows


TEXT = dict(text_attention_probs_dropout_prob=0.1, text_hidden_act="gelu", text_hidden_dropout_prob=0.1, text_initializer_range=0.02,
            text_max_position_embeddings=40, text_num_hidden_layers=1, text_type_vocab_size=2)


def original(variant, seed, **dimensions):
    """cn_clip's own layout: model.pt holds `state_dict` with the `module.` prefix of distributed training, in half precision."""
    folder = fresh(__file__, variant)
    vocabulary = bert_vocabulary(folder)
    dimensions = {"embed_dim": 24, "vocab_size": len(vocabulary), **TEXT, **dimensions}
    model = randomise(CLIP(**dimensions).float(), seed)
    for tensor in [*model.parameters(), *(b for b in model.buffers() if b.is_floating_point())]:
        tensor.copy_(tensor.half().float())
    state = {f"module.{name}": t.half() if t.is_floating_point() else t for name, t in model.state_dict().items()}
    torch.save({"epoch": 1, "name": variant, "state_dict": state}, folder / "model.pt")
    write_json(folder / "cn_clip_config.json", dimensions)  # the keys of cn_clip's model_configs, vision and text together

    golden = Golden(folder, reference="cn_clip.clip.model.CLIP, pixels from cn_clip's image_transform", embeds=EMBEDS)
    if hasattr(model.visual, "transformer"):
        for index, layer in enumerate(model.visual.transformer.resblocks):  # these hand on [tokens, pictures, width]
            golden.tap(layer, f"tap.vision.layer.{index}", batch_axis=1)
    else:
        for index in range(4):
            golden.tap(getattr(model.visual, f"layer{index + 1}"), f"tap.vision.layer.{index}")
    golden.tap(model.bert.embeddings, "tap.text.embeddings")
    for index, layer in enumerate(model.bert.encoder.layer):
        golden.tap(layer, f"tap.text.layer.{index}")
    names = ["photo_160x120.png", "rgba_80x80.png", "tiny_27x19.png"]
    pixels = golden.pixels(image_transform(dimensions["image_resolution"]), names)
    ids = cn_clip_ids(folder)
    golden.add("text_ids", ids)
    golden.add("attention_mask", ids.ne(0).long())
    golden.add("image_embeds", model.encode_image(pixels))
    golden.add("text_embeds", model.encode_text(ids))
    golden.add("logits_per_image", model.get_similarity(pixels, ids)[0])
    golden.save(TEXTS, ["cn_clip", "torchvision"])


def main():
    hugging_face()
    text = dict(text_hidden_size=64, text_intermediate_size=96, text_num_attention_heads=4)
    original("cn_clip_vit", 62, image_resolution=32, vision_layers=2, vision_width=32, vision_patch_size=8, vision_head_width=16, **text)
    original("cn_clip_rn50", 63, image_resolution=64, vision_layers=[1, 2, 1, 1], vision_width=4, vision_patch_size=None, **text)


if __name__ == "__main__":
    main()
