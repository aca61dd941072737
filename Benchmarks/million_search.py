"""Search among a million vectors at equal recall: our index against faiss-cpu's and usearch's, with and without a filter.

    swift build -c release --product bench-vector-search
    python3 Benchmarks/million_search.py [--count 1000000] [--keep FOLDER] [--peers HNSW32 ...]

The vectors have the structure of embeddings: clusters of unequal size within topics, spread mostly in a few directions; queries are
vectors that were moved. (million_patches.py does the same with real vectors.) Each peer's own parameter (nprobe, efSearch, expansion)
is the least of a grid whose recall@10 on all queries is at least that of ours with nothing set, or 0.99, whichever
is less, and where a peer has a second one, the fastest pair. Then all are measured in turn, one query at a time, on one thread. Peers
whose memory is beyond 1.5 times ours are measured, too, but count only in rows of their own. With --keep the vectors and the peers'
indexes are kept there and used again by the next run (their build times with them), because building them takes most of the time.
Graphs are built with a beam of 40, faiss's with 32 neighbours, usearch's with 16 (its default; 32 took more than 10 minutes). With a
filter, faiss has its selector (a bitmap); usearch its predicate, which its Python package lacks: usearch_filter.cpp is compiled with the
headers of its source package. Needs numpy, faiss-cpu, usearch and a C++ compiler.
"""
import ctypes
import json
import os
import pathlib
import subprocess
import sys
import tarfile
import tempfile
import time

import faiss
import numpy as np
import usearch.index

import machine
import turns
from vector_search import K, Ours

RECALL, ALONE, AIM, FILTERED_AIM, MEMORY = 0.99, 200, 1.5, 3, 1.5
GRID = [4, 8, 12, 16, 24, 32, 48, 64, 80, 96, 128, 160, 192, 256, 384, 512, 768, 1024, 1536, 2048, 3072, 4096, 8192]


def clustered(count, dimension, queries=1000, seed=0):
    """Unit vectors around centres that lie around topics, and queries a little off some of them."""
    random = np.random.default_rng(seed)
    topics, clusters, rank, kinds = 256, max(64, count // 200), 32, 8

    def noise(*shape):
        return random.standard_normal(shape, dtype=np.float32)

    topic = noise(topics, dimension) / np.sqrt(dimension)
    centres = 0.5 * topic[random.integers(0, topics, clusters)] + 0.4 * noise(clusters, dimension) / np.sqrt(dimension)
    directions = noise(kinds, rank, dimension) / np.sqrt(dimension)
    spectrum = (np.arange(1, rank + 1) ** -0.5).astype(np.float32)
    spectrum /= np.sqrt((spectrum ** 2).sum())
    weights = 1.0 / np.arange(10, clusters + 10) ** 0.7
    owner = np.repeat(np.arange(clusters), random.multinomial(count, weights / weights.sum()))
    random.shuffle(owner)
    order, sizes = np.argsort(owner, kind="stable"), np.bincount(owner, minlength=clusters)
    base, start = np.empty((count, dimension), np.float32), 0
    for cluster, size in enumerate(sizes):
        rows, start = order[start:start + size], start + size
        spread = (noise(size, rank) * spectrum) @ directions[cluster % kinds]
        base[rows] = centres[cluster] + spread + 0.3 * noise(size, dimension) / np.sqrt(dimension)
    base /= np.linalg.norm(base, axis=1, keepdims=True)
    chosen = random.integers(0, count, queries)
    moved = np.einsum("qr,qrd->qd", noise(queries, rank) * spectrum, directions[owner[chosen] % kinds])
    asked = base[chosen] + 0.3 * moved + 0.3 * noise(queries, dimension) / np.sqrt(dimension)
    return base, (asked / np.linalg.norm(asked, axis=1, keepdims=True)).astype(np.float32)


def recall(ids, truth):
    return float(np.mean([len(set(a) & set(b)) / K for a, b in zip(ids, truth)]))


def resident():
    return int(pathlib.Path("/proc/self/statm").read_text().split()[1]) * 4096


class Peer:
    """An index of faiss. `search(queries, parameter, selector)` gives ids; files and build times are kept."""

    grid, alone = GRID, ALONE

    def __init__(self, name, path, base, make):
        self.name, self.file, note = name, path / f"{name.replace(',', '_')}.index", path / f"{name.replace(',', '_')}.json"
        if not note.exists():
            start = time.perf_counter()
            self.build(base, make)
            note.write_text(json.dumps({"seconds": time.perf_counter() - start}))
            self.index = None
        before = resident()
        self.load()
        self.memory, self.disk = resident() - before, self.file.stat().st_size
        self.seconds = json.loads(note.read_text())["seconds"]

    def build(self, base, make):
        index = make(base)
        faiss.write_index(index, str(self.file))

    def load(self):
        self.index = faiss.read_index(str(self.file))

    def search(self, queries, parameter, selector=None):
        return self.index.search(queries, K, params=self.parameters(parameter, selector))[1]


class Flat(Peer):
    grid, alone = [0], 20  # each takes as long as another

    def parameters(self, _, selector):
        return faiss.SearchParameters(sel=selector)


class Inverted(Peer):
    def load(self):
        super().load()
        lists = faiss.extract_index_ivf(self.index).nlist
        self.grid = [nprobe for nprobe in GRID if nprobe < lists] + [lists]

    def parameters(self, parameter, selector):
        return faiss.SearchParametersIVF(nprobe=parameter, sel=selector)


class Refined(Inverted):
    """1-bit codes, and the best `second` times k of them scored by the vectors."""

    seconds_grid = [4, 8, 16, 32, 64, 128]

    def parameters(self, parameter, selector):
        nprobe, factor = parameter
        return faiss.IndexRefineSearchParameters(k_factor=factor, base_index_params=super().parameters(nprobe, selector))


class Graph(Peer):
    def parameters(self, parameter, selector):
        return faiss.SearchParametersHNSW(efSearch=parameter, sel=selector)


class USearch(Peer):
    def build(self, base, make):
        index = usearch.index.Index(ndim=base.shape[1], metric="ip", dtype="f32", connectivity=16, expansion_add=40)
        index.add(np.arange(len(base)), base, threads=2)
        index.save(str(self.file))

    def load(self):
        self.index = usearch.index.Index.restore(str(self.file))
        self.filtered = None

    def search(self, queries, parameter, selector=None):
        if selector is not None:
            self.filtered = self.filtered or Predicate(self.file)
            return self.filtered.search(queries, parameter, selector)
        self.index.expansion_search = parameter
        keys = self.index.search(queries, K, threads=threads_of_peers).keys
        return keys.reshape(len(queries), K).astype(np.int64)


class Predicate:
    """usearch's search with a predicate."""

    def __init__(self, file):
        with tempfile.TemporaryDirectory() as folder:
            folder = pathlib.Path(folder)
            wanted = f"usearch=={usearch.__version__}"
            turns.run([sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--no-binary", "usearch", "-d", folder, wanted])
            with tarfile.open(next(folder.glob("*.tar.gz"))) as source:
                source.extractall(folder, filter="data")
            built = folder / "usearch_filter.so"
            compiler = pathlib.Path(machine.compiler())
            compiler = compiler.with_name({"cc": "c++", "gcc": "g++"}.get(compiler.name, f"{compiler.name}++"))
            turns.run([compiler, "-std=c++17", "-O3", "-march=native", "-ffast-math", "-shared",
                       "-fPIC", "-pthread", "-DUSEARCH_USE_NUMKONG=0", "-DUSEARCH_USE_FP16LIB=0", "-I", next(folder.glob("usearch-*/include")), "-o",
                       built, pathlib.Path(__file__).with_name("usearch_filter.cpp")])
            self.library = ctypes.CDLL(str(built))
        size, pointer = ctypes.c_size_t, ctypes.c_void_p
        self.library.filter_open.restype, self.library.filter_open.argtypes = pointer, [ctypes.c_char_p, size]
        self.library.filter_search.restype = ctypes.c_bool
        self.library.filter_search.argtypes = [pointer, pointer, size, size, size, size, pointer, size, pointer, size]
        self.index = self.library.filter_open(str(file).encode(), len(os.sched_getaffinity(0)))
        if not self.index:
            raise turns.Failed("usearch doesn't read its own file")

    def search(self, queries, expansion, bitmap):
        queries, found = np.ascontiguousarray(queries), np.empty((len(queries), K), np.int64)
        if not self.library.filter_search(self.index, queries.ctypes.data, *queries.shape, K, expansion, bitmap.ctypes.data,
                                          8 * len(bitmap), found.ctypes.data, min(threads_of_peers, len(queries))):
            raise turns.Failed("usearch's filtered search failed")
        return found


threads_of_peers = 1


def threads(count):
    global threads_of_peers
    threads_of_peers = count
    faiss.omp_set_num_threads(count)


def factory(base, kind):
    """An inverted file of as many lists as faiss's guide says for a million, trained on 64 vectors a list."""
    dimension, lists = base.shape[1], max(64, int(4 * np.sqrt(len(base)) / 64) * 64)
    index = faiss.index_factory(dimension, f"IVF{lists},{kind}", faiss.METRIC_INNER_PRODUCT)
    index.train(base[np.random.default_rng(1).choice(len(base), min(len(base), lists * 64), replace=False)])
    index.add(base)
    return index


def graph(base):
    index = faiss.IndexHNSWFlat(base.shape[1], 32, faiss.METRIC_INNER_PRODUCT)
    index.hnsw.efConstruction = 40
    index.add(base)
    return index


def flat(base):
    index = faiss.IndexFlatIP(base.shape[1])
    index.add(base)
    return index


PEERS = {
    "Flat": (Flat, flat),
    "IVF,Flat": (Inverted, lambda base: factory(base, "Flat")),
    "IVF,SQ8": (Inverted, lambda base: factory(base, "SQ8")),
    "IVF,RaBitQ8": (Inverted, lambda base: factory(base, "RaBitQ8")),
    "IVF,RaBitQfs,RFlat": (Refined, lambda base: factory(base, "RaBitQfs,RFlat")),
    "HNSW32": (Graph, graph),
    "usearch": (USearch, None),
}


def least(peer, queries, truth, selector, wanted, second=None):
    """The least parameter of the grid with the recall that is wanted, and its recall; None where none reaches it."""
    def reached(place):
        parameter = peer.grid[place] if second is None else (peer.grid[place], second)
        return parameter, recall(peer.search(queries, parameter, selector), truth)

    # Recall grows with the parameter, and so does the time: small ones are tried first, further and further apart.
    low, place, found = -1, 0, None
    while (tried := reached(place))[1] < wanted:
        if place == len(peer.grid) - 1:
            return None
        low, place = place, min(2 * place + 1, len(peer.grid) - 1)
    found, high = tried, place
    while high - low > 1:
        middle = (low + high) // 2
        tried = reached(middle)
        if tried[1] >= wanted:
            found, high = tried, middle
        else:
            low = middle
    return found


def tune(peer, queries, truth, selector, wanted):
    """The parameter with the recall that is wanted, and its recall; the fastest where a second parameter has a grid of its own."""
    if not hasattr(peer, "seconds_grid"):
        return least(peer, queries, truth, selector, wanted)
    found = [pair for second in peer.seconds_grid if (pair := least(peer, queries, truth, selector, wanted, second))]
    return min(found, key=lambda pair: measure_peer(peer, pair[0], queries, selector)["mean"], default=None)


class Program(Ours):
    """Our program, with an optional file of ids."""

    def __init__(self, program, folder, queries, mode, ids=None):
        command = [program, folder, queries, str(K), mode] + ([ids] if ids else [])
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def __call__(self, way, count):
        self.process.stdin.write(f"{way} {count}\n")
        self.process.stdin.flush()
        return json.loads(self.process.stdout.readline())


def percentiles(each):
    return {"p50": float(np.percentile(each, 50) * 1e3), "p99": float(np.percentile(each, 99) * 1e3), "mean": float(np.mean(each) * 1e3)}


def measure_peer(peer, parameter, queries, selector):
    threads(1)
    each = []
    for row in range(peer.alone):
        start = time.perf_counter()
        peer.search(queries[row:row + 1], parameter, selector)
        each.append(time.perf_counter() - start)
    return percentiles(each)


def throughput_peer(peer, parameter, queries, selector, count):
    threads(count)
    start = time.perf_counter()
    peer.search(queries, parameter, selector)
    return len(queries) / (time.perf_counter() - start)


def run(given, ours, peers, queries, truth, selectors, what, aim, remarks):
    """One table: without or with a filter."""
    alone = recall(ours("single", 1)["ids"], truth)
    reached = recall(ours("batch", given.threads)["ids"], truth)
    remarks.append(f"{what}, ours: recall@{K} {reached:.4f} of all queries at once, {alone:.4f} of the first {ALONE} one by one")
    if reached < RECALL - 0.005:
        sys.exit(f"{what}: our recall@{K} is {reached:.4f}")
    tuned = {}
    for peer in peers:
        threads(given.threads)
        best = tune(peer, queries, truth, selectors(peer), min(RECALL, reached))
        print(f"  {what}: {peer.name} {best}", file=sys.stderr, flush=True)
        if best:
            tuned[peer.name] = (peer, *best)
        else:
            remarks.append(f"{what}: {peer.name} doesn't reach a recall of {min(RECALL, reached):.4f}")
    ways = {"ours": lambda: percentiles(ours("single", 1)["each"])}
    ways |= {"ours, all threads": lambda: percentiles(ours("single", given.threads)["each"])}
    ways |= {name: (lambda peer=peer, parameter=parameter: measure_peer(peer, parameter, queries, selectors(peer)))
             for name, (peer, parameter, _) in tuned.items()}
    results, disturbed = turns.in_turn(ways, given.rounds, given.patience)
    rate = {name: throughput_peer(peer, parameter, queries, selectors(peer), given.threads) for name, (peer, parameter, _) in tuned.items()}
    batch = ours("batch", given.threads)
    rate["ours"] = len(queries) / batch["seconds"]
    memory = {"ours": batch["resident"]} | {name: peer.memory for name, (peer, *_) in tuned.items()}
    figures = {name: {key: turns.median(found, key) for key in ("p50", "p99", "mean")} for name, found in results.items()}
    for name in figures:
        about = tuned.get(name)
        setting = f", parameter {about[1]}" if about else ""
        remarks.append(
            f"{what}, {name}: p50 {figures[name]['p50']:.3f} ms, p99 {figures[name]['p99']:.3f} ms, recall@{K} "
            f"{about[2] if about else reached:.4f}{setting}"
            + (f", {rate[name]:.0f} queries/s on {given.threads} threads, {memory[name] / 2**20:.0f} MiB of memory" if name in rate else ""))
    speed = {name: found["mean"] for name, found in figures.items()}
    compared = {name: value for name, value in speed.items() if not name.startswith("ours") and memory[name] <= MEMORY * memory["ours"]}
    every = {name: value for name, value in speed.items() if not name.startswith("ours")}
    rows = []
    for label, ways_compared in ("within 1.5 times our memory", compared), ("whatever its memory", every):
        if ways_compared:
            rows.append(turns.row(f"{what}, one query, 1 thread", f"recall@{K} {reached:.4f}; peers {label}", speed["ours"], ways_compared,
                                  "ms per query", lower_is_better=True, disturbed=disturbed, aim=aim))
    if not every:
        return rows
    rows.append(turns.row(f"{what}, one query, {given.threads} threads", f"recall@{K} {reached:.4f}; peers whatever their memory",
                          speed["ours, all threads"], every, "ms per query", lower_is_better=True, disturbed=disturbed, aim=aim))
    rows.append(turns.row(f"{what}, {len(queries)} queries at once", f"{given.threads} threads", rate["ours"],
                          {name: rate[name] for name in tuned}, "queries/s", disturbed=disturbed))
    return rows


def neighbours(path):
    """Vectors, queries, the true neighbours among all and among a hundredth of the vectors, and that hundredth; kept in files."""
    base, queries = np.load(path / "base.npy"), np.load(path / "queries.npy")
    count, dimension = base.shape
    name = path / f"truth-{count}-{dimension}.npz"
    if not name.exists():
        keep = np.sort(np.random.default_rng(2).choice(count, count // 100, replace=False)).astype(np.int64)
        keep.tofile(path / "keep.ids")
        exact = faiss.IndexFlatIP(dimension)
        exact.add(base)
        truth = exact.search(queries, K)[1]
        scores = queries @ base[keep].T
        np.savez(name, truth=truth, kept=keep[np.argsort(-scores, axis=1, kind="stable")[:, :K]], keep=keep)
    stored = np.load(name)
    return np.load(path / "base.npy", mmap_mode="r"), queries, stored["truth"], stored["kept"], stored["keep"]


def build_ours(program, path, what, remarks):
    note = path / "ours.json"
    if not note.exists():
        built = json.loads(turns.run([program, path / "ours", path / "base.npy", "-"]))
        built["files"] = {file.name: file.stat().st_size for file in (path / "ours").iterdir()}
        note.write_text(json.dumps(built))
    built = json.loads(note.read_text())
    size = sum(built["files"].values())
    remarks.append(f"{what}, ours: built in {built['seconds']:.0f} s with {built['peak'] / 2**20:.0f} MiB at most, "
                   f"{size / 2**20:.0f} MiB of files ({', '.join(f'{name} {bytes_ / 2**20:.0f}' for name, bytes_ in sorted(built['files'].items()))})")
    np.save(path / "change.npy", np.load(path / "base.npy", mmap_mode="r")[:10_000] + np.float32(1e-3))
    changed = json.loads(turns.run([program, path / "ours", path / "change.npy"]))
    turns.run([program, path / "ours", "compact"])
    remarks.append(f"{what}, ours: {changed['vectors']} vectors added in {changed['adding']:.2f} s and removed in {changed['removing']:.2f} s, "
                   "1000 at a time, each durable")


def options(description, peers):
    parser = turns.options(description, rounds=5, quick_rounds=1)
    parser.add_argument("--count", type=int, help="vectors (default 1000000; 50000 with --quick)")
    parser.add_argument("--peers", nargs="*", default=peers, choices=list(PEERS))
    parser.add_argument("--keep", metavar="FOLDER", help="keep vectors and indexes there, and use those that are there")
    parser.add_argument("--program", help="bench-vector-search (default: beside the program to measure)")
    return parser


def compare(given, path, what, report):
    """Adds the rows about the vectors and queries in `path`, where indexes are kept."""
    remarks = report.remarks
    program = given.program or str(pathlib.Path(given.sensorium).with_name("bench-vector-search"))
    base, queries, truth, kept, keep = neighbours(path)
    what = f"{len(base)} {what}"
    remarks.append(f"{turns.processor()}; {what} of {base.shape[1]} numbers, k = {K}, median of {given.rounds} rounds in turn")
    build_ours(program, path, what, remarks)
    threads(given.threads)
    peers = [PEERS[name][0](name, path, base, PEERS[name][1]) for name in given.peers]
    for peer in peers:
        remarks.append(f"{what}, {peer.name}: built in {peer.seconds:.0f} s, {peer.memory / 2**20:.0f} MiB of memory, "
                       f"{peer.disk / 2**20:.0f} MiB of files")
    bits = np.zeros(len(base), bool)
    bits[keep] = True
    bitmap = np.packbits(bits, bitorder="little")
    selector = faiss.IDSelectorBitmap(len(bitmap), faiss.swig_ptr(bitmap))
    ours = Program(program, str(path / "ours"), str(path / "queries.npy"), "approximate")
    report.add(*run(given, ours, peers, queries, truth, lambda peer: None, what, AIM, remarks))
    ours.close()
    ours = Program(program, str(path / "ours"), str(path / "queries.npy"), "approximate", str(path / "keep.ids"))
    report.add(*run(given, ours, peers, queries, kept, lambda peer: bitmap if isinstance(peer, USearch) else selector,
                    f"{what}, a filter keeps 1 in 100", FILTERED_AIM, remarks))
    ours.close()


def measure(given, what, make):
    """Compares on the vectors of --keep's folder; where it has none, `make(folder, count)` writes queries.npy and base.npy first."""
    report = turns.Report(given)
    with tempfile.TemporaryDirectory() as temporary:
        folder = pathlib.Path(given.keep or temporary)
        folder.mkdir(parents=True, exist_ok=True)
        if not (folder / "base.npy").exists():
            make(folder, given.count or (50_000 if given.quick else 1_000_000))
        compare(given, folder, what, report)
    report.finish()


def main():
    parser = options(__doc__.partition("\n")[0], list(PEERS))
    parser.add_argument("--dimension", type=int, default=512)
    given = turns.parse(parser)

    def make(folder, count):
        base, queries = clustered(count, given.dimension)
        np.save(folder / "queries.npy", queries)
        np.save(folder / "base.npy", base)

    measure(given, "vectors", make)


if __name__ == "__main__":
    main()
