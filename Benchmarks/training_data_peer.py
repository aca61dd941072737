"""Samples a second of torch's DataLoader with torchvision: training_data_peer.py FOLDER VIEW SIZE WORKERS SAMPLES

The views are those of TrainingData/main.swift, and so is the line of JSON that it prints.
"""
import json
import pathlib
import sys
import time

import torch
import torchvision.transforms as T
from PIL import Image

BICUBIC = T.InterpolationMode.BICUBIC
CLIP = T.Normalize([0.48145466, 0.4578275, 0.40821073], [0.26862954, 0.26130258, 0.27577711])
IMAGENET = T.Normalize([0.485, 0.456, 0.406], [0.229, 0.224, 0.225])


def view(name, size):
    if name == "contrastive":
        return T.Compose([T.RandomResizedCrop(size, (0.9, 1.0), interpolation=BICUBIC), T.ToTensor(), CLIP])
    if name == "simclr":
        jitter = T.RandomApply([T.ColorJitter(0.8, 0.8, 0.8, 0.2)], 0.8)
        blur = T.RandomApply([T.GaussianBlur(size // 10 | 1)], 0.5)
        crop = T.RandomResizedCrop(size, interpolation=BICUBIC)
        return T.Compose([crop, T.RandomHorizontalFlip(), jitter, T.RandomGrayscale(0.2), blur, T.ToTensor(), IMAGENET])
    crop = T.RandomResizedCrop(size, interpolation=BICUBIC)
    return T.Compose([crop, T.RandomHorizontalFlip(), T.RandAugment(), T.ToTensor(), IMAGENET])


class Pictures(torch.utils.data.Dataset):
    def __init__(self, folder, transform):
        self.files = sorted(pathlib.Path(folder).rglob("*.jpg"))
        self.transform = transform

    def __len__(self):
        return len(self.files)

    def __getitem__(self, index):
        return self.transform(Image.open(self.files[index]).convert("RGB"))


def main():
    folder, name, size, workers, samples = sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4]), int(sys.argv[5])
    torch.set_num_threads(1)
    loader = torch.utils.data.DataLoader(Pictures(folder, view(name, size)), 32, shuffle=True, num_workers=workers, drop_last=True)
    batches = iter(loader)
    next(batches)
    start, count, elements, total, squares = time.perf_counter(), 0, 0, 0.0, 0.0
    for batch in batches:
        count += len(batch)
        elements += batch.numel()
        total += batch.sum().item()
        squares += batch.square().sum().item()
        if count >= samples:
            break
    rate, mean = count / (time.perf_counter() - start), total / elements
    print(json.dumps({"samples_per_second": rate, "mean": mean, "deviation": (squares / elements - mean**2) ** 0.5}))


if __name__ == "__main__":
    main()
