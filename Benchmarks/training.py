"""Seconds and memory of one training step of CLIP ViT-B/32 on 32 pairs, all parameters: ours against transformers with torch.

    python3 Benchmarks/training.py [--threads 2]

The model at full size with random weights, AdamW, texts of 77 tokens; in f32 against torch in f32, with products of bf16 against torch under
bf16 autocast. First the losses of three steps must agree with torch's in f32: to 0.2 %, and to 2 % with bf16.
"""
import contextlib
import json
import pathlib
import tempfile

import numpy as np

import conversation
import peers
import turns

SPEED, MEMORY = 1.0, 1.25  # of the peer's memory at most 0.8
TOLERANCE = {"f32": 2e-3, "bf16": 2e-2}
BATCH, LENGTH = 32, 77


def inputs(folder):
    generator = np.random.default_rng(1)
    np.save(folder / "pixels.npy", generator.standard_normal((BATCH, 3, 224, 224)).astype(np.float32))
    ids = generator.integers(1000, 40000, (BATCH, LENGTH))
    ids[:, -1] = 49407
    np.save(folder / "ids.npy", ids.astype(np.int64))
    return folder / "pixels.npy", folder / "ids.npy"


def ours(given, model, files, precision, threads, rounds):
    found = turns.measured([given.sensorium, "benchmark", "training", "--model", model, "--pixels", files[0], "--ids", files[1],
                            "--precision", precision, "--threads", threads, "--rounds", rounds])
    told = json.loads(found["output"])
    return {"seconds": told["median_seconds"], "memory": found["memory"], "losses": told["losses"]}


def measure(given, report, folder):
    model, files, rounds = peers.random_clip(folder / "model"), inputs(folder), 1 if given.quick else 3
    for threads in turns.thread_counts(given):
        starters = {f"torch {kind}": (lambda kind=kind: conversation.Peer(
            "training_peer.py", model, *files, threads, kind, threads=threads)) for kind in TOLERANCE}
        with contextlib.ExitStack() as stack:
            started, missing = conversation.start(stack, starters)
            if threads == 1 and "torch f32" in started:
                agree(given, report, model, files, started["torch f32"].ask("losses", count=3)["losses"])
            ways = {f"ours {kind}": (lambda kind=kind: ours(given, model, files, kind, threads, rounds)) for kind in TOLERANCE}
            ways |= {name: (lambda peer=peer: peer.ask("time", rounds=rounds)) for name, peer in started.items()}
            results, disturbed = turns.in_turn(ways, given.rounds, given.patience, f"training, threads {threads}")
            for kind in TOLERANCE:
                tell(report, kind, results, threads, disturbed, missing)


def agree(given, report, model, files, theirs):
    for kind, tolerance in TOLERANCE.items():
        mine = ours(given, model, files, kind, given.threads, 2)["losses"][:3]
        if not np.allclose(mine, theirs, rtol=tolerance):
            raise turns.Failed(f"losses in {kind} differ: {mine}, torch's in f32 {theirs}")
        report.remark(f"training in {kind}: losses of three steps agree with torch's in f32 to {np.abs(np.subtract(mine, theirs)).max():.1e}")


def tell(report, kind, results, threads, disturbed, missing):
    what, peer = f"CLIP ViT-B/32, a training step on {BATCH} pairs, {kind}", f"torch {kind}"
    for measure, unit, key, aim in (("time", "s", "seconds", SPEED), ("peak memory", "MiB", "memory", MEMORY)):
        theirs = {peer: turns.median(results[peer], key)} if peer in results else {}
        report.add(turns.row(what, measure, turns.median(results[f"ours {kind}"], key), theirs, unit, lower_is_better=True,
                             disturbed=disturbed, aim=aim, threads=threads, missing={k: v for k, v in missing.items() if k == peer}))


def main():
    given = turns.parse(turns.options(__doc__.partition("\n")[0], rounds=3, quick_rounds=1))
    report = turns.Report(given)
    with report.part("training"), tempfile.TemporaryDirectory() as folder:
        measure(given, report, pathlib.Path(folder))
    report.finish()


if __name__ == "__main__":
    main()
