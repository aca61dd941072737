"""A peer of text.py in a process of its own: `text_peer.py torch|onnxruntime MODEL THREADS`; MODEL is a folder, or a graph for one length.

Requests: "vector" and "time", each with the `ids` of one text.
"""
import sys

import numpy as np

import conversation


def with_torch(model, threads):
    import torch
    from transformers import CLIPTextModelWithProjection
    torch.set_num_threads(threads)
    tower = CLIPTextModelWithProjection.from_pretrained(model).eval()

    def embed(ids):
        with torch.inference_mode():
            return tower(input_ids=torch.from_numpy(ids)).text_embeds.numpy()
    return embed


def with_onnxruntime(graph, threads):
    from encoder_peer import session
    opened = session(graph, threads)
    return lambda ids: opened.run(None, {"ids": ids})[0]


def main():
    kind, model, threads = sys.argv[1], sys.argv[2], int(sys.argv[3])
    embed = {"torch": with_torch, "onnxruntime": with_onnxruntime}[kind](model, threads)

    def vector(ids):
        return {"vector": embed(np.array([ids], np.int64))[0].tolist()}

    def time(ids, rounds):
        batch = np.array([ids], np.int64)
        return conversation.timed(lambda: embed(batch), rounds)

    conversation.serve({"vector": vector, "time": time})


if __name__ == "__main__":
    main()
