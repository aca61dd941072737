"""Stores what torchvision, Pillow and scipy make of two small pictures: `golden/augment.safetensors`.

Run in the reference environment (tools/reference/requirements.txt and torchvision): `python reference.py`.
Each case is a u8 tensor [height, width, 3]; the file's metadata says which operation with which parameters made it.
"""

import json
import math
import pathlib
from unittest import mock

import numpy as np
import torch
import torchvision.transforms as T
import torchvision.transforms.functional as F
from PIL import Image
from safetensors.numpy import save_file
from scipy.fftpack import dct
from torchvision.transforms.autoaugment import _apply_op

HERE = pathlib.Path(__file__).parent
PICTURES = HERE.parent / "Fixtures" / "pictures"

tensors, cases = {}, []


def pixels(picture):
    return np.ascontiguousarray(np.array(picture.convert("RGB"), dtype=np.uint8))


def add(source, op, result, **parameters):
    key = f"case{len(cases):03d}"
    tensors[key] = pixels(result)
    cases.append({"key": key, "source": source, "op": op, **parameters})


def sources():
    photo = Image.open(PICTURES / "photo_160x120.png").convert("RGB").resize((32, 24), Image.LANCZOS)
    generator = np.random.default_rng(4)
    noise = Image.fromarray(generator.integers(0, 256, (19, 27, 3), dtype=np.uint8))
    narrow = np.clip(generator.normal(90, 25, (22, 17, 3)), 20, 200).astype(np.uint8)
    return {"photo": photo, "noise": noise, "narrow": Image.fromarray(narrow)}


def colours(name, picture):
    for factor in (0.0, 0.35, 1.0, 1.4, 1.9):
        add(name, "brightness", F.adjust_brightness(picture, factor), value=factor)
        add(name, "contrast", F.adjust_contrast(picture, factor), value=factor)
        add(name, "saturation", F.adjust_saturation(picture, factor), value=factor)
        add(name, "sharpness", F.adjust_sharpness(picture, factor), value=factor)
    for factor in (-0.5, -0.13, 0.0, 0.02, 0.31, 0.5):
        add(name, "hue", F.adjust_hue(picture, factor), value=factor)
    add(name, "grey", F.to_grayscale(picture, 3))
    add(name, "flip", F.hflip(picture))
    add(name, "invert", F.invert(picture))
    add(name, "autocontrast", F.autocontrast(picture))
    add(name, "equalize", F.equalize(picture))
    for threshold in (0.0, 100.5, 128.0, 255.0):
        add(name, "solarize", F.solarize(picture, threshold), value=threshold)
    for bits in (1, 4, 7, 8):
        add(name, "posterize", F.posterize(picture, bits), value=bits)
    for size, sigma in ((3, 0.1), (5, 1.0), (9, 2.0), (23, 1.3)):
        if size // 2 < min(picture.size):
            add(name, "blur", F.gaussian_blur(picture, size, sigma), size=size, value=sigma)


def rand_augment(name, picture):
    for magnitude, bins in ((9, 31), (30, 31), (0, 31), (4, 10)):
        space = T.RandAugment(2, magnitude, bins)._augmentation_space(bins, (picture.height, picture.width))
        for op, (magnitudes, signed) in space.items():
            value = float(magnitudes[magnitude].item()) if magnitudes.ndim > 0 else 0.0
            for sign in (1, -1) if signed else (1,):
                for mode in (F.InterpolationMode.NEAREST, F.InterpolationMode.BILINEAR):
                    fill = None if mode == F.InterpolationMode.NEAREST else [10.0, 200.0, 77.0]
                    geometric = op.startswith(("Shear", "Translate", "Rotate"))
                    if not geometric and mode == F.InterpolationMode.BILINEAR:
                        continue
                    if not geometric and name != "noise":
                        continue
                    if magnitude in (0, 4) and name != "noise":
                        continue
                    result = _apply_op(picture, op, value * sign, mode, fill)
                    add(
                        name, "randaugment", result, operation=op, magnitude=magnitude, bins=bins, value=value * sign,
                        sampling="nearest" if mode == F.InterpolationMode.NEAREST else "bilinear",
                        fill=[int(x) for x in fill or [0, 0, 0]],
                    )


def crop_boxes():
    """`RandomResizedCrop.get_params` with its random numbers given: uniform in [0, 1), in the order in which they are drawn."""
    generator = np.random.default_rng(7)
    boxes = []
    for width, height in ((640, 480), (37, 211), (1, 1), (2000, 3), (5, 900)):
        for scale, ratio in (((0.08, 1.0), (3 / 4, 4 / 3)), ((0.9, 1.0), (3 / 4, 4 / 3)), ((0.05, 0.25), (0.5, 2.0))):
            for _ in range(4):
                numbers = [float(np.float32(x)) for x in generator.random(64, dtype=np.float32)]
                drawn = iter(numbers)

                def uniform(self, low, high):
                    low, high = float(low), float(high)
                    return self.fill_(low + (high - low) * next(drawn))

                def randint(low, high, size):
                    return torch.tensor([low + int(next(drawn) * (high - low))])

                with mock.patch.object(torch.Tensor, "uniform_", uniform), mock.patch.object(torch, "randint", randint):
                    y, x, h, w = T.RandomResizedCrop.get_params(Image.new("RGB", (width, height)), list(scale), list(ratio))
                used = len(numbers) - len(list(drawn))
                boxes.append(
                    {"width": width, "height": height, "scale": scale, "ratio": ratio, "numbers": numbers[:used], "box": [x, y, w, h]}
                )
    return boxes


def crops(name, picture):
    for (y, x, h, w), size in (((3, 5, 14, 11), (16, 16)), ((0, 0, 19, 27), (8, 12)), ((7, 2, 6, 9), (24, 20))):
        for mode in (F.InterpolationMode.BILINEAR, F.InterpolationMode.BICUBIC):
            result = F.resized_crop(picture, y, x, h, w, list(size), mode)
            add(name, "crop", result, box=[x, y, w, h], size=[size[1], size[0]], filter=mode.value)


def hashes(pictures):
    """imagehash.phash: grey, 32x32 by Lanczos, the lowest 8x8 frequencies against their median."""
    found = {}
    for name, picture in pictures.items():
        small = np.asarray(picture.convert("L").resize((32, 32), Image.LANCZOS))
        low = dct(dct(small.astype(np.float64), axis=0), axis=1)[:8, :8]
        found[name] = "".join("1" if bit else "0" for bit in (low > np.median(low)).flatten())
    return found


def normalised(picture):
    value = T.Compose([T.ToTensor(), T.Normalize([0.48145466, 0.4578275, 0.40821073], [0.26862954, 0.26130258, 0.27577711])])(picture)
    return value.numpy()


pictures = sources()
for name, picture in pictures.items():
    tensors[f"source.{name}"] = pixels(picture)
    colours(name, picture)
    rand_augment(name, picture)
crops("noise", pictures["noise"])
tensors["normalised.noise"] = normalised(pictures["noise"])
(HERE / "golden").mkdir(exist_ok=True)
metadata = {"cases": json.dumps(cases), "boxes": json.dumps(crop_boxes()), "hashes": json.dumps(hashes(pictures))}
save_file(tensors, HERE / "golden" / "augment.safetensors", metadata=metadata)
print(len(cases), "cases,", sum(t.nbytes for t in tensors.values()), "bytes")
assert math.isfinite(sum(float(t.sum()) for t in tensors.values()))
