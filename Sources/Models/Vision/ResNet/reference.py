"""Tiny ResNet checkpoints and their outputs: transformers' ResNet, and the pre-activation ResNet of the ONNX model zoo.

Run: python reference.py            (environment: tools/reference/README.md)
"""
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[4] / "tools" / "reference"))

from safetensors.torch import save_file
from transformers import BitImageProcessor, ConvNextImageProcessor, ResNetConfig, ResNetForImageClassification

from golden import Golden, fresh, randomise, slow_processor, write_json
from resnet_v2 import ResNetV2

SIZE = 48
LABELS = {index: f"class {index}" for index in range(7)}
IMAGENET = dict(image_mean=[0.485, 0.456, 0.406], image_std=[0.229, 0.224, 0.225])
EMBEDS = "image_embeds is the mean over space of the last stage, not normalised"


def make(variant, seed, **options):
    folder = fresh(__file__, variant)
    config = ResNetConfig(id2label=LABELS, label2id={v: k for k, v in LABELS.items()}, **options)
    model = randomise(ResNetForImageClassification(config), seed)
    model.save_pretrained(folder)
    process = ConvNextImageProcessor(size={"shortest_edge": SIZE}, crop_pct=0.875, resample=3, **IMAGENET)
    process.save_pretrained(folder)
    golden = Golden(folder, reference="transformers.ResNetForImageClassification", embeds=EMBEDS)
    golden.tap(model.resnet.embedder, "tap.vision.embeddings")
    for index, stage in enumerate(model.resnet.encoder.stages):
        golden.tap(stage, f"tap.vision.layer.{index}")
    pixels = golden.pixels(slow_processor(process))
    golden.add("image_embeds", model.resnet(pixels).pooler_output.flatten(1))
    golden.add("tap.vision.pooled", golden.tensors["image_embeds"][0])
    golden.add("logits", model(pixels).logits)
    golden.save()


def pre_activation():
    folder = fresh(__file__, "v2_onnx")
    widths, depths = [8, 8, 12, 16, 24], [2, 2, 1, 2]
    model = randomise(ResNetV2(widths, depths, len(LABELS)), 44)
    state = {name: tensor for name, tensor in model.state_dict().items() if not name.endswith("num_batches_tracked")}
    save_file(state, folder / "model.safetensors", {"format": "pt"})
    write_json(folder / "config.json", {
        "architectures": ["ResNetV2ForImageClassification"], "model_type": "resnet_v2", "embedding_size": widths[0],
        "hidden_sizes": widths[1:], "depths": depths, "layer_type": "basic", "batch_norm_eps": 1e-5, "id2label": LABELS})
    process = BitImageProcessor(size={"shortest_edge": 55}, crop_size={"height": SIZE, "width": SIZE}, resample=2, **IMAGENET)
    process.save_pretrained(folder)
    golden = Golden(folder, reference="tools/reference/resnet_v2.py, checked against onnxruntime by real_weights.py",
                    embeds="image_embeds is the mean over space after the last norm and ReLU, not normalised")
    for index, stage in enumerate(model.stages):
        golden.tap(stage, f"tap.vision.layer.{index}")
    pixels = golden.pixels(slow_processor(process))
    golden.add("image_embeds", model.features(pixels))
    golden.add("tap.vision.pooled", golden.tensors["image_embeds"][0])
    golden.add("logits", model(pixels))
    golden.save()


def main():
    make("basic", 41, embedding_size=8, hidden_sizes=[8, 12, 16, 24], depths=[2, 1, 2, 1], layer_type="basic")
    make("bottleneck", 42, embedding_size=8, hidden_sizes=[16, 24, 32, 48], depths=[1, 2, 1, 1], layer_type="bottleneck")
    # The stride sits in the first convolution of the block (as in the original ResNet), and the first stage halves too.
    make("bottleneck_downsample", 43, embedding_size=8, hidden_sizes=[16, 24, 32, 48], depths=[1, 2, 1, 1], layer_type="bottleneck",
         downsample_in_bottleneck=True, downsample_in_first_stage=True)
    pre_activation()


if __name__ == "__main__":
    main()
