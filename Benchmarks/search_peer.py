"""One search by picture from a cold start, as a Python program does it; a peer of cold_search.py.

    python3 Benchmarks/search_peer.py MODEL VECTORS.npy PATHS.txt PICTURE K THREADS
"""
import sys

import numpy as np
import torch
from PIL import Image

from peers import Encoder, folder_of
from preparation import Preparation


def main():
    model, vectors, paths, picture, k, threads = sys.argv[1:]
    torch.set_num_threads(int(threads))
    folder = folder_of(model)
    with torch.inference_mode():
        query = Encoder(folder)(torch.from_numpy(Preparation.of(folder)(Image.open(picture)))[None])[0].numpy()
    scores = np.load(vectors, mmap_mode="r") @ (query / np.linalg.norm(query))
    names = open(paths).read().splitlines()
    for place in np.argsort(-scores, kind="stable")[:int(k)]:
        print(f"{scores[place]:.4f}\t{names[place]}")


if __name__ == "__main__":
    main()
