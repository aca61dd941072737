"""Products with quantised weights at the shapes of SmolLM2-135M, ours against ggml's of llama.cpp, on the same bytes.

One token (m = 1) and a prompt of 512. ggml quantises the weights; both multiply them with the same f32 activations, which each rounds
to 8 bits on its own. Both products must agree with the exact one before anything is timed. ggml runs a graph of many products, so that
its threads stay awake from one to the next, as they do in a model. Needs numpy and llama-cpp-python.
"""
import ctypes
import importlib.util
import pathlib
import subprocess
import tempfile
import time

import numpy as np

import turns

TYPES = {"q4_0": 2, "q4_1": 3, "q8_0": 8, "q4_K": 12, "q6_K": 14}  # ggml's numbers
SHAPES = [(576, 576), (192, 576), (1536, 576), (576, 1536), (49152, 576)]  # n, k
LEAST_COSINE = 0.9995
AIM = 1.0


class Parameters(ctypes.Structure):
    _fields_ = [("mem_size", ctypes.c_size_t), ("mem_buffer", ctypes.c_void_p), ("no_alloc", ctypes.c_bool)]


class Plan(ctypes.Structure):
    # What follows differs between versions and is only handed back.
    _fields_ = [("work_size", ctypes.c_size_t), ("work_data", ctypes.c_void_p), ("n_threads", ctypes.c_int), ("rest", ctypes.c_void_p * 16)]


def library():
    folder = pathlib.Path(importlib.util.find_spec("llama_cpp").origin).parent / "lib"
    base = ctypes.CDLL(str(folder / "libggml-base.so"), mode=ctypes.RTLD_GLOBAL)
    cpu = ctypes.CDLL(str(folder / "libggml-cpu.so"))
    pointer, number = ctypes.c_void_p, ctypes.c_int64
    for function, result, *arguments in (
            (base.ggml_quantize_chunk, ctypes.c_size_t, ctypes.c_int, pointer, pointer, number, number, number, pointer),
            (base.ggml_init, pointer, Parameters), (base.ggml_free, None, pointer),
            (base.ggml_new_tensor_2d, pointer, pointer, ctypes.c_int, number, number),
            (base.ggml_mul_mat, pointer, pointer, pointer, pointer), (base.ggml_get_data, pointer, pointer),
            (base.ggml_new_graph_custom, pointer, pointer, ctypes.c_size_t, ctypes.c_bool),
            (base.ggml_build_forward_expand, None, pointer, pointer),
            (cpu.ggml_graph_plan, Plan, pointer, ctypes.c_int, pointer),
            (cpu.ggml_graph_compute, ctypes.c_int, pointer, ctypes.POINTER(Plan))):
        function.restype, function.argtypes = result, arguments
    cpu.ggml_cpu_init()
    return base, cpu


class Peer:
    """A graph of `repeats` equal products."""

    def __init__(self, base, cpu, kind, weights, x, n, repeats):
        self.base, self.cpu, self.repeats = base, cpu, repeats
        (m, k), size = x.shape, weights.nbytes + x.nbytes + repeats * (x.shape[0] * n * 4 + 4096) + (1 << 22)
        self.context = base.ggml_init(Parameters(size, None, False))
        w, right = base.ggml_new_tensor_2d(self.context, kind, k, n), base.ggml_new_tensor_2d(self.context, 0, k, m)
        ctypes.memmove(base.ggml_get_data(w), weights.ctypes.data, weights.nbytes)
        ctypes.memmove(base.ggml_get_data(right), x.ctypes.data, x.nbytes)
        self.graph = base.ggml_new_graph_custom(self.context, repeats + 8, False)
        for _ in range(repeats):
            self.out = base.ggml_mul_mat(self.context, w, right)
            base.ggml_build_forward_expand(self.graph, self.out)
        self.shape = (m, n)

    def seconds(self, threads):
        plan = self.cpu.ggml_graph_plan(self.graph, threads, None)
        work = np.zeros(plan.work_size + 64, np.uint8)
        plan.work_data = work.ctypes.data
        start = time.perf_counter()
        if self.cpu.ggml_graph_compute(self.graph, ctypes.byref(plan)):
            raise turns.Failed("ggml refused the graph")
        return (time.perf_counter() - start) / self.repeats

    def product(self):
        return np.ctypeslib.as_array((ctypes.c_float * (self.shape[0] * self.shape[1])).from_address(self.base.ggml_get_data(self.out))).reshape(self.shape)

    def close(self):
        self.base.ggml_free(self.context)


class Ours:
    def __init__(self, program, folder):
        self.folder = pathlib.Path(folder)
        self.process = subprocess.Popen([program], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def seconds(self, name, shape, threads, repeats):
        words = [name, *shape, threads, repeats, *(self.folder / part for part in ("weights", "x", "y"))]
        self.process.stdin.write(" ".join(map(str, words)) + "\n")
        self.process.stdin.flush()
        answer = self.process.stdout.readline()
        if not answer:
            raise turns.Failed("bench-quantised-product ended")
        return float(answer)


def quantise(base, kind, weights):
    n, k = weights.shape
    room = np.zeros(weights.nbytes, np.uint8)
    return room[:base.ggml_quantize_chunk(kind, weights.ctypes.data, room.ctypes.data, 0, n, k, None)].copy()


def check(what, got, exact):
    cosine = float((got * exact).sum() / np.sqrt((got.astype(np.float64) ** 2).sum() * (exact.astype(np.float64) ** 2).sum()))
    if not cosine > LEAST_COSINE - (0.02 if "q4" in what else 0):
        raise turns.Failed(f"{what}: cosine {cosine:.5f} to the exact product")


def measure(given, base, cpu, ours, name, m, n, k):
    """The rows of one format and shape."""
    random = np.random.default_rng(n + k)
    weights, x = random.standard_normal((n, k), dtype=np.float32) * 0.05, random.standard_normal((m, k), dtype=np.float32)
    stored = quantise(base, TYPES[name], weights)
    stored.tofile(ours.folder / "weights")
    x.tofile(ours.folder / "x")
    repeats = max(1, min(1000, int((2e8 if given.quick else 2e9) / (m * n * k + 1e6))))
    peer, rows = Peer(base, cpu, TYPES[name], stored, x, n, repeats), []
    ours.seconds(name, (m, n, k), given.threads, 1)
    peer.seconds(given.threads)
    mine, theirs = np.fromfile(ours.folder / "y", np.float32).reshape(m, n), peer.product().copy()
    for who, got in (("ours", mine), ("ggml", theirs)):
        check(f"{name} {who}", got, x @ weights.T)
    if not np.abs(mine - theirs).max() < 0.06 * theirs.std():
        raise turns.Failed(f"{name} {m}x{n}x{k}: the products differ by {np.abs(mine - theirs).max() / theirs.std():.3f} deviations")
    for threads in turns.thread_counts(given):
        ways = {"ours": lambda: ours.seconds(name, (m, n, k), threads, repeats), "ggml": lambda: peer.seconds(threads)}
        results, disturbed = turns.in_turn(ways, given.rounds, given.patience)
        rows.append(turns.row(f"{name} product, {m} x {k} by {n} x {k}", "time of a product", turns.median(results["ours"]) * 1e6,
                              {"ggml": turns.median(results["ggml"]) * 1e6}, "microseconds", lower_is_better=True,
                              disturbed=disturbed, aim=AIM, threads=threads))
    peer.close()
    return rows


def main():
    parser = turns.options(__doc__.partition("\n")[0], rounds=5, quick_rounds=1)
    parser.add_argument("--program", help="bench-quantised-product (default: beside the program to measure)")
    parser.add_argument("--formats", default="q4_1,q8_0", help=f"of {', '.join(TYPES)}")
    given = turns.parse(parser)
    program = given.program or str(pathlib.Path(given.sensorium).with_name("bench-quantised-product"))
    report = turns.Report(given)
    report.remark(f"{turns.processor()}; weights of a shape stay in the cache for both, median of {given.rounds} rounds in turn")
    base, cpu = library()
    with tempfile.TemporaryDirectory() as folder:
        ours = Ours(program, folder)
        for name in given.formats.split(","):
            block = 256 if name.endswith("K") else 32
            for n, k in SHAPES:
                for m in (1, 512):
                    # The vocabulary meets one token at a time.
                    if k % block == 0 and (m == 1 or n < 10000):
                        with report.part(f"{name} product, {m} x {k} by {n} x {k}"):
                            report.add(*measure(given, base, cpu, ours, name, m, n, k))
        ours.process.stdin.close()
        ours.process.wait()
    report.finish()


if __name__ == "__main__":
    main()
