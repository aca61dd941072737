#!/usr/bin/env python3
"""sensorium-clip-base with every second layer of its text tower: the start of a smaller model that is to learn from it.

    python3 half.py --base ~/.cache/sensorium/models/sensorium-clip-base --out data/start-half      needs torch and safetensors
"""
import argparse
import json
import pathlib
import re
import shutil

from safetensors.torch import load_file, save_file

LAYER = re.compile(r"(text_model\.encoder\.layer\.)(\d+)(\..*)")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--base", type=pathlib.Path, required=True)
    parser.add_argument("--out", type=pathlib.Path, required=True)
    given = parser.parse_args()
    config, tensors = json.loads((given.base / "config.json").read_text()), {}
    for name, tensor in load_file(given.base / "model.safetensors").items():
        layer = LAYER.fullmatch(name)
        if layer and int(layer[2]) % 2 == 1:
            continue
        tensors[f"{layer[1]}{int(layer[2]) // 2}{layer[3]}" if layer else name] = tensor.contiguous()
    config["text_config"]["num_hidden_layers"] = (config["text_config"]["num_hidden_layers"] + 1) // 2
    given.out.mkdir(parents=True, exist_ok=True)
    save_file(tensors, given.out / "model.safetensors", metadata={"format": "pt"})
    (given.out / "config.json").write_text(json.dumps(config, indent=2) + "\n")
    for name in "preprocessor_config.json", "tokenizer.json":
        shutil.copy(given.base / name, given.out)


if __name__ == "__main__":
    main()
