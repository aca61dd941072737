"""Pictures per second from a JPEG file's bytes to the 224 x 224 pixels that CLIP takes: ours against Pillow and numpy.

    python3 Benchmarks/decode.py [--threads 2]

Photographs as they are (640 x 480) and mosaics of photographs with twelve million pixels, every pixel decoded; and the large ones once
more with a decoder that makes them smaller on the way, which indexing does and Pillow calls a draft. First the pixels must agree: within
one step of 255 where every pixel is decoded, and in the mean where the decoders choose their own way to shrink.
"""
import json
import pathlib
import tempfile

import numpy as np
from PIL import Image

import conversation
import places
import turns
from preparation import CLIP

ONE_STEP = 1 / 255 / min(CLIP["image_std"]) + 1e-4
MEAN_STEP = 0.03
LARGE, CELLS = (4000, 3000), 6
SECONDS = 1.0


def mosaics(folder, count):
    """Pictures of 12 MP with the detail of photographs."""
    photographs = [Image.open(path).convert("RGB") for path in places.photographs()]
    width, height = LARGE[0] // CELLS + 1, LARGE[1] // CELLS
    files = []
    for number in range(count):
        picture = Image.new("RGB", LARGE)
        for cell in range(CELLS * CELLS):
            source = photographs[(cell * 7 + number) % len(photographs)]
            picture.paste(source.resize((width, height), Image.Resampling.BICUBIC), (cell % CELLS * width, cell // CELLS * height))
        files.append(folder / f"large{number}.jpg")
        picture.save(files[-1], quality=90)
    return files


def plain(folder):
    """The photographs without their colour profiles, which ours would apply and Pillow wouldn't."""
    files = []
    for number, path in enumerate(places.photographs()):
        files.append(folder / f"{number}.jpg")
        Image.open(path).convert("RGB").save(files[-1], quality=90, icc_profile=None)
    return files


def ours(given, pictures, shrink, threads, rounds, *more):
    found = turns.measured([given.sensorium, "benchmark", "decode", "--threads", threads, "--rounds", rounds,
                            *(["--shrink"] if shrink else []), *more, *pictures])
    return {"speed": json.loads(found["output"])["pictures_per_second"], "memory": found["memory"]}


def theirs(peer, pictures, shrink, rounds):
    found = peer.ask("time", paths=pictures, draft=shrink, rounds=rounds)
    return {"speed": len(pictures) / found["seconds"], "memory": found["memory"]}


def check(given, what, pictures, shrink, peer, folder):
    ours(given, pictures, shrink, 1, 1, "--output", folder / "ours.npy")
    peer.ask("save", paths=pictures, draft=shrink, output=folder / "theirs.npy")
    differences = np.abs(np.load(folder / "ours.npy") - np.load(folder / "theirs.npy"))
    if shrink and not differences.mean() < MEAN_STEP or not shrink and not differences.max() <= ONE_STEP:
        raise turns.Failed(f"pixels differ by {differences.max():.4f} at worst, {differences.mean():.5f} in the mean")
    return f"{what}: pixels differ by {differences.max():.4f} at worst, {differences.mean():.5f} in the mean (a step of 255 is 0.0150)"


def measure(given, report, sets, folder):
    for threads in turns.thread_counts(given):
        with conversation.Peer("decode_peer.py", threads, threads=1) as peer:
            for what, pictures, shrink in sets:
                if threads == 1:
                    report.remark(check(given, what, pictures, shrink, peer, folder))
                speed = theirs(peer, pictures, shrink, 1)["speed"]
                rounds = max(1, round((0.2 if given.quick else SECONDS) * speed / len(pictures)))
                ways = {"ours": lambda: ours(given, pictures, shrink, threads, rounds),
                        "Pillow": lambda: theirs(peer, pictures, shrink, rounds)}
                results, disturbed = turns.in_turn(ways, given.rounds, given.patience, f"{what}, threads {threads}")
                middle = {key: {name: turns.median(found, key) for name, found in results.items()} for key in ("speed", "memory")}
                report.add(turns.row(what, "speed", middle["speed"].pop("ours"), middle["speed"], "pictures/s", disturbed=disturbed,
                                     threads=threads, memory=middle["memory"]))


def main():
    given = turns.parse(turns.options(__doc__.partition("\n")[0], rounds=5, quick_rounds=1))
    report = turns.Report(given)
    report.remark(f"JPEG to pixels: median of {given.rounds} rounds in turn")
    with report.part("JPEG to pixels"), tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder)
        small, large = plain(folder), mosaics(folder, 2 if given.quick else 4)
        measure(given, report, [("JPEG 640x480 to 224, every pixel", small, False), ("JPEG 12 MP to 224, every pixel", large, False),
                                ("JPEG 12 MP to 224, shrunk on the way", large, True)], folder)
    report.finish()


if __name__ == "__main__":
    main()
