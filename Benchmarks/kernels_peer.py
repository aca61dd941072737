"""Matrix products in a peer of kernels.py, in a process of its own: `kernels_peer.py numpy|torch|onednn THREADS`.

numpy brings OpenBLAS. torch's linear takes MKL or oneDNN as it sees fit; "onednn" asks for oneDNN with weights packed beforehand.
"""
import sys

import numpy as np

import conversation


def values(rows, columns, seed):
    """The same numbers that `sensorium benchmark kernels` makes."""
    places = np.arange(rows * columns, dtype=np.uint64) + np.uint64(seed)
    mixed = (places * np.uint64(2_654_435_761)) & np.uint64(0xFFFF_FFFF)
    return ((mixed >> np.uint64(8)).astype(np.float32) * np.float32(2.0 ** -24) - np.float32(0.5)).reshape(rows, columns)


def with_numpy(left, weight, threads):
    right, out = np.ascontiguousarray(weight.T), np.empty((len(left), len(weight)), np.float32)
    return lambda: np.matmul(left, right, out=out)


def with_torch(left, weight, threads):
    import torch
    torch.set_num_threads(threads)
    left, weight = torch.from_numpy(left), torch.from_numpy(weight)
    return lambda: torch.nn.functional.linear(left, weight)


def with_onednn(left, weight, threads):
    import torch
    torch.set_num_threads(threads)
    left = torch.from_numpy(left)
    packed = torch.ops.mkldnn._reorder_linear_weight(torch.from_numpy(weight), len(left))
    return lambda: torch.ops.mkldnn._linear_pointwise(left, packed, None, "none", [], "")


def main():
    make, threads = {"numpy": with_numpy, "torch": with_torch, "onednn": with_onednn}[sys.argv[1]], int(sys.argv[2])
    products = {}

    def product(shape):
        if shape not in products:
            m, k, n = map(int, shape.split("x"))
            products.clear()
            products[shape] = make(values(m, k, 1), values(n, k, 2), threads)
        return products[shape]

    def sample(shape, count):
        flat = np.asarray(product(shape)()).reshape(-1)
        count = min(count, flat.size)
        return {"sample": flat[np.arange(count) * (flat.size // count)].tolist()}

    def time(shape, rounds):
        work = product(shape)
        if "torch" not in sys.modules:
            return conversation.timed(work, rounds)
        import torch
        with torch.inference_mode():
            return conversation.timed(work, rounds)

    conversation.serve({"sample": sample, "time": time})


if __name__ == "__main__":
    main()
