"""Pictures per second of a picture encoder alone: ours against transformers with torch and against onnxruntime.

    python3 Benchmarks/encoder.py [--models dinov2-small clip-vit-b16-vision random-vit-b32] [--batches 1 16] [--threads 2]

The same weights, batch and number of threads, in turn, each program in a process of its own. First all three encode the same
photographs, prepared to the same pixels, and their vectors must agree (cosine > 0.9999).
"""
import json
import os
import pathlib
import subprocess
import sys
import tempfile

import numpy as np
from PIL import Image

import peers
import turns

AIM = 0.9


class Peer:
    def __init__(self, kind, model, threads):
        command = [sys.executable, pathlib.Path(__file__).with_name("encoder_peer.py"), kind, model, str(threads)]
        quiet = {**os.environ, "OMP_NUM_THREADS": str(threads), "TRANSFORMERS_OFFLINE": "1", "PYTHONWARNINGS": "ignore"}
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=quiet)
        self.answer()

    def answer(self):
        line = self.process.stdout.readline()
        if not line:
            sys.exit("a peer ended early")
        return line.strip()

    def ask(self, *words):
        self.process.stdin.write(" ".join(map(str, words)) + "\n")
        self.process.stdin.flush()
        return self.answer()

    def close(self):
        self.process.stdin.close()
        self.process.wait()


def check(given, model, folder, others):
    """The worst cosine of the peers' vectors to ours on eight photographs that need no resizing, so that the pixels are equal."""
    preparation = peers.Preparation(peers.folder_of(model))
    pictures = []
    for number, path in enumerate(peers.photographs()[:8]):
        pictures.append(folder / f"{number}.png")
        picture = Image.open(path).convert("RGB").resize((preparation.short, preparation.short), Image.Resampling.BICUBIC)
        picture.save(pictures[-1], icc_profile=None)  # with a profile, ours would turn the colours into sRGB and Pillow wouldn't
    np.save(folder / "pixels.npy", np.stack([preparation(Image.open(path)).numpy() for path in pictures]))
    ours = folder / "ours.npy"
    turns.run([given.sensorium, "embed", "--model", model, "--raw", "--quiet", "--output", ours, "--image", *pictures])
    worst, difference = 1.0, 0.0
    for name, peer in others.items():
        peer.ask("vectors", folder / "pixels.npy", folder / f"{name}.npy")
        theirs = np.load(folder / f"{name}.npy")
        worst = min(worst, peers.cosines(np.load(ours), theirs).min())
        difference = max(difference, np.abs(np.load(ours) - theirs).max())
    if not worst > 0.9999:
        sys.exit(f"{model}: vectors differ, cosine {worst:.6f}")
    return f"{model}: vectors agree with the peers': cosine >= {worst:.7f}, worst difference {difference:.1e}"


def ours(given, model, batch, repeats):
    line = turns.run([given.sensorium, "benchmark", "encoder", "--model", model, "--batch", batch, "--threads", given.threads,
                      "--rounds", repeats])
    return json.loads(line)["pictures_per_second"]


def measure(given, name, folder):
    model = str(peers.random_model(folder / "model")) if name == "random-vit-b32" else name
    peers.export(peers.Encoder(peers.folder_of(model)), folder / "model.onnx")
    others = {"torch": Peer("torch", model, given.threads), "onnxruntime": Peer("onnxruntime", folder / "model.onnx", given.threads)}
    remark = check(given, model, folder, others).replace(model, name)
    rows = []
    for batch in given.batches:
        repeats = max(2, (4 if given.quick else 16) // batch)
        ways = {"ours": lambda: ours(given, model, batch, repeats)}
        ways |= {kind: (lambda peer=peer: float(peer.ask("time", batch, repeats))) for kind, peer in others.items()}
        results, disturbed = turns.in_turn(ways, given.rounds, given.patience)
        speed = {kind: turns.median(values) for kind, values in results.items()}
        rows.append(turns.row(f"encoder, {name}, batch {batch}", f"{given.threads} threads", speed.pop("ours"), speed,
                              "pictures/s", disturbed=disturbed, aim=AIM))
    for peer in others.values():
        peer.close()
    return rows, remark


def main():
    parser = turns.options(__doc__.partition("\n")[0], rounds=5, quick_rounds=1)
    parser.add_argument("--models", nargs="+", default=[*peers.REAL, "random-vit-b32"])
    parser.add_argument("--batches", nargs="+", type=int, default=[1, 16])
    given = turns.parse(parser)
    rows, remarks = [], [f"{turns.processor()}; {given.threads} threads, median of {given.rounds} rounds in turn"]
    for name in given.models:
        with tempfile.TemporaryDirectory() as folder:
            found, remark = measure(given, name, pathlib.Path(folder))
        rows += found
        remarks.append(remark)
    turns.finish(given, rows, remarks)


if __name__ == "__main__":
    main()
