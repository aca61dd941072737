"""From start to answer: `sensorium search --image FILE` against a Python process that does the same.

    python3 Benchmarks/cold_search.py [--models dinov2-small clip-vit-b16-vision] [--count 100]

The picture isn't in the library, so both load the same weights and run the encoder. "Cold" is the process: the files are in the
system's cache for both. The peer imports only what it needs and searches our exported vectors with numpy. The best hit must be the
same, and nine of ten hits.
"""
import os
import pathlib
import sys
import tempfile
import time

from PIL import Image

import end_to_end
import peers
import turns

AIM = 10
K = 10


def search(command):
    """Seconds, and the paths that were found."""
    start = time.perf_counter()
    told = turns.run(command, env={**os.environ, "OMP_NUM_THREADS": "2", "TRANSFORMERS_OFFLINE": "1", "PYTHONWARNINGS": "ignore"})
    return time.perf_counter() - start, [line.split("\t")[1] for line in told.splitlines()]


def check(first, second):
    if first[0] != second[0] or len(set(first) & set(second)) < K - 1:
        sys.exit(f"answers differ: {first} and {second}")
    return f"{len(set(first) & set(second))} of {K} hits are the same, the first among them"


def main():
    parser = turns.options(__doc__.partition("\n")[0], rounds=7, quick_rounds=3)
    parser.add_argument("--models", nargs="+", default=peers.REAL)
    parser.add_argument("--count", type=int, default=100, help="pictures in the library")
    given = turns.parse(parser)
    rows, remarks = [], [f"{turns.processor()}; median of {given.rounds} rounds in turn"]
    with tempfile.TemporaryDirectory() as scratch:
        scratch = pathlib.Path(scratch)
        pictures = end_to_end.make_collection(scratch / "pictures", given.count)
        query = scratch / "query.jpg"
        Image.open(peers.photographs()[3]).convert("RGB").save(query, quality=60)
        for model in given.models:
            library, vectors, paths = scratch / model, scratch / f"{model}.npy", scratch / f"{model}.txt"
            turns.run([given.sensorium, "index", "--quiet", "--library", library, "--model", model, pictures])
            turns.run([given.sensorium, "export", "--quiet", "--library", library, "--output", vectors, "--paths", paths])
            ours = [given.sensorium, "search", "--quiet", "-k", K, "--library", library, "--image", query]
            theirs = [sys.executable, pathlib.Path(__file__).with_name("search_peer.py"), model, vectors, paths, query, K, given.threads]
            remarks.append(f"{model}: {check(search(ours)[1], search(theirs)[1])}")
            ways = {"ours": lambda: search(ours)[0], "Python": lambda: search(theirs)[0]}
            results, disturbed = turns.in_turn(ways, given.rounds, given.patience)
            middle = {name: turns.median(values) for name, values in results.items()}
            rows.append(turns.row(f"cold search by picture, {model}", "start to answer", middle.pop("ours"), middle, "s",
                                  lower_is_better=True, disturbed=disturbed, aim=AIM))
    turns.finish(given, rows, remarks)


if __name__ == "__main__":
    main()
