"""Tiny TinyViT checkpoints and their outputs from timm.

Run: python reference.py            (environment: tools/reference/README.md)
"""
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[4] / "tools" / "reference"))

import torch
from safetensors.torch import save_file
from timm.data import create_transform
from timm.models.tiny_vit import TinyVit

from golden import Golden, fresh, randomise, write_json

SIZE = 64
# 64 pixels give maps of 16, 8, 4 and 2: windows of 3 and 7 need padding, one of 4 fits exactly.
ARGUMENTS = dict(embed_dims=[16, 32, 32, 48], depths=[1, 2, 1, 1], num_heads=[1, 2, 4, 3], window_sizes=[7, 3, 4, 7], mlp_ratio=2.0)
PROCESSOR = dict(input_size=[3, SIZE, SIZE], interpolation="bicubic", crop_pct=0.95, crop_mode="center", mean=[0.485, 0.456, 0.406],
                 std=[0.229, 0.224, 0.225])


def fold(model):
    """Every BatchNorm into its convolution, as exporters do: the convolution gains a bias and `bn` goes."""
    for module in model.modules():
        if hasattr(module, "conv") and hasattr(module, "bn"):
            scale = module.bn.weight / (module.bn.running_var + module.bn.eps).sqrt()
            module.conv.bias = torch.nn.Parameter(module.bn.bias - module.bn.running_mean * scale)
            module.conv.weight.mul_(scale[:, None, None, None])
            module.bn = torch.nn.Identity()
    return model


def make(variant, seed, labels, folded=False):
    folder = fresh(__file__, variant)
    model = randomise(TinyVit(num_classes=labels, **ARGUMENTS), seed)
    if folded:
        fold(model)
    state = {name: tensor for name, tensor in model.state_dict().items() if not name.endswith("num_batches_tracked")}
    save_file(state, folder / "model.safetensors", {"format": "pt"})
    write_json(folder / "config.json", {"architecture": "tiny_vit_5m_224", "num_classes": labels, "num_features": 48, "global_pool": "avg",
                                        "model_args": ARGUMENTS, "pretrained_cfg": {**PROCESSOR, "num_classes": labels}})
    process = create_transform(**PROCESSOR)
    golden = Golden(folder, reference="timm.models.tiny_vit.TinyVit, pixels from timm's evaluation transform",
                    embeds="image_embeds: mean of the last stage, then head.norm; not normalised")
    golden.tap(model.patch_embed, "tap.vision.embeddings")
    for index, stage in enumerate(model.stages):
        golden.tap(stage, f"tap.vision.layer.{index}")
    pixels = golden.pixels(process, ["photo_160x120.png", "rgba_80x80.png", "tiny_27x19.png"])
    golden.add("image_embeds", model.forward_head(model.forward_features(pixels), pre_logits=True))
    if labels:
        golden.add("logits", model(pixels))
    golden.save(packages=["timm", "torchvision"])


def main():
    make("classifier", 51, labels=7)
    make("folded", 52, labels=0, folded=True)


if __name__ == "__main__":
    main()
