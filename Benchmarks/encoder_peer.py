"""A peer of the encoders' benchmarks in a process of its own: `encoder_peer.py torch|onnxruntime MODEL THREADS`.

Requests: "vectors" of prepared pictures (a file [n, 3, h, w] of float32) to a file, and "time" of a batch.
"""
import sys

import numpy as np

import conversation


def with_torch(model, threads):
    import torch
    from peers import Encoder, folder_of
    torch.set_num_threads(threads)
    encoder = Encoder(folder_of(model))

    def encode(pixels):
        with torch.inference_mode():
            return encoder(torch.from_numpy(pixels)).numpy()
    return encode


def session(graph, threads):
    import onnxruntime
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    return onnxruntime.InferenceSession(graph, options, providers=["CPUExecutionProvider"])


def with_onnxruntime(graph, threads):
    opened = session(graph, threads)
    return lambda pixels: opened.run(None, {"pixels": pixels})[0]


def main():
    kind, model, threads = sys.argv[1], sys.argv[2], int(sys.argv[3])
    encode = {"torch": with_torch, "onnxruntime": with_onnxruntime}[kind](model, threads)

    def vectors(pictures, output):
        # One at a time: what a batch leaves behind in memory is for "time" to show.
        np.save(output, np.concatenate([encode(picture[None]) for picture in np.load(pictures)]))
        return {}

    def time(batch, rounds, warm):
        pixels = np.random.default_rng(1).standard_normal((batch, 3, 224, 224), dtype=np.float32)
        return conversation.timed(lambda: encode(pixels), rounds, warm)

    conversation.serve({"vectors": vectors, "time": time})


if __name__ == "__main__":
    main()
