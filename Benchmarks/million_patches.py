"""Search among a million real vectors at equal recall, as million_search.py does it with vectors that it makes.

    python3 Benchmarks/million_patches.py --pictures FOLDER [--keep FOLDER] [--peers HNSW32 ...]

The vectors are what DINOv2-small says of each 14 x 14 patch of photographs, as unit vectors of 384 numbers: 256 of each, so a million
are 3907 photographs. The queries are patches of other photographs, one of each as far as there are enough, that the index knows nothing
of. Nothing in the index was chosen with them. --pictures (or SENSORIUM_BENCH_PICTURES) is searched for JPEGs. onnxruntime encodes them,
some minutes. Needs torch, transformers, onnxruntime, Pillow and what million_search.py needs.
"""
import concurrent.futures
import itertools
import os
import pathlib
import tempfile

import numpy as np
import torch
from PIL import Image

import encoder_peer
import million_search
import peers
import turns
from preparation import Preparation

MODEL, BATCH, QUERIES = "dinov2-small", 16, 1000
PEERS = ["Flat", "IVF,Flat", "IVF,SQ8", "IVF,RaBitQfs,RFlat", "HNSW32"]


class Patches(peers.Encoder):
    """pixels [n, 3, h, w] -> unit vectors [n, patches, d] of the patches."""

    def forward(self, pixels):
        return torch.nn.functional.normalize(self.model(pixel_values=pixels).last_hidden_state[:, 1:], dim=-1)


def encoded(paths, session):
    """The patches of each picture, in the order of `paths`; what can't be read is passed over."""
    preparation = Preparation.of(peers.folder_of(MODEL))

    def read(path):
        try:
            return preparation(Image.open(path).convert("RGB"))
        except OSError:
            return None

    with concurrent.futures.ThreadPoolExecutor(1) as pool:
        # No more is read ahead than the next batches need.
        waiting, rest = [], iter(paths)
        while True:
            waiting += [pool.submit(read, path) for path in itertools.islice(rest, 2 * BATCH - len(waiting))]
            batch, waiting = [job.result() for job in waiting[:BATCH]], waiting[BATCH:]
            if not batch:
                return
            if pixels := [picture for picture in batch if picture is not None]:
                yield from session.run(None, {"pixels": np.stack(pixels)})[0]


def make(pictures, folder, count):
    """base.npy and queries.npy of the pictures below a folder."""
    paths = sorted(pathlib.Path(pictures).rglob("*.jpg"))
    random = np.random.default_rng(0)
    random.shuffle(paths)
    with tempfile.TemporaryDirectory() as temporary:
        graph = pathlib.Path(temporary) / "patches.onnx"
        peers.export(Patches(peers.folder_of(MODEL)), graph)
        found = encoded(paths, encoder_peer.session(str(graph), len(os.sched_getaffinity(0))))
        base, filled = None, 0
        for patches in found:
            if base is None:
                base = np.empty((count, patches.shape[1]), np.float32)
            part = patches[:count - filled]
            base[filled:filled + len(part)] = part
            filled += len(part)
            if filled == count:
                break
        others = list(itertools.islice(found, QUERIES))
    if filled < count or not others:
        raise turns.Failed(f"{len(paths)} pictures are too few for {count} vectors and queries of other pictures")
    # More than one of a picture only where there are few pictures.
    each = -(-QUERIES // len(others))
    queries = np.concatenate([patches[random.choice(len(patches), each, replace=False)] for patches in others])[:QUERIES]
    np.save(folder / "queries.npy", queries)
    np.save(folder / "base.npy", base)


def main():
    parser = million_search.options(__doc__.partition("\n")[0], PEERS)
    parser.add_argument("--pictures", default=os.environ.get("SENSORIUM_BENCH_PICTURES"), help="a folder of some thousand photographs")
    given = turns.parse(parser)

    def make_of_pictures(folder, count):
        if not given.pictures:
            raise turns.Failed("no photographs: --pictures FOLDER or SENSORIUM_BENCH_PICTURES")
        make(given.pictures, folder, count)

    million_search.measure(given, "patches of photographs", make_of_pictures)


if __name__ == "__main__":
    main()
