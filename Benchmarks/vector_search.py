"""Our index, exact and quantised, against faiss-cpu's flat index: the same vectors and queries, in turn, in one run.

    swift build -c release --product bench-vector-search
    python3 Benchmarks/vector_search.py [--count 100000] [--dimension 512] [--rounds 5]

Prints recall@10 against FAISS, milliseconds per query (median of the rounds) and the ratio to FAISS. Also checks that FAISS reads
the file that we export and that the ids of exact answers are equal. Needs numpy and faiss-cpu.
"""
import argparse
import json
import os
import pathlib
import statistics
import subprocess
import sys
import tempfile
import time

import faiss
import numpy as np

K = 10
ALONE = 200  # queries of a single run, as in Benchmarks/VectorSearch


def data(count, dimension, seed=0):
    """Random unit vectors, and queries in 50 clusters."""
    random = np.random.default_rng(seed)
    base = random.standard_normal((count, dimension), dtype=np.float32)
    base /= np.linalg.norm(base, axis=1, keepdims=True)
    centres = random.standard_normal((50, dimension), dtype=np.float32)
    queries = centres[random.integers(0, 50, 1000)] + 0.5 * random.standard_normal((1000, dimension), dtype=np.float32)
    queries /= np.linalg.norm(queries, axis=1, keepdims=True)
    return base, queries.astype(np.float32)


class Ours:
    def __init__(self, program, folder, queries, mode):
        command = [program, folder, queries, str(K), mode]
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def __call__(self, way, threads):
        self.process.stdin.write(f"{way} {threads}\n")
        self.process.stdin.flush()
        answer = json.loads(self.process.stdout.readline())
        return answer["seconds"], np.array(answer["ids"]), np.array(answer["scores"])


class Flat:
    def __init__(self, base, queries):
        self.index, self.queries = faiss.IndexFlatIP(base.shape[1]), queries
        self.index.add(base)

    def __call__(self, way, threads):
        faiss.omp_set_num_threads(threads)
        start = time.perf_counter()
        if way == "batch":
            scores, ids = self.index.search(self.queries, K)
        else:
            parts = [self.index.search(self.queries[i:i + 1], K) for i in range(ALONE)]
            scores, ids = np.concatenate([p[0] for p in parts]), np.concatenate([p[1] for p in parts])
        return time.perf_counter() - start, ids, scores


def check_ids(found, truth, scores, true_scores):
    """Exact answers: the same ids, but for neighbours whose scores are equal to the last digits."""
    truth, true_scores = truth[:len(found)], true_scores[:len(found)]
    different = found != truth
    if different.any() and np.abs(scores - true_scores)[different].max() > 1e-5:
        sys.exit("exact answers differ from FAISS's")
    return int(different.any(axis=1).sum())


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--count", type=int, default=100_000)
    parser.add_argument("--dimension", type=int, default=512)
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    root = pathlib.Path(__file__).resolve().parents[1]
    program = str(root / ".build/release/bench-vector-search")
    cores = len(os.sched_getaffinity(0))
    base, queries = data(options.count, options.dimension)
    with tempfile.TemporaryDirectory() as folder:
        path = pathlib.Path(folder)
        np.save(path / "base.npy", base)
        np.save(path / "queries.npy", queries)
        built = subprocess.run([program, path / "index", path / "base.npy", path / "out.faiss"], check=True, capture_output=True, text=True)
        print("built:", built.stdout.strip())
        exported = faiss.read_index(str(path / "out.faiss"))
        assert exported.ntotal == options.count and exported.search(base[5:6], 1)[1][0, 0] == 5, "FAISS can't read our export"
        print("faiss reads our export:", type(exported).__name__, exported.ntotal)
        peer = Flat(base, queries)
        truth_scores, truth = peer.index.search(queries, K)
        ways = {"faiss flat": peer}
        for mode in "exact", "quantised":
            ways["ours " + mode] = Ours(program, str(path / "index"), str(path / "queries.npy"), mode)
        print(f"\n{options.count} x {options.dimension}, 1,000 queries, k = {K}, {cores} cores, median of {options.rounds} rounds in turn\n")
        print("| queries | threads | who | recall@10 | ms per query | times faiss |\n| --- | --- | --- | --- | --- | --- |")
        for way in "single", "batch":
            for threads in sorted({1, cores}):
                times, recall = {name: [] for name in ways}, {}
                for _ in range(options.rounds):
                    for name, search in ways.items():
                        seconds, ids, scores = search(way, threads)
                        times[name].append(seconds)
                        recall[name] = np.mean([len(set(a) & set(b)) / K for a, b in zip(ids, truth)])
                        if name == "ours exact" and (swapped := check_ids(ids, truth, scores, truth_scores)):
                            print(f"{swapped} answers differ in order where scores are equal to 1e-5")
                asked = ALONE if way == "single" else len(queries)
                reference = statistics.median(times["faiss flat"])
                for name in ways:
                    middle = statistics.median(times[name])
                    print(f"| {way} | {threads} | {name} | {recall[name]:.4f} | {middle / asked * 1000:.3f} | {reference / middle:.2f} |")


if __name__ == "__main__":
    main()
