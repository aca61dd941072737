"""The reference implementation of the models that are measured, from the same folders that `sensorium --model` takes."""
import json
import os
import pathlib

import numpy as np
import torch

# name in the catalogue, or a folder that random_model makes -> transformers' class and which output is the vector
KINDS = {
    "clip_vision_model": ("CLIPVisionModelWithProjection", "image_embeds"),
    "dinov2": ("Dinov2Model", "pooler_output"),
}
REAL = ["dinov2-small", "clip-vit-b16-vision"]


def folder_of(model):
    """A model's folder: a path, or a name that `sensorium models pull` put into the cache."""
    if os.path.isdir(model):
        return pathlib.Path(model)
    cache = os.environ.get("SENSORIUM_CACHE") or pathlib.Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache").expanduser() / "sensorium"
    folder = pathlib.Path(cache) / "models" / model
    if not folder.is_dir():
        raise SystemExit(f"{model} isn't here: sensorium models pull {model}")
    return folder


def photographs():
    found = sorted((folder_of("dinov2-small").parents[1] / "photographs" / "coco45").glob("*.jpg"))
    if not found:
        raise SystemExit("the photographs aren't here: sensorium models pull photographs/coco45")
    return found


class Encoder(torch.nn.Module):
    """pixels [n, 3, h, w] -> vectors [n, d], nothing else."""

    def __init__(self, folder):
        super().__init__()
        import transformers
        name, self.output = KINDS[json.loads((folder / "config.json").read_text())["model_type"]]
        self.model = getattr(transformers, name).from_pretrained(folder)
        self.eval()

    def forward(self, pixels):
        return getattr(self.model(pixel_values=pixels), self.output)


class Preparation:
    """A processor of the CLIP kind (short side, middle, mean and deviation) on Pillow, as open_clip and clip-retrieval do it."""

    def __init__(self, folder):
        config = json.loads((folder / "preprocessor_config.json").read_text())
        self.short, self.crop, self.resample = config["size"]["shortest_edge"], config["crop_size"]["height"], config["resample"]
        self.mean = np.array(config["image_mean"], np.float32)
        self.deviation = np.array(config["image_std"], np.float32)

    def __call__(self, picture):
        picture = picture.convert("RGB")
        width, height = picture.size
        if width <= height:
            size = (self.short, int(self.short * height / width))
        else:
            size = (int(self.short * width / height), self.short)
        left, top = (size[0] - self.crop) // 2, (size[1] - self.crop) // 2
        picture = picture.resize(size, self.resample).crop((left, top, left + self.crop, top + self.crop))
        pixels = (np.asarray(picture, np.float32) / 255 - self.mean) / self.deviation
        return torch.from_numpy(np.ascontiguousarray(pixels.transpose(2, 0, 1)))


def export(encoder, path):
    """An ONNX graph with any number of pictures."""
    import warnings
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        axes = {"pixels": {0: "n"}, "vectors": {0: "n"}}
        torch.onnx.export(encoder, (torch.randn(2, 3, 224, 224),), str(path), input_names=["pixels"], output_names=["vectors"],
                          dynamic_axes=axes, opset_version=17, dynamo=False)


def random_model(folder):
    """CLIP ViT-B/32's picture tower at full size with random weights: the time of a matrix product doesn't depend on its numbers."""
    from transformers import CLIPImageProcessor, CLIPVisionConfig, CLIPVisionModelWithProjection
    torch.manual_seed(0)
    CLIPVisionModelWithProjection(CLIPVisionConfig(
        hidden_size=768, intermediate_size=3072, num_hidden_layers=12, num_attention_heads=12, patch_size=32, image_size=224,
        projection_dim=512)).save_pretrained(folder)
    CLIPImageProcessor().save_pretrained(folder)
    return folder


def cosines(first, second):
    first, second = (np.asarray(rows, np.float64) for rows in (first, second))
    return (first * second).sum(1) / np.linalg.norm(first, axis=1) / np.linalg.norm(second, axis=1)
