"""Pictures per second from files on disk to a searchable library: `sensorium index` against the clip-retrieval way.

    python3 Benchmarks/end_to_end.py [--folder PICTURES] [--models dinov2-small] [--count 160]

Both start as a program in the shell would, with nothing in memory; both end with an index on disk. Ours also reads hashes, dates,
places, titles and colours into its catalogue and makes each batch durable. Without --folder, photographs of the cache are cut, scaled
and turned into --count distinct JPEGs, half of them 640x480 and half 1600x1200. Afterwards a picture is looked up in both indices.
A single thread means a single core for the whole program: the peer's loading worker shares it.
"""
import json
import os
import pathlib
import shutil
import sys
import tempfile

import numpy as np
from PIL import Image, ImageOps

import conversation
import peers
import places
import turns

AIM = 1.5
MEMORY_AIM = 2.5  # at most 0.4 of the peer's
SIZES = [(640, 480), (1600, 1200)]


def make_collection(folder, count):
    """Distinct JPEGs: each photograph whole, then parts of it, mirrored every other time."""
    folder.mkdir()
    sources = [Image.open(path).convert("RGB") for path in places.photographs()]
    random = np.random.default_rng(0)
    for number in range(count):
        source = sources[number % len(sources)]
        part = 1.0 if number < len(sources) else random.uniform(0.5, 0.95)
        width, height = int(source.width * part), int(source.height * part)
        left, top = random.integers(0, source.width - width + 1), random.integers(0, source.height - height + 1)
        picture = source.crop((left, top, left + width, top + height))
        if number % 2:
            picture = ImageOps.mirror(picture)
        size = SIZES[(number // 2) % 2]
        ImageOps.fit(picture, size, Image.Resampling.BICUBIC).save(folder / f"{number:05}.jpg", quality=90)
    return folder


def pinned(threads):
    """What goes before a program that may use a single core."""
    return ["taskset", "-c", min(os.sched_getaffinity(0))] if threads == 1 else []


def ours(given, model, pictures, place, threads):
    shutil.rmtree(place, ignore_errors=True)
    return turns.measured([*pinned(threads), given.sensorium, "index", "--quiet", "--library", place, "--model", model,
                           pictures], SENSORIUM_THREADS=str(threads))


def theirs(given, model, pictures, place, threads):
    shutil.rmtree(place, ignore_errors=True)
    script = pathlib.Path(__file__).with_name("retrieval_peer.py")
    return turns.measured([*pinned(threads), sys.executable, script, pictures, model, place, "--threads", threads, "--workers",
                           min(threads, given.workers), "--batch", given.batch], **conversation.environment(threads))


def check(given, library, index, scratch):
    """Both hold the same pictures with nearly the same vectors (JPEGs may be decoded at a smaller scale), and both can be searched."""
    turns.run([given.sensorium, "export", "--quiet", "--library", library, "--output", scratch / "ours.npy", "--paths", scratch / "paths"])
    paths = (scratch / "paths").read_text().splitlines()
    order = {path: place for place, path in enumerate(json.loads((index / "paths.json").read_text()))}
    if set(order) != set(paths):
        raise turns.Failed(f"ours holds {len(paths)} pictures and the peer {len(order)}, and they aren't the same")
    cosines = peers.cosines(np.load(scratch / "ours.npy"), np.load(index / "vectors.npy")[[order[path] for path in paths]])
    hit = json.loads(turns.run([given.sensorium, "search", "--quiet", "--json", "-k", 1, "--library", library, "--image", paths[0]]))
    if hit["path"] != paths[0]:
        raise turns.Failed(f"a search with {paths[0]} finds {hit['path']}")
    if not (cosines.min() > 0.9 and np.median(cosines) > 0.99):
        raise turns.Failed(f"vectors differ from the peer's: cosine {cosines.min():.4f} at worst, {np.median(cosines):.4f} in the middle")
    return f"cosine to the peer's vectors {np.median(cosines):.5f} in the middle, {cosines.min():.5f} at worst"


def measure(given, report, model, pictures, threads, scratch):
    library, index = scratch / "library", scratch / "index"
    ways = {"ours": lambda: ours(given, model, pictures, library, threads),
            "clip-retrieval way": lambda: theirs(given, model, pictures, index, threads)}
    results, disturbed = turns.in_turn(ways, given.rounds, given.patience, f"files to searchable, {model}, threads {threads}")
    count = len(json.loads((index / "paths.json").read_text()))
    report.remark(f"{model}, {count} pictures, threads {threads}: {check(given, library, index, scratch)}")
    speed = {name: count / turns.median(values, "seconds") for name, values in results.items()}
    memory = {name: turns.median(values, "memory") for name, values in results.items()}
    what = f"files to searchable, {model}, {count} pictures"
    report.add(turns.row(what, "speed", speed.pop("ours"), speed, "pictures/s", disturbed=disturbed, aim=AIM, threads=threads,
                         memory=memory))
    mine = {**memory}
    report.add(turns.row(what, "peak memory", mine.pop("ours"), mine, "MiB", lower_is_better=True, aim=MEMORY_AIM, threads=threads,
                         memory=memory))


def main():
    parser = turns.options(__doc__.partition("\n")[0], rounds=3, quick_rounds=1)
    parser.add_argument("--folder", type=pathlib.Path, help="pictures to index")
    parser.add_argument("--count", type=int, help="pictures to make without --folder (default 160; 32 with --quick)")
    parser.add_argument("--models", nargs="+", default=["dinov2-small"])
    parser.add_argument("--batch", type=int, default=16, help="the peer's; ours chooses its own")
    parser.add_argument("--workers", type=int, default=2, help="the peer's DataLoader workers")
    given = turns.parse(parser)
    report = turns.Report(given)
    report.remark(f"files to searchable: median of {given.rounds} rounds in turn; memory is of all processes together, shared pages counted once")
    with tempfile.TemporaryDirectory() as scratch:
        scratch = pathlib.Path(scratch)
        pictures = (given.folder or make_collection(scratch / "pictures", given.count or (32 if given.quick else 160))).resolve()
        for model in given.models:
            for threads in turns.thread_counts(given):
                with report.part(f"files to searchable, {model}, threads {threads}"):
                    measure(given, report, model, pictures, threads, scratch)
    report.finish()


if __name__ == "__main__":
    main()
