"""One search by words from a cold start, as a Python program does it; a peer of cold_search.py.

    python3 Benchmarks/words_peer.py MODEL VECTORS.faiss PATHS.txt WORDS K THREADS
"""
import sys

import faiss
import torch
from transformers import CLIPTextModelWithProjection, CLIPTokenizerFast


def main():
    model, vectors, paths, words, k, threads = sys.argv[1:]
    torch.set_num_threads(int(threads))
    index = faiss.read_index(vectors)
    tokens = CLIPTokenizerFast.from_pretrained(model)(words, return_tensors="pt")
    with torch.inference_mode():
        query = CLIPTextModelWithProjection.from_pretrained(model)(**tokens).text_embeds
    scores, places = index.search((query / query.norm(dim=-1, keepdim=True)).numpy(), int(k))
    names = open(paths).read().splitlines()
    for score, place in zip(scores[0], places[0]):
        print(f"{score:.4f}\t{names[place]}")


if __name__ == "__main__":
    main()
