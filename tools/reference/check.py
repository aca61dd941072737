"""Loads every stored checkpoint from its folder, as a user would, and recomputes its outputs from the stored pixels and ids."""
import json
import sys

import open_clip
import torch
from open_clip.openai import load_openai_model
from safetensors import safe_open
from transformers import (AutoImageProcessor, AutoModel, AutoModelForCausalLM, AutoModelForImageClassification, AutoTokenizer, CLIPVisionModelWithProjection)

from golden import ROOT, open_picture


def read(path):
    with safe_open(path, "pt") as file:
        return {name: file.get_tensor(name) for name in file.keys()}, file.metadata()


def worst(a, b):
    return (a - b).abs().max().item()


def hugging_face(folder, arrays, notes):
    """A list of (what, worst difference)."""
    kind = json.loads((folder / "config.json").read_text())["architectures"][0]
    loader = {"CLIPVisionModelWithProjection": CLIPVisionModelWithProjection}.get(kind, AutoModel)
    if "ImageClassification" in kind:
        loader = AutoModelForImageClassification
    model = loader.from_pretrained(folder, attn_implementation="eager").eval() if "ResNet" not in kind else loader.from_pretrained(folder).eval()
    results = []
    processor = AutoImageProcessor.from_pretrained(folder, use_fast=False)
    names = json.loads(notes["pictures"])
    images = processor([open_picture(name) for name in names], return_tensors="pt")
    pixels = torch.stack([arrays[f"pixels.{name}"] for name in names])
    results.append(("pixels", worst(images["pixel_values"], pixels)))
    if "logits" in arrays:
        results.append(("logits", worst(model(pixels).logits, arrays["logits"])))
    elif hasattr(model, "get_image_features"):
        results.append(("image_embeds", worst(model.get_image_features(**images), arrays["image_embeds"])))
    else:
        output = model(pixels)
        held = output.image_embeds if "image_embeds" in output else output.last_hidden_state[:, 0]
        results.append(("image_embeds", worst(held, arrays["image_embeds"])))
    if "text_ids" in arrays:
        ids = AutoTokenizer.from_pretrained(folder)(json.loads(notes["texts"]), padding="max_length", truncation=True,
                                                    max_length=arrays["text_ids"].shape[1], return_tensors="pt")
        results.append(("text_ids", worst(ids.input_ids, arrays["text_ids"])))
        output = model(**{k: v for k, v in ids.items() if k != "attention_mask" or "Siglip" not in kind}, **images)
        results.append(("logits_per_image", worst(output.logits_per_image, arrays["logits_per_image"])))
    return results


def language_model(folder, arrays):
    options = {"gguf_file": "model.gguf"} if (folder / "model.gguf").exists() else {}
    model = AutoModelForCausalLM.from_pretrained(folder, attn_implementation="eager", **options).eval()
    return [("logits", worst(model(arrays["token_ids"]).logits, arrays["token_logits"]))]


def openai(path, arrays, notes):
    model = load_openai_model(str(path), precision="fp32", device="cpu").eval()
    pixels = torch.stack([arrays[f"pixels.{name}"] for name in json.loads(notes["pictures"])])
    return [(f"{path.name} image_embeds", worst(model.encode_image(pixels), arrays["image_embeds"])),
            (f"{path.name} text_embeds", worst(model.encode_text(arrays["text_ids"]), arrays["text_embeds"]))]


def open_clip_folder(folder, arrays, notes):
    model = open_clip.create_model(f"local-dir:{folder}").eval()
    pixels = torch.stack([arrays[f"pixels.{name}"] for name in json.loads(notes["pictures"])])
    return [("image_embeds", worst(model.encode_image(pixels), arrays["image_embeds"])),
            ("text_embeds", worst(model.encode_text(arrays["text_ids"]), arrays["text_embeds"]))]


def main():
    failed = False
    for golden in sorted((ROOT / "Sources" / "Models").glob("*/*/golden/*/golden.safetensors")):
        folder = golden.parent
        arrays, notes = read(golden)
        if folder.name == "gguf_mixed":
            continue  # transformers doesn't read rope_freqs.weight
        if "token_logits" in arrays:
            results = language_model(folder, arrays)
        elif notes["reference"].startswith("transformers."):
            results = hugging_face(folder, arrays, notes)
        elif (folder / "open_clip_config.json").exists():
            results = open_clip_folder(folder, arrays, notes)
        elif folder.name.startswith("openai"):
            results = [r for path in sorted(folder.glob("*.pt")) for r in openai(path, arrays, notes)]
        else:
            continue  # made straight from a state dictionary: nothing else reads its folder
        bad = any(not value < 2e-5 for _, value in results)
        failed |= bad
        print(folder.parents[1].name, folder.name, *(f"{what} {value:.1e}" for what, value in results), "DIFFERS" if bad else "")
    sys.exit(failed)


if __name__ == "__main__":
    main()
