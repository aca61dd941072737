"""Tiny DINOv2 checkpoints and their outputs from transformers.

Run: python reference.py            (environment: tools/reference/README.md)
"""
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[4] / "tools" / "reference"))

from transformers import (BitImageProcessor, Dinov2Config, Dinov2ForImageClassification, Dinov2Model, Dinov2WithRegistersConfig,
                          Dinov2WithRegistersModel)

from golden import Golden, fresh, randomise, slow_processor

IMAGENET = dict(image_mean=[0.485, 0.456, 0.406], image_std=[0.229, 0.224, 0.225])
DIMENSIONS = dict(hidden_size=40, num_hidden_layers=2, num_attention_heads=4, image_size=28, patch_size=7, layerscale_value=1.0)


def processor(resize=33, crop=28):
    return BitImageProcessor(size={"shortest_edge": resize}, crop_size={"height": crop, "width": crop}, resample=3, **IMAGENET)


def tap(golden, backbone):
    golden.tap(backbone.embeddings, "tap.vision.embeddings")
    for index, layer in enumerate(backbone.encoder.layer):
        golden.tap(layer, f"tap.vision.layer.{index}")


def make(variant, seed, model_class, config, crop=28, resize=33):
    folder = fresh(__file__, variant)
    model = randomise(model_class._from_config(config, attn_implementation="eager"), seed)
    model.save_pretrained(folder)
    process = processor(resize, crop)
    process.save_pretrained(folder)
    golden = Golden(folder, reference=f"transformers.{model_class.__name__}",
                    embeds="image_embeds is pooler_output: the class token after the last norm, not normalised")
    backbone = getattr(model, "dinov2", model)
    tap(golden, backbone)
    pixels = golden.pixels(slow_processor(process))
    output = backbone(pixels)
    golden.add("image_embeds", output.pooler_output)
    golden.add("tap.vision.last_hidden_state", output.last_hidden_state[0])
    if backbone is not model:
        golden.add("logits", model(pixels).logits)
    golden.save()


def main():
    make("plain", 21, Dinov2Model, Dinov2Config(**DIMENSIONS, mlp_ratio=2))
    # Another crop than the checkpoint's image size: position embeddings are interpolated, with unequal scale to the grid.
    make("plain_interpolated", 21, Dinov2Model, Dinov2Config(**DIMENSIONS, mlp_ratio=2), crop=42, resize=48)
    registers = Dinov2WithRegistersConfig(**DIMENSIONS, mlp_ratio=2, num_register_tokens=3)
    make("registers", 22, Dinov2WithRegistersModel, registers)
    make("registers_interpolated", 22, Dinov2WithRegistersModel, registers, crop=21, resize=24)
    make("swiglu", 23, Dinov2Model, Dinov2Config(**DIMENSIONS, mlp_ratio=2, use_swiglu_ffn=True))
    labels = {index: f"class {index}" for index in range(7)}
    make("classifier", 24, Dinov2ForImageClassification, Dinov2Config(**DIMENSIONS, mlp_ratio=2, id2label=labels, label2id={v: k for k, v in labels.items()}))


if __name__ == "__main__":
    main()
