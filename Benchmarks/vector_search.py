"""Our index, exact and quantised, against faiss-cpu's flat index: the same vectors and queries, in turn, in one run.

    swift build -c release --product bench-vector-search
    python3 Benchmarks/vector_search.py [--count 100000] [--dimension 512] [--rounds 5]

Prints recall@10 against FAISS, milliseconds per query (median of the rounds) and the ratio to FAISS. Also checks that FAISS reads
the file that we export and that the ids of exact answers are equal. Needs numpy and faiss-cpu.
"""
import json
import os
import pathlib
import subprocess
import sys
import tempfile
import time

import faiss
import numpy as np

import turns

K = 10
LEAST_RECALL = 0.99
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

    def close(self):
        self.process.stdin.close()
        self.process.wait()


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


def build(program, folder, base):
    """Makes our index; FAISS must read what it exports. Returns a remark."""
    built = json.loads(turns.run([program, folder / "index", folder / "base.npy", folder / "out.faiss"]))
    exported = faiss.read_index(str(folder / "out.faiss"))
    if exported.ntotal != len(base) or exported.search(base[5:6], 1)[1][0, 0] != 5:
        sys.exit("FAISS can't read our export")
    return f"index of {built['vectors']} vectors made in {built['seconds']:.1f} s; FAISS reads its export"


def once(search, way, threads, truth):
    """Seconds of one run, and recall@10."""
    seconds, ids, scores = search(way, threads)
    return {"seconds": seconds, "recall": float(np.mean([len(set(a) & set(b)) / K for a, b in zip(ids, truth)])), "ids": ids,
            "scores": scores}


def compare(given, ways, way, threads, truth, true_scores):
    """The rows of one way to ask (single queries or all at once) with so many threads."""
    runs = {name: (lambda search=search: once(search, way, threads, truth)) for name, search in ways.items()}
    results, disturbed = turns.in_turn(runs, given.rounds, given.patience)
    asked = ALONE if way == "single" else len(truth)
    speed = {name: turns.median(found, "seconds") / asked * 1000 for name, found in results.items()}
    rows = []
    for mode in "exact", "quantised":
        recall = min(found["recall"] for found in results[mode])
        if mode == "exact":
            for found in results[mode]:
                check_ids(found["ids"], truth, found["scores"], true_scores)
        if recall < LEAST_RECALL:
            sys.exit(f"{mode}: recall@{K} is {recall:.4f}")
        asks = "one query at a time" if way == "single" else f"{len(truth)} queries at once"
        rows.append(turns.row(f"vector search, {mode}, {asks}", f"{threads} thread{'s' if threads > 1 else ''}, recall@{K} {recall:.4f}",
                              speed[mode], {"faiss flat": speed["faiss flat"]}, "ms per query", lower_is_better=True, disturbed=disturbed))
    return rows


def main():
    parser = turns.options(__doc__.partition("\n")[0], rounds=5, quick_rounds=1)
    parser.add_argument("--count", type=int, help="vectors (default 100000; 20000 with --quick)")
    parser.add_argument("--dimension", type=int, default=512)
    parser.add_argument("--program", help="bench-vector-search (default: beside the program to measure)")
    given = turns.parse(parser)
    program = given.program or str(pathlib.Path(given.sensorium).with_name("bench-vector-search"))
    count = given.count or (20_000 if given.quick else 100_000)
    base, queries = data(count, given.dimension)
    rows, remarks = [], [f"{turns.processor()}; {count} x {given.dimension}, k = {K}, median of {given.rounds} rounds in turn"]
    with tempfile.TemporaryDirectory() as folder:
        path = pathlib.Path(folder)
        np.save(path / "base.npy", base)
        np.save(path / "queries.npy", queries)
        remarks.append(build(program, path, base))
        peer = Flat(base, queries)
        truth_scores, truth = peer.index.search(queries, K)
        ways = {"faiss flat": peer}
        ways |= {mode: Ours(program, str(path / "index"), str(path / "queries.npy"), mode) for mode in ("exact", "quantised")}
        for way in "single", "batch":
            for threads in sorted({1, given.threads}):
                rows += compare(given, ways, way, threads, truth, truth_scores)
        for mode in "exact", "quantised":
            ways[mode].close()
    turns.finish(given, rows, remarks)


if __name__ == "__main__":
    main()
