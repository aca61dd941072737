"""Products with quantised weights at the shapes of SmolLM2-135M, ours against ggml's of llama.cpp, on the same bytes.

One token (m = 1) and a prompt of 512. ggml quantises the weights; both multiply them with the same f32 activations, which each rounds
to 8 bits on its own. Both products must agree with the exact one before anything is timed. ggml runs a graph of many products, so that
its threads stay awake from one to the next, as they do in a model; ours are called as often in a loop. Between its turns ggml's process
is stopped, because its threads go on spinning after their work and would take a core from ours. Needs numpy and llama-cpp-python.
"""
import contextlib
import pathlib
import signal
import subprocess
import tempfile

import numpy as np

import conversation
import turns

FORMATS = ["q4_0", "q4_1", "q8_0", "q4_K", "q6_K"]
SHAPES = [(576, 576), (192, 576), (1536, 576), (576, 1536), (49152, 576)]  # n, k
LEAST_COSINE = 0.9995
AIM = 1.0


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


def check(what, got, exact):
    cosine = float((got * exact).sum() / np.sqrt((got.astype(np.float64) ** 2).sum() * (exact.astype(np.float64) ** 2).sum()))
    if not cosine > LEAST_COSINE - (0.02 if "q4" in what else 0):
        raise turns.Failed(f"{what}: cosine {cosine:.5f} to the exact product")


@contextlib.contextmanager
def stopped(peer):
    """ggml's process doesn't run meanwhile."""
    peer.process.send_signal(signal.SIGSTOP)
    try:
        yield
    finally:
        peer.process.send_signal(signal.SIGCONT)


def measure(given, peer, ours, name, m, n, k):
    """The rows of one format and shape."""
    random = np.random.default_rng(n + k)
    weights, x = random.standard_normal((n, k), dtype=np.float32) * 0.05, random.standard_normal((m, k), dtype=np.float32)
    stored, activations, output = (ours.folder / part for part in ("weights", "x", "theirs"))
    np.save(ours.folder / "exact.npy", weights)
    x.tofile(activations)
    repeats = max(1, min(4000, int((2e8 if given.quick else 2e9) / (m * n * k + 1e6))))
    peer.ask("quantise", format=name, weights=ours.folder / "exact.npy", output=stored)
    peer.ask("load", format=name, weights=stored, x=activations, m=m, n=n, k=k, repeats=repeats)
    peer.ask("product", output=output, threads=given.threads)

    def our_seconds(threads, repeats):
        with stopped(peer):
            return ours.seconds(name, (m, n, k), threads, repeats)

    our_seconds(given.threads, 1)
    mine, theirs = (np.fromfile(ours.folder / file, np.float32).reshape(m, n) for file in ("y", "theirs"))
    for who, got in (("ours", mine), ("ggml", theirs)):
        check(f"{name} {who}", got, x @ weights.T)
    if not np.abs(mine - theirs).max() < 0.06 * theirs.std():
        raise turns.Failed(f"{name} {m}x{n}x{k}: the products differ by {np.abs(mine - theirs).max() / theirs.std():.3f} deviations")
    rows = []
    for threads in turns.thread_counts(given):
        ways = {"ours": lambda: our_seconds(threads, repeats), "ggml": lambda: peer.ask("time", threads=threads)["seconds"]}
        results, disturbed = turns.in_turn(ways, given.rounds, given.patience)
        rows.append(turns.row(f"{name} product, {m} x {k} by {n} x {k}", "time of a product", turns.median(results["ours"]) * 1e6,
                              {"ggml": turns.median(results["ggml"]) * 1e6}, "microseconds", lower_is_better=True,
                              disturbed=disturbed, aim=AIM, threads=threads))
    return rows


def main():
    parser = turns.options(__doc__.partition("\n")[0], rounds=5, quick_rounds=1)
    parser.add_argument("--program", help="bench-quantised-product (default: beside the program to measure)")
    parser.add_argument("--formats", default="q4_1,q8_0", help=f"of {', '.join(FORMATS)}")
    given = turns.parse(parser)
    program = given.program or str(pathlib.Path(given.sensorium).with_name("bench-quantised-product"))
    report = turns.Report(given)
    report.remark(f"{turns.processor()}; weights of a shape stay in the cache for both, median of {given.rounds} rounds in turn")
    with tempfile.TemporaryDirectory() as folder, conversation.Peer("quantised_peer.py", threads=given.threads) as peer:
        ours = Ours(program, folder)
        for name in given.formats.split(","):
            block = 256 if name.endswith("K") else 32
            for n, k in SHAPES:
                for m in (1, 512):
                    # The vocabulary meets one token at a time.
                    if k % block == 0 and (m == 1 or n < 10000):
                        with report.part(f"{name} product, {m} x {k} by {n} x {k}"):
                            report.add(*measure(given, peer, ours, name, m, n, k))
        ours.process.stdin.close()
        ours.process.wait()
    report.finish()


if __name__ == "__main__":
    main()
