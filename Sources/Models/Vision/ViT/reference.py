"""Tiny ViT checkpoints and their outputs from transformers.

Run: python reference.py            (environment: tools/reference/README.md)
"""
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[4] / "tools" / "reference"))

from transformers import ViTConfig, ViTForImageClassification, ViTImageProcessor, ViTModel

from golden import Golden, fresh, randomise, slow_processor

DIMENSIONS = dict(hidden_size=40, intermediate_size=72, num_hidden_layers=2, num_attention_heads=4, image_size=32, patch_size=8)


def make(variant, seed, model_class, **options):
    folder = fresh(__file__, variant)
    config = ViTConfig(**{**DIMENSIONS, **options})
    model = randomise(model_class._from_config(config, attn_implementation="eager"), seed)
    model.save_pretrained(folder)
    size = config.image_size
    process = ViTImageProcessor(size={"height": size, "width": size})
    process.save_pretrained(folder)

    golden = Golden(folder, reference=f"transformers.{model_class.__name__}",
                    embeds="image_embeds is the class token after the last norm, not normalised; pooler_output is tanh(dense) of it")
    backbone = getattr(model, "vit", model)
    golden.tap(backbone.embeddings, "tap.vision.embeddings")
    for index, layer in enumerate(backbone.encoder.layer):
        golden.tap(layer, f"tap.vision.layer.{index}")
    pixels = golden.pixels(slow_processor(process))
    output = backbone(pixels)
    golden.add("image_embeds", output.last_hidden_state[:, 0])
    golden.add("tap.vision.last_hidden_state", output.last_hidden_state[0])
    golden.add("tap.vision.pooled", output.last_hidden_state[0, 0])
    if model is backbone:
        golden.add("pooler_output", output.pooler_output)
    else:
        golden.add("logits", model(pixels).logits)
    golden.save()


def main():
    labels = {index: f"class {index}" for index in range(7)}
    make("classifier", 31, ViTForImageClassification, id2label=labels, label2id={v: k for k, v in labels.items()})
    make("features", 32, ViTModel)
    make("no_qkv_bias", 33, ViTModel, qkv_bias=False, hidden_act="gelu_pytorch_tanh", image_size=48, patch_size=16, layer_norm_eps=1e-6)


if __name__ == "__main__":
    main()
