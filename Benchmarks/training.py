"""Seconds and memory of one training step of CLIP ViT-B/32 on 32 pairs, all parameters: ours against transformers with torch.

    python3 Benchmarks/training.py [--threads 2]

The model at full size with random weights, AdamW, texts of 77 tokens. First the losses of three steps must agree.
"""
import contextlib
import json
import pathlib
import tempfile

import numpy as np

import conversation
import peers
import turns

SPEED, MEMORY = 1.0, 0.8
BATCH, LENGTH = 32, 77


def inputs(folder):
    generator = np.random.default_rng(1)
    np.save(folder / "pixels.npy", generator.standard_normal((BATCH, 3, 224, 224)).astype(np.float32))
    ids = generator.integers(1000, 40000, (BATCH, LENGTH))
    ids[:, -1] = 49407
    np.save(folder / "ids.npy", ids.astype(np.int64))
    return folder / "pixels.npy", folder / "ids.npy"


def ours(given, model, files, threads, rounds):
    found = turns.measured([given.sensorium, "benchmark", "training", "--model", model, "--pixels", files[0], "--ids", files[1],
                            "--threads", threads, "--rounds", rounds])
    told = json.loads(found["output"])
    return {"seconds": told["median_seconds"], "memory": found["memory"], "losses": told["losses"]}


def measure(given, report, folder):
    model, files, rounds = peers.random_clip(folder / "model"), inputs(folder), 1 if given.quick else 3
    for threads in turns.thread_counts(given):
        starters = {f"torch {kind}": (lambda kind=kind: conversation.Peer(
            "training_peer.py", model, *files, threads, kind, threads=threads)) for kind in ("f32", "bf16")}
        with contextlib.ExitStack() as stack:
            started, missing = conversation.start(stack, starters)
            if threads == 1 and "torch f32" in started:
                theirs = started["torch f32"].ask("losses", count=3)["losses"]
                mine = ours(given, model, files, given.threads, 2)["losses"]
                if not np.allclose(mine[:3], theirs, rtol=2e-3):
                    raise turns.Failed(f"losses differ: {mine[:3]}, torch's {theirs}")
                report.remark(f"training: losses of three steps agree with torch's to {np.abs(np.subtract(mine[:3], theirs)).max():.1e}")
            ways = {"ours": lambda: ours(given, model, files, threads, rounds)}
            ways |= {name: (lambda peer=peer: peer.ask("time", rounds=rounds)) for name, peer in started.items()}
            results, disturbed = turns.in_turn(ways, given.rounds, given.patience, f"training, threads {threads}")
            seconds = {name: turns.median(found, "seconds") for name, found in results.items()}
            memory = {name: turns.median(found, "memory") for name, found in results.items()}
            what = f"CLIP ViT-B/32, a training step on {BATCH} pairs"
            report.add(turns.row(what, "time", seconds.pop("ours"), seconds, "s", lower_is_better=True, disturbed=disturbed, aim=SPEED,
                                 threads=threads, memory=memory, missing=missing))


def main():
    given = turns.parse(turns.options(__doc__.partition("\n")[0], rounds=3, quick_rounds=1))
    report = turns.Report(given)
    with report.part("training"), tempfile.TemporaryDirectory() as folder:
        measure(given, report, pathlib.Path(folder))
    report.finish()


if __name__ == "__main__":
    main()
