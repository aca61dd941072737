"""What every reference script shares: pictures, texts, random weights, taps and the golden writer.

A golden is a safetensors file beside a tiny checkpoint. Its metadata holds `texts` and `pictures`
(JSON lists), `versions` (JSON object) and free notes. Nothing in it names a place on a machine.
"""
import importlib.metadata
import json
import os
import shutil
import sys
from pathlib import Path

os.environ.setdefault("HF_HUB_OFFLINE", "1")
os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")

import numpy as np
import torch
from PIL import Image
from safetensors.torch import save

ROOT = Path(__file__).resolve().parents[2]
PICTURES = ROOT / "Tests" / "Fixtures" / "pictures"

# Sums in another order differ in the last bits; one thread makes two runs equal.
torch.set_num_threads(1)
torch.set_grad_enabled(False)

TEXTS = [
    "a photo of a red bicycle",
    "一张红色自行车的照片",
    "Two dogs run across the grass; 3 people watch!",
    "海边的日落🌅，很美。",
    "👩‍👩‍👧 café naïve déjà-vu ｆｕｌｌ",
    "UPPER lower  double  spaces\tand\ttabs",
    "one line that is much too long for the tiny context of these models and therefore must be cut at "
    "its end, whatever 的 tokenizer makes of it: 12345 67890",
]

# Enough of both languages for tiny vocabularies with real merges in them.
CORPUS = TEXTS + [
    "a photo of a cat", "a photo of a dog on the grass", "two people ride red bicycles by the sea",
    "the sunset over the beach is beautiful", "a dog runs after a ball", "people watch a football game",
    "一只猫的照片", "一只狗在草地上奔跑", "两个人在海边骑自行车", "美丽的日落", "人们在看足球比赛", "红色的花",
    "蓝色的天空和白色的云", "孩子们在公园里玩", "a child plays in the park", "white clouds in a blue sky",
    "café au lait", "naïve art", "🌅 sunrise", "👩 woman", "hello, world! it's 2024.", "they're running",
]


def versions(*packages):
    names = ("torch", "transformers", "pillow", "numpy", "safetensors") + packages
    return {name: importlib.metadata.version(name) for name in dict.fromkeys(names)}


def picture_names():
    """The rows of `image_embeds`: file names, sorted."""
    return sorted(path.name for path in PICTURES.glob("*.png"))


def open_picture(name):
    """RGB as the product decodes it: transparency over white, grey spread over three channels."""
    return as_rgb(Image.open(PICTURES / name))


def as_rgb(picture):
    if picture.mode == "RGBA":
        white = Image.new("RGBA", picture.size, (255, 255, 255, 255))
        picture = Image.alpha_composite(white, picture)
    return picture.convert("RGB")


NORMS = (torch.nn.LayerNorm, torch.nn.GroupNorm, torch.nn.modules.batchnorm._BatchNorm)


def randomise(model, seed):
    """Random values for everything that has a default which could hide an error.

    Matrices keep outputs near one (deviation 1/sqrt(fan in)); norms, biases, tokens, positions, layer
    scales and running statistics all move away from 0 and 1.
    """
    random = torch.Generator().manual_seed(seed)

    def normal(tensor, deviation, mean=0.0):
        tensor.copy_(mean + deviation * torch.randn(tensor.shape, generator=random))

    norms = {id(p): n for m in model.modules() if _is_norm(m) for n, p in m.named_parameters(recurse=False)}
    for name, parameter in model.named_parameters():
        kind = norms.get(id(parameter))
        if kind == "weight":
            normal(parameter, 0.2, 1.0)
        elif "lambda1" in name or "layer_scale" in name or name.endswith((".gamma", ".ls1", ".ls2")):
            normal(parameter, 0.3, 0.6)
        elif name.endswith(("logit_scale", "logit_bias")):
            parameter.fill_(2.5 if name.endswith("scale") else -1.5)
        elif kind == "bias" or name.endswith("bias") or parameter.dim() == 1:
            normal(parameter, 0.15)
        elif "embedding" in name and "patch" not in name or "pos_embed" in name or "token" in name or parameter.dim() == 3:
            normal(parameter, 0.3)
        else:
            normal(parameter, 0.9 / max(1, parameter[0].numel()) ** 0.5)
    for name, buffer in model.named_buffers():
        if name.endswith("running_mean"):
            normal(buffer, 0.2)
        elif name.endswith("running_var"):
            buffer.copy_(0.5 + torch.rand(buffer.shape, generator=random))
    return model.eval()


def _is_norm(module):
    return isinstance(module, NORMS) or type(module).__name__.endswith("Norm")


def save_file(tensors, path, metadata):
    """safetensors' own bytes, but with the metadata in order, so that making a golden twice gives the same file."""
    data = save(tensors, metadata)
    length = int.from_bytes(data[:8], "little")
    header = json.loads(data[8 : 8 + length])
    header["__metadata__"] = dict(sorted(header["__metadata__"].items()))
    text = json.dumps(header, separators=(",", ":"), ensure_ascii=False).encode()
    text += b" " * (-len(text) % 8)
    Path(path).write_bytes(len(text).to_bytes(8, "little") + text + data[8 + length :])


class Golden:
    """Collects arrays and writes `golden.safetensors` into the folder of one tiny checkpoint."""

    def __init__(self, folder, **notes):
        self.folder = Path(folder)
        self.tensors = {}
        self.notes = notes

    def add(self, name, tensor):
        if isinstance(tensor, np.ndarray):
            tensor = torch.from_numpy(tensor)
        self.tensors[name] = tensor.detach().clone().contiguous()

    def tap(self, module, name, batch_axis=0):
        """Stores what `module` returns for the first item of its next call."""
        def hook(_, __, output):
            first = output[0] if isinstance(output, tuple) else output
            first = getattr(first, "last_hidden_state", first)
            self.add(name, first.select(batch_axis, 0))
            handle.remove()
        handle = module.register_forward_hook(hook)

    def pixels(self, process, names=None):
        """Processes each picture alone and stores it; gives the batch [pictures, 3, height, width]."""
        names = names or picture_names()
        rows = [process(open_picture(name)) for name in names]
        for name, row in zip(names, rows):
            self.add(f"pixels.{name}", row)
        self.notes["pictures"] = names
        return torch.stack(rows)

    def save(self, texts=None, packages=()):
        notes = {"versions": versions(*packages), **self.notes}
        if texts is not None:
            notes["texts"] = texts
        metadata = {k: v if isinstance(v, str) else json.dumps(v, ensure_ascii=False) for k, v in notes.items()}
        self.folder.mkdir(parents=True, exist_ok=True)
        for name, tensor in self.tensors.items():
            if tensor.is_floating_point() and not torch.isfinite(tensor).all():
                raise SystemExit(f"{self.folder.name}: {name} is not finite")
        save_file(self.tensors, self.folder / "golden.safetensors", metadata)
        size = sum(f.stat().st_size for f in self.folder.iterdir())
        spread = {k: round(float(v.std()), 3) for k, v in self.tensors.items() if k.endswith(("embeds", "logits", "pooled"))}
        print(f"{self.folder.parent.parent.name}/{self.folder.name}: {size // 1024} KB {spread}", file=sys.stderr)


def fresh(script, variant):
    """An empty folder golden/<variant> beside the family's reference.py."""
    folder = Path(script).resolve().parent / "golden" / variant
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    return folder


def slow_processor(processor):
    """The function picture -> pixel_values [3, h, w] of a transformers processor (resampling is Pillow's)."""
    return lambda picture: processor(picture, return_tensors="pt")["pixel_values"][0]


def write_json(path, value):
    path.write_text(json.dumps(value, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
