"""Tiny CLIP checkpoints and their outputs from transformers and open_clip.

Run: python reference.py            (environment: tools/reference/README.md)
"""
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[4] / "tools" / "reference"))

import open_clip
import torch
from open_clip.model import CLIPTextCfg, CLIPVisionCfg
from transformers import (CLIPConfig, CLIPImageProcessor, CLIPModel, CLIPTokenizerFast, CLIPVisionConfig,
                          CLIPVisionModelWithProjection)

from golden import NORMS, TEXTS, Golden, fresh, open_picture, randomise, save_file, slow_processor, write_json
from tokenizer_training import clip_files

UNNORMALISED = "image_embeds and text_embeds are projection outputs before normalisation"
CONTEXT = 24


def processor(size=32):
    return CLIPImageProcessor(size={"shortest_edge": size}, crop_size={"height": size, "width": size})


def hugging_face(variant, seed, *, activation="quick_gelu", projection=24, legacy_eos=False, extra=()):
    folder = fresh(__file__, variant)
    vocabulary = clip_files(folder)
    tokenizer = CLIPTokenizerFast(str(folder / "vocab.json"), str(folder / "merges.txt"), model_max_length=CONTEXT)
    tokenizer.add_tokens(list(extra))  # ids above the end token: the largest id isn't always the end
    tokenizer.save_pretrained(folder)
    start, end = vocabulary["<|startoftext|>"], vocabulary["<|endoftext|>"]
    config = CLIPConfig(
        text_config=dict(hidden_size=32, intermediate_size=48, num_hidden_layers=2, num_attention_heads=4, hidden_act=activation,
                         max_position_embeddings=CONTEXT, vocab_size=len(tokenizer), projection_dim=projection,
                         bos_token_id=start, eos_token_id=2 if legacy_eos else end, pad_token_id=1),
        vision_config=dict(hidden_size=40, intermediate_size=64, num_hidden_layers=2, num_attention_heads=4, hidden_act=activation,
                           image_size=32, patch_size=8, projection_dim=projection),
        projection_dim=projection)
    model = randomise(CLIPModel._from_config(config, attn_implementation="eager"), seed)
    model.save_pretrained(folder)
    processor().save_pretrained(folder)

    golden = Golden(folder, reference="transformers.CLIPModel", embeds=UNNORMALISED)
    texts = TEXTS + [f"{token} a dog {token}" for token in extra]
    encoded = tokenizer(texts, padding="max_length", truncation=True, max_length=CONTEXT, return_tensors="pt")
    tap_vision(golden, model.vision_model)
    golden.tap(model.text_model.embeddings, "tap.text.embeddings")
    for index, layer in enumerate(model.text_model.encoder.layers):
        golden.tap(layer, f"tap.text.layer.{index}")
    pixels = golden.pixels(slow_processor(processor()))
    golden.add("image_embeds", model.get_image_features(pixels))
    golden.add("text_ids", encoded.input_ids)
    golden.add("attention_mask", encoded.attention_mask)
    golden.add("text_embeds", model.get_text_features(**encoded))
    golden.add("logits_per_image", model(pixel_values=pixels, **encoded).logits_per_image)
    golden.save(texts, ["tokenizers"])


def tap_vision(golden, vision):
    golden.tap(vision.embeddings, "tap.vision.embeddings")
    for index, layer in enumerate(vision.encoder.layers):
        golden.tap(layer, f"tap.vision.layer.{index}")
    golden.tap(vision.post_layernorm, "tap.vision.pooled")


def vision_only():
    folder = fresh(__file__, "vision_only")
    config = CLIPVisionConfig(hidden_size=40, intermediate_size=64, num_hidden_layers=2, num_attention_heads=4, hidden_act="gelu",
                              image_size=48, patch_size=16, projection_dim=40)
    model = randomise(CLIPVisionModelWithProjection._from_config(config, attn_implementation="eager"), 14)
    model.save_pretrained(folder)
    processor(48).save_pretrained(folder)
    golden = Golden(folder, reference="transformers.CLIPVisionModelWithProjection", embeds=UNNORMALISED)
    tap_vision(golden, model.vision_model)
    pixels = golden.pixels(slow_processor(processor(48)))
    golden.add("image_embeds", model(pixels).image_embeds)
    golden.save()


def text_ids(vocabulary, context=CONTEXT):
    """Rows as CLIP's tokenizer lays them out: start, words, end, zeros; the end token is the largest id."""
    random = torch.Generator().manual_seed(5)
    ids = torch.zeros(4, context, dtype=torch.int64)
    for row, length in enumerate([1, 5, 12, context - 2]):
        ids[row, 0] = vocabulary - 2
        ids[row, 1 : length + 1] = torch.randint(1, vocabulary - 2, (length,), generator=random)
        ids[row, length + 1] = vocabulary - 1
    return ids


# The vocabulary is far smaller than CLIP's 49,408, so ids are given instead of texts.
IDS_ONLY = "text_ids are fed directly: the tiny vocabulary has no tokenizer"


SOME_PICTURES = ["photo_160x120.png", "rgba_80x80.png", "tiny_27x19.png"]


def original(variant, seed, vision, text, *, quick_gelu, half, embed=24, pictures=SOME_PICTURES):
    """The model of OpenAI's layout, built with open_clip, whose keys for it are the original ones.

    OpenAI publishes half precision: then the weights are rounded to it and the outputs computed in float.
    """
    vocabulary = text.vocab_size
    model = randomise(open_clip.CLIP(embed, vision, text, quick_gelu=quick_gelu), seed)
    if half:
        for name, tensor in model.state_dict().items():
            if tensor.is_floating_point() and name != "attn_mask":
                tensor.copy_(tensor.half().float())
    golden = Golden(fresh(__file__, variant), embeds=UNNORMALISED, text=IDS_ONLY)
    ids = text_ids(vocabulary)
    layers = model.visual.transformer.resblocks if hasattr(model.visual, "transformer") else [
        model.visual.layer1, model.visual.layer2, model.visual.layer3, model.visual.layer4]
    for index, layer in enumerate(layers):
        golden.tap(layer, f"tap.vision.layer.{index}")
    for index, layer in enumerate(model.transformer.resblocks):
        golden.tap(layer, f"tap.text.layer.{index}")
    size = vision.image_size
    # transformers' processor here too. open_clip's own crop rounds half to even, so a margin of 23 starts a pixel later.
    pixels = golden.pixels(slow_processor(processor(size)), pictures)
    golden.add("image_embeds", model.encode_image(pixels))
    golden.add("text_ids", ids)
    golden.add("text_embeds", model.encode_text(ids))
    golden.add("logits_per_image", model.get_logits(pixels, ids)[0])
    return model, golden


OPEN_CLIP = {
    "embed_dim": 24,
    "vision_cfg": {"image_size": 40, "layers": 2, "width": 40, "head_width": 10, "mlp_ratio": 2.0, "patch_size": 8},
    "text_cfg": {"context_length": CONTEXT, "vocab_size": 96, "width": 32, "heads": 4, "layers": 1},
}


def write_open_clip():
    vision = CLIPVisionCfg(**OPEN_CLIP["vision_cfg"])
    model, golden = original("open_clip", 15, vision, CLIPTextCfg(**OPEN_CLIP["text_cfg"]), quick_gelu=False, half=False,
                             pictures=["gradient_97x61.png", "photo_160x120.png"])  # 63 and 53 wide before the crop to 40
    transform = open_clip.image_transform(OPEN_CLIP["vision_cfg"]["image_size"], is_train=False)
    for name in golden.notes["pictures"]:
        golden.add(f"open_clip_pixels.{name}", transform(open_picture(name)))
    batch = torch.stack([golden.tensors[f"open_clip_pixels.{name}"] for name in golden.notes["pictures"]])
    golden.add("open_clip_image_embeds", model.encode_image(batch))
    golden.notes["reference"] = "open_clip.CLIP; open_clip_* rows come from open_clip's own transform"
    state = {name: tensor.contiguous() for name, tensor in model.state_dict().items()}
    save_file(state, golden.folder / "open_clip_model.safetensors", {"format": "pt"})
    write_json(golden.folder / "open_clip_config.json", {
        "model_cfg": OPEN_CLIP,
        "preprocess_cfg": {"mean": list(open_clip.OPENAI_DATASET_MEAN), "std": list(open_clip.OPENAI_DATASET_STD)},
    })
    torch.save(model.state_dict(), golden.folder / "open_clip_pytorch_model.pt")
    golden.save(packages=["open_clip_torch"])


def openai_state(model, context=CONTEXT):
    """OpenAI's files carry three scalars beside the weights and no attention mask; matrices are half, norms float."""
    norms = {n for n, m in model.named_modules() if isinstance(m, NORMS)}
    state = {}
    for name, tensor in model.state_dict().items():
        keep = name.rpartition(".")[0] in norms or not tensor.is_floating_point() or name == "logit_scale"
        state[name] = tensor if keep else tensor.half()
    state.pop("attn_mask", None)
    size = model.visual.image_size
    state["input_resolution"] = torch.tensor(size[0] if isinstance(size, tuple) else size)
    state["context_length"] = torch.tensor(context)
    state["vocab_size"] = torch.tensor(model.vocab_size)
    return state


class Traced(torch.nn.Module):
    """Parameters and buffers under the original names, for an archive of TorchScript as OpenAI published."""

    def __init__(self, state):
        super().__init__()
        for name, tensor in state.items():
            module, *rest = self, *name.split(".")
            for part in rest[:-1]:
                if not hasattr(module, part):
                    module.add_module(part, torch.nn.Module())
                module = getattr(module, part)
            module.register_buffer(rest[-1], tensor.clone())

    def forward(self, x):
        return x


def write_openai(variant, seed, vision):
    # OpenAI's layout has no head counts: width / 64 each.
    text = CLIPTextCfg(context_length=CONTEXT, vocab_size=96, width=64, heads=1, layers=1)
    model, golden = original(variant, seed, vision, text, quick_gelu=True, half=True)
    golden.notes["reference"] = "open_clip.CLIP with OpenAI's keys and quick_gelu"
    state = openai_state(model)
    torch.save(state, golden.folder / "model.pt")
    if variant == "openai_vit":
        torch.jit.save(torch.jit.script(Traced(state)), str(golden.folder / "model.torchscript.pt"))
        golden.notes["torchscript"] = "model.torchscript.pt holds the same weights in a TorchScript archive"
    golden.save(packages=["open_clip_torch"])


def main():
    hugging_face("vit", 11, extra=["<extra>"])
    hugging_face("vit_legacy_eos", 12, legacy_eos=True)
    hugging_face("vit_gelu", 13, activation="gelu", projection=40)
    vision_only()
    write_open_clip()
    write_openai("openai_vit", 16, CLIPVisionCfg(layers=1, width=64, patch_size=8, image_size=32))
    write_openai("openai_rn50", 17, CLIPVisionCfg(layers=(1, 2, 1, 1), width=4, image_size=64))


if __name__ == "__main__":
    main()
