"""The products of the models' layers, f32: ours against OpenBLAS (numpy), torch's linear and oneDNN with packed weights (torch).

    python3 Benchmarks/kernels.py [--shapes 197x768x3072 ...] [--threads 2]

A shape is rows x inputs x outputs: activations times a weight matrix that stays. First 64 elements of each product must agree.
"""
import contextlib
import json

import conversation
import turns

AIM = 1.0
SECONDS = 0.3
# A picture of ViT-B/16 up and down, one of ViT-B/32, sixteen of it, one of DINOv2-S, a text of twelve tokens up and down, one token of
# a language model with 135 million parameters.
SHAPES = ["197x768x3072", "197x3072x768", "50x768x3072", "800x768x3072", "257x384x1536", "12x512x2048", "12x2048x512", "1x576x1536"]
PEERS = {"OpenBLAS": "numpy", "torch linear": "torch", "oneDNN packed": "onednn"}


def ours(given, shape, threads, rounds):
    found = turns.measured([given.sensorium, "benchmark", "kernels", shape, "--threads", threads, "--rounds", rounds])
    return {**json.loads(found["output"]), "memory": found["memory"]}


def operations(shape):
    m, k, n = map(int, shape.split("x"))
    return 2e-9 * m * k * n


def theirs(peer, shape, rounds):
    found = peer.ask("time", shape=shape, rounds=rounds)
    return {"gflops": operations(shape) / found["seconds"], "memory": found["memory"]}


def check(given, shape, others):
    """The largest difference of the peers' elements to ours, in parts of the largest element."""
    mine = ours(given, shape, 1, 1)["sample"]
    scale, worst = max(map(abs, mine)), 0.0
    for peer in others.values():
        sample = peer.ask("sample", shape=shape, count=64)["sample"]
        if len(sample) != len(mine):
            raise turns.Failed(f"{len(sample)} elements beside our {len(mine)}")
        worst = max(worst, max(abs(a - b) for a, b in zip(sample, mine)) / scale)
    if not worst < 1e-5:
        raise turns.Failed(f"products differ by {worst:.1e} of the largest element")
    return worst


def measure(given, report):
    worst = 0.0
    for threads in turns.thread_counts(given):
        with contextlib.ExitStack() as stack:
            others, missing = conversation.start(stack, {
                name: (lambda kind=kind: conversation.Peer("kernels_peer.py", kind, threads, threads=threads))
                for name, kind in PEERS.items()})
            for shape in given.shapes:
                with report.part(f"product {shape}"):
                    worst = max(worst, check(given, shape, others))
                    report.add(compare(given, shape, threads, others, missing))
    report.remark(f"products agree with the peers': worst difference {worst:.1e} of the largest element")


def compare(given, shape, threads, others, missing):
    first = max([theirs(peer, shape, 3)["gflops"] for peer in others.values()], default=1)
    rounds = max(5, min(100_000, round((0.05 if given.quick else SECONDS) * first / operations(shape))))
    ways = {"ours": lambda: ours(given, shape, threads, rounds)}
    ways |= {name: (lambda peer=peer: theirs(peer, shape, rounds)) for name, peer in others.items()}
    results, disturbed = turns.in_turn(ways, given.rounds, given.patience, f"product {shape}, threads {threads}")
    middle = {key: {name: turns.median(found, key) for name, found in results.items()} for key in ("gflops", "memory")}
    return turns.row(f"product {shape}", "f32", middle["gflops"].pop("ours"), middle["gflops"], "GFLOP/s", disturbed=disturbed, aim=AIM,
                     threads=threads, memory=middle["memory"], missing=missing)


def main():
    parser = turns.options(__doc__.partition("\n")[0], rounds=5, quick_rounds=1)
    parser.add_argument("--shapes", nargs="+", default=SHAPES)
    given = turns.parse(parser)
    report = turns.Report(given)
    measure(given, report)
    report.finish()


if __name__ == "__main__":
    main()
