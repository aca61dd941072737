"""Pictures to pixels as open_clip and clip-retrieval do it, on Pillow and numpy."""
import json

import numpy as np

CLIP = {"size": {"shortest_edge": 224}, "crop_size": {"height": 224}, "resample": 3, "image_mean": [0.48145466, 0.4578275, 0.40821073],
        "image_std": [0.26862954, 0.26130258, 0.27577711]}


class Preparation:
    """A processor of the CLIP kind: short side, middle, mean and deviation. `config` is that of preprocessor_config.json."""

    def __init__(self, config):
        self.short, self.crop, self.resample = config["size"]["shortest_edge"], config["crop_size"]["height"], config["resample"]
        self.mean = np.array(config["image_mean"], np.float32)
        self.deviation = np.array(config["image_std"], np.float32)

    @classmethod
    def of(cls, folder):
        return cls(json.loads((folder / "preprocessor_config.json").read_text()))

    def __call__(self, picture):
        """[3, h, w] float32."""
        picture = picture.convert("RGB")
        width, height = picture.size
        if width <= height:
            size = (self.short, int(self.short * height / width))
        else:
            size = (int(self.short * width / height), self.short)
        left, top = (size[0] - self.crop) // 2, (size[1] - self.crop) // 2
        picture = picture.resize(size, self.resample).crop((left, top, left + self.crop, top + self.crop))
        pixels = (np.asarray(picture, np.float32) / 255 - self.mean) / self.deviation
        return np.ascontiguousarray(pixels.transpose(2, 0, 1))
