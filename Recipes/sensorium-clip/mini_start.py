#!/usr/bin/env python3
"""Where sensorium-clip-mini starts: DINOv2-small, a head that hasn't learnt, and the text tower of sensorium-clip-base.

    sensorium models pull dinov2-small && sensorium models pull sensorium-clip-base
    python3 mini_start.py --models ~/.cache/sensorium/models --out data/start-mini      needs torch and safetensors
"""
import argparse
import json
import math
import pathlib
import shutil

import torch
from safetensors.torch import load_file, save_file

HIDDEN, PROJECTION = 1024, 512


def head(width):
    """One block, a query and a network beside a linear map; whatever ends a residual branch starts at zero."""
    generator = torch.Generator().manual_seed(1)

    def linear(name, inputs, outputs, zero=False):
        weight = torch.zeros(outputs, inputs) if zero else torch.randn(outputs, inputs, generator=generator) * inputs**-0.5
        return {f"{name}.weight": weight, f"{name}.bias": torch.zeros(outputs)}

    def norm(name):
        return {f"{name}.weight": torch.ones(width), f"{name}.bias": torch.zeros(width)}

    block = "layers.0."
    tensors = {"query": torch.randn(width, generator=generator) * 0.5}
    for name in "norm", "post_norm", block + "layer_norm1", block + "layer_norm2":
        tensors |= norm(name)
    for name in block + "self_attn.q_proj", block + "self_attn.k_proj", block + "self_attn.v_proj", "k_proj", "v_proj":
        tensors |= linear(name, width, width)
    tensors |= linear(block + "self_attn.out_proj", width, width, zero=True)
    tensors |= linear(block + "mlp.fc1", width, 4 * width) | linear(block + "mlp.fc2", 4 * width, width, zero=True)
    tensors |= linear("linear", 2 * width, PROJECTION) | linear("up", 2 * width, HIDDEN) | linear("down", HIDDEN, PROJECTION, zero=True)
    return {"head." + name: tensor for name, tensor in tensors.items()}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--models", type=pathlib.Path, required=True, help="where the models were pulled to")
    parser.add_argument("--out", type=pathlib.Path, required=True)
    given = parser.parse_args()
    tower, base = given.models / "dinov2-small", given.models / "sensorium-clip-base"
    vision, config = json.loads((tower / "config.json").read_text()), json.loads((base / "config.json").read_text())
    transform = json.loads((tower / "preprocessor_config.json").read_text())
    tensors = {"vision_model." + name: tensor for name, tensor in load_file(tower / "model.safetensors").items() if "mask_token" not in name}
    tensors |= {name: tensor for name, tensor in load_file(base / "model.safetensors").items() if name.startswith("text_")}
    tensors |= head(vision["hidden_size"]) | {"logit_scale": torch.tensor(math.log(20.0))}
    config |= {"vision_config": vision, "head_config": {"hidden_size": HIDDEN, "num_hidden_layers": 1}}
    # The whole picture, squeezed: what stands at its edges is asked for, too.
    side = transform["crop_size"]["height"] if "crop_size" in transform else 224
    transform |= {"size": {"height": side, "width": side}, "do_center_crop": False}
    transform.pop("crop_size", None)
    given.out.mkdir(parents=True, exist_ok=True)
    save_file({name: tensor.contiguous() for name, tensor in tensors.items()}, given.out / "model.safetensors", metadata={"format": "pt"})
    (given.out / "config.json").write_text(json.dumps(config, indent=2) + "\n")
    (given.out / "preprocessor_config.json").write_text(json.dumps(transform, indent=2) + "\n")
    shutil.copy(base / "tokenizer.json", given.out)


if __name__ == "__main__":
    main()
