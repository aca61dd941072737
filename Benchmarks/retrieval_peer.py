"""Files on disk to a searchable index, the way clip-retrieval does it; a peer of end_to_end.py in a process of its own.

    python3 Benchmarks/retrieval_peer.py FOLDER MODEL OUT --threads 2 --workers 2 --batch 16

A torch DataLoader whose workers read with Pillow, the model of transformers, vectors of length 1 saved with numpy and added to a flat
faiss index; the paths beside them. (clip-retrieval's own package pins versions of years ago; its steps are these.)
"""
import argparse
import json
import pathlib

import faiss
import numpy as np
import torch
from PIL import Image

from peers import Encoder, folder_of
from preparation import Preparation


class Pictures(torch.utils.data.Dataset):
    def __init__(self, folder, preparation):
        self.paths = sorted(path for path in pathlib.Path(folder).rglob("*") if path.suffix.lower() in (".jpg", ".jpeg", ".png", ".webp"))
        self.preparation = preparation

    def __len__(self):
        return len(self.paths)

    def __getitem__(self, place):
        with Image.open(self.paths[place]) as picture:
            return torch.from_numpy(self.preparation(picture)), str(self.paths[place])


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("folder")
    parser.add_argument("model")
    parser.add_argument("out", type=pathlib.Path)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--batch", type=int, default=16)
    given = parser.parse_args()
    torch.set_num_threads(given.threads)
    folder = folder_of(given.model)
    encoder = Encoder(folder)
    pictures = Pictures(given.folder, Preparation.of(folder))
    loader = torch.utils.data.DataLoader(pictures, batch_size=given.batch, num_workers=given.workers, prefetch_factor=2)
    rows, paths = [], []
    with torch.inference_mode():
        for pixels, names in loader:
            vectors = encoder(pixels)
            rows.append((vectors / vectors.norm(dim=-1, keepdim=True)).numpy())
            paths += names
    vectors = np.concatenate(rows)
    given.out.mkdir(parents=True)
    np.save(given.out / "vectors.npy", vectors)
    (given.out / "paths.json").write_text(json.dumps(paths))
    index = faiss.IndexFlatIP(vectors.shape[1])
    index.add(vectors)
    faiss.write_index(index, str(given.out / "pictures.faiss"))


if __name__ == "__main__":
    main()
