"""Pictures per second of a picture encoder alone: ours against transformers with torch and against onnxruntime, f32.

    python3 Benchmarks/encoder.py [--models dinov2-small clip-vit-b16-vision random-vit-b32] [--batches 1 16] [--threads 2]

The same weights, batch and number of threads, in turn, each program in a process of its own. First all three encode the same
photographs, prepared to the same pixels, and their vectors must agree (cosine > 0.9999).
"""
import contextlib
import json
import pathlib
import tempfile

import numpy as np
from PIL import Image

import conversation
import peers
import turns
from preparation import Preparation

AIM = 1.1
SECONDS = 1.0  # what one measurement of the fastest takes


def prepare(model, folder, count):
    """Photographs that need no resizing, so that the pixels are equal, and `pixels.npy`, prepared as the peers do; returns their files."""
    preparation = Preparation.of(peers.folder_of(model))
    pictures = []
    for number, path in enumerate(peers.photographs()[:count]):
        pictures.append(folder / f"{number}.png")
        picture = Image.open(path).convert("RGB").resize((preparation.short, preparation.short), Image.Resampling.BICUBIC)
        picture.save(pictures[-1], icc_profile=None)  # with a profile, ours would turn the colours into sRGB and Pillow wouldn't
    np.save(folder / "pixels.npy", np.stack([preparation(Image.open(path)) for path in pictures]))
    return pictures


def our_vectors(given, model, pictures, output, *more):
    turns.run([given.sensorium, "embed", "--model", model, "--raw", "--quiet", "--output", output, *more, "--image", *pictures])
    return np.load(output)


def their_vectors(peer, folder, output):
    peer.ask("vectors", pictures=folder / "pixels.npy", output=output)
    return np.load(output)


def check(given, name, model, folder, others):
    """The worst cosine of the peers' vectors to ours on eight photographs."""
    ours = our_vectors(given, model, prepare(model, folder, 8), folder / "ours.npy")
    worst, difference = 1.0, 0.0
    for kind, peer in others.items():
        theirs = their_vectors(peer, folder, folder / f"{kind}.npy")
        worst = min(worst, peers.cosines(ours, theirs).min())
        difference = max(difference, np.abs(ours - theirs).max())
    if not worst > 0.9999:
        raise turns.Failed(f"vectors differ, cosine {worst:.6f}")
    return f"{name}: vectors agree with the peers': cosine >= {worst:.7f}, worst difference {difference:.1e}"


def our_speed(given, model, batch, threads, repeats, *more):
    found = turns.measured([given.sensorium, "benchmark", "encoder", "--model", model, "--batch", batch, "--threads", threads,
                            "--rounds", repeats, *more])
    return {"speed": json.loads(found["output"])["pictures_per_second"], "memory": found["memory"]}


def their_speed(peer, batch, repeats, warm):
    found = peer.ask("time", batch=batch, rounds=repeats, warm=warm)
    return {"speed": batch / found["seconds"], "memory": found["memory"]}


def compare(given, what, batch, threads, model, others, missing, aim, *more):
    """The row of one batch size and number of threads; `more` are options for our program."""
    first = {kind: their_speed(peer, batch, 1, True) for kind, peer in others.items()}
    fastest = max([found["speed"] for found in first.values()], default=batch)
    repeats = max(1, min(50, round((0.2 if given.quick else SECONDS) * fastest / batch)))
    ways = {"ours": lambda: our_speed(given, model, batch, threads, repeats, *more)}
    ways |= {kind: (lambda peer=peer: their_speed(peer, batch, repeats, False)) for kind, peer in others.items()}
    what = f"{what}, batch {batch}"
    results, disturbed = turns.in_turn(ways, given.rounds, given.patience, f"{what}, threads {threads}")
    speed = {kind: turns.median(values, "speed") for kind, values in results.items()}
    memory = {kind: turns.median(values, "memory") for kind, values in results.items()}
    return turns.row(what, "speed", speed.pop("ours"), speed, "pictures/s", disturbed=disturbed, aim=aim, threads=threads, memory=memory,
                     missing=missing)


def options(description):
    parser = turns.options(description, rounds=5, quick_rounds=1)
    parser.add_argument("--models", nargs="+", default=[*peers.REAL, "random-vit-b32"])
    parser.add_argument("--batches", nargs="+", type=int, default=[1, 16])
    return parser


def opened(name, folder):
    """The model's place, and its graph in `folder`."""
    model = str(peers.random_model(folder / "model")) if name == "random-vit-b32" else name
    peers.export(peers.Encoder(peers.folder_of(model)), folder / "model.onnx")
    return model


def measure(given, report, name, folder):
    model = opened(name, folder)
    for threads in turns.thread_counts(given):
        with contextlib.ExitStack() as stack:
            others, missing = conversation.start(stack, {
                "torch": lambda: conversation.Peer("encoder_peer.py", "torch", model, threads, threads=threads),
                "onnxruntime": lambda: conversation.Peer("encoder_peer.py", "onnxruntime", folder / "model.onnx", threads, threads=threads),
            })
            if threads == 1:
                report.remark(check(given, name, model, folder, others))
            for batch in given.batches:
                report.add(compare(given, f"encoder f32, {name}", batch, threads, model, others, missing, AIM))


def main():
    given = turns.parse(options(__doc__.partition("\n")[0]))
    report = turns.Report(given)
    report.remark(f"encoder f32: median of {given.rounds} rounds in turn")
    for name in given.models:
        with report.part(f"encoder f32, {name}"), tempfile.TemporaryDirectory() as folder:
            measure(given, report, name, pathlib.Path(folder))
    report.finish()


if __name__ == "__main__":
    main()
