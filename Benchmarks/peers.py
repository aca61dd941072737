"""The reference implementation of the models that are measured, from the same folders that `sensorium --model` takes."""
import json

import numpy as np
import torch

import turns
from places import cache, folder_of, photographs  # noqa: F401 (the models and pictures that the callers name)

# name in the catalogue, or a folder that random_model makes -> transformers' class and which output is the vector
KINDS = {
    "clip_vision_model": ("CLIPVisionModelWithProjection", "image_embeds"),
    "dinov2": ("Dinov2Model", "pooler_output"),
}
REAL = ["dinov2-small", "clip-vit-b16-vision"]


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


def clip_tokenizer(folder):
    """CLIP's tokenizer as transformers reads it, from the published list of merges that the cache holds."""
    from transformers import CLIPTokenizerFast
    from transformers.models.clip.tokenization_clip import bytes_to_unicode
    source = cache() / "vocabularies" / "clip_bpe.txt"
    if not source.exists():
        raise turns.Failed("CLIP's vocabulary isn't here: sensorium models pull vocabularies/clip_bpe.txt")
    merges = source.read_text().split("\n")[1:49152 - 256 - 2 + 1]
    letters = list(bytes_to_unicode().values())
    words = letters + [letter + "</w>" for letter in letters] + ["".join(merge.split()) for merge in merges]
    words += ["<|startoftext|>", "<|endoftext|>"]
    (folder / "vocab.json").write_text(json.dumps({word: place for place, word in enumerate(words)}))
    (folder / "merges.txt").write_text("#version: 0.2\n" + "\n".join(merges) + "\n")
    CLIPTokenizerFast(str(folder / "vocab.json"), str(folder / "merges.txt")).save_pretrained(folder)


def random_text_model(folder):
    """CLIP ViT-B/32's text tower at full size with random weights, and the real tokenizer."""
    from transformers import CLIPTextConfig, CLIPTextModelWithProjection
    torch.manual_seed(0)
    folder.mkdir(exist_ok=True)
    CLIPTextModelWithProjection(CLIPTextConfig(projection_dim=512)).save_pretrained(folder)
    clip_tokenizer(folder)
    return folder


def random_clip(folder):
    """CLIP ViT-B/32 whole: both towers at full size with random weights, the real tokenizer and processor."""
    from transformers import CLIPConfig, CLIPImageProcessor, CLIPModel
    torch.manual_seed(0)
    folder.mkdir(exist_ok=True)
    CLIPModel(CLIPConfig(projection_dim=512, vision_config={"patch_size": 32})).save_pretrained(folder)
    CLIPImageProcessor().save_pretrained(folder)
    clip_tokenizer(folder)
    return folder


def cosines(first, second):
    first, second = (np.asarray(rows, np.float64) for rows in (first, second))
    return (first * second).sum(1) / np.linalg.norm(first, axis=1) / np.linalg.norm(second, axis=1)
