"""A peer of encoder.py in a process of its own: `encoder_peer.py torch|onnxruntime MODEL THREADS`.

Reads lines "vectors PICTURES.npy OUT.npy" (pixels [n, 3, h, w] as float32) and "time BATCH ROUNDS"; answers each with a line.
"""
import statistics
import sys
import time

import numpy as np


def with_torch(model, threads):
    import torch
    from peers import Encoder, folder_of
    torch.set_num_threads(threads)
    encoder = Encoder(folder_of(model))

    def encode(pixels):
        with torch.inference_mode():
            return encoder(torch.from_numpy(pixels)).numpy()
    return encode


def with_onnxruntime(graph, threads):
    import onnxruntime
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    session = onnxruntime.InferenceSession(graph, options, providers=["CPUExecutionProvider"])
    return lambda pixels: session.run(None, {"pixels": pixels})[0]


def measure(encode, batch, rounds):
    pixels = np.random.default_rng(1).standard_normal((batch, 3, 224, 224), dtype=np.float32)
    encode(pixels)
    times = []
    for _ in range(rounds):
        start = time.perf_counter()
        encode(pixels)
        times.append(time.perf_counter() - start)
    return batch / statistics.median(times)


def main():
    kind, model, threads = sys.argv[1], sys.argv[2], int(sys.argv[3])
    encode = {"torch": with_torch, "onnxruntime": with_onnxruntime}[kind](model, threads)
    print("ready", flush=True)
    for line in sys.stdin:
        verb, first, second = line.split()
        if verb == "vectors":
            np.save(second, encode(np.load(first)))
            print("done", flush=True)
        else:
            print(measure(encode, int(first), int(second)), flush=True)


if __name__ == "__main__":
    main()
