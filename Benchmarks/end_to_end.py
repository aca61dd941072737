"""Pictures per second from files on disk to a searchable library: `sensorium index` against the clip-retrieval way.

    python3 Benchmarks/end_to_end.py [--folder PICTURES] [--models dinov2-small] [--count 240]

Both start as a program in the shell would, with nothing in memory; both end with an index on disk. Ours also reads hashes, dates,
places, titles and colours into its catalogue and makes each batch durable. Without --folder, photographs of the cache are cut, scaled
and turned into --count distinct JPEGs, half of them 640x480 and half 1600x1200. Afterwards a picture is looked up in both indices.
"""
import json
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import time

import numpy as np
from PIL import Image, ImageOps

import peers
import turns

AIM = 1.3
SIZES = [(640, 480), (1600, 1200)]


def make_collection(folder, count):
    """Distinct JPEGs: each photograph whole, then parts of it, mirrored every other time."""
    folder.mkdir()
    sources = [Image.open(path).convert("RGB") for path in peers.photographs()]
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


def measured(command, **environment):
    """Seconds and the largest memory in MiB of any one process (workers share pages, so theirs don't add up)."""
    start = time.perf_counter()
    process = subprocess.Popen([str(part) for part in command], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                               env={**os.environ, **environment})
    told = process.stdout.read()
    _, status, used = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    seconds = time.perf_counter() - start
    if process.returncode:
        sys.exit(f"{' '.join(map(str, command))} ended with {process.returncode}:\n{told}")
    return {"seconds": seconds, "memory": used.ru_maxrss / 1024}


def ours(given, model, pictures, place):
    shutil.rmtree(place, ignore_errors=True)
    return measured([given.sensorium, "index", "--quiet", "--library", place, "--model", model, "--batch", given.batch, pictures])


def theirs(given, model, pictures, place):
    shutil.rmtree(place, ignore_errors=True)
    script = pathlib.Path(__file__).with_name("retrieval_peer.py")
    return measured([sys.executable, script, pictures, model, place, "--threads", given.threads, "--workers", given.workers,
                     "--batch", given.batch], OMP_NUM_THREADS=str(given.threads), TRANSFORMERS_OFFLINE="1", PYTHONWARNINGS="ignore")


def check(given, library, index, scratch):
    """Both hold the same pictures with nearly the same vectors (JPEGs may be decoded at a smaller scale), and both can be searched."""
    turns.run([given.sensorium, "export", "--quiet", "--library", library, "--output", scratch / "ours.npy", "--paths", scratch / "paths"])
    paths = (scratch / "paths").read_text().splitlines()
    order = {path: place for place, path in enumerate(json.loads((index / "paths.json").read_text()))}
    if set(order) != set(paths):
        sys.exit(f"ours holds {len(paths)} pictures and the peer {len(order)}, and they aren't the same")
    cosines = peers.cosines(np.load(scratch / "ours.npy"), np.load(index / "vectors.npy")[[order[path] for path in paths]])
    hit = json.loads(turns.run([given.sensorium, "search", "--quiet", "--json", "-k", 1, "--library", library, "--image", paths[0]]))
    if hit["path"] != paths[0]:
        sys.exit(f"a search with {paths[0]} finds {hit['path']}")
    if not (cosines.min() > 0.9 and np.median(cosines) > 0.99):
        sys.exit(f"vectors differ from the peer's: cosine {cosines.min():.4f} at worst, {np.median(cosines):.4f} in the middle")
    return f"cosine to the peer's vectors {np.median(cosines):.5f} in the middle, {cosines.min():.5f} at worst"


def main():
    parser = turns.options(__doc__.partition("\n")[0], rounds=3, quick_rounds=1)
    parser.add_argument("--folder", type=pathlib.Path, help="pictures to index")
    parser.add_argument("--count", type=int, help="pictures to make without --folder (default 240; 32 with --quick)")
    parser.add_argument("--models", nargs="+", default=peers.REAL)
    parser.add_argument("--batch", type=int, default=16)
    parser.add_argument("--workers", type=int, default=2, help="the peer's DataLoader workers")
    given = turns.parse(parser)
    remarks = [f"{turns.processor()}; median of {given.rounds} rounds in turn"]
    rows = []
    with tempfile.TemporaryDirectory() as scratch:
        scratch = pathlib.Path(scratch)
        pictures = (given.folder or make_collection(scratch / "pictures", given.count or (32 if given.quick else 240))).resolve()
        for model in given.models:
            library, index = scratch / "library", scratch / "index"
            ways = {"ours": lambda: ours(given, model, pictures, library), "clip-retrieval way": lambda: theirs(given, model, pictures, index)}
            results, disturbed = turns.in_turn(ways, given.rounds, given.patience)
            count = len(json.loads((index / "paths.json").read_text()))
            remarks.append(f"{model}, {count} pictures: {check(given, library, index, scratch)}")
            speed = {name: count / turns.median(values, "seconds") for name, values in results.items()}
            memory = {name: turns.median(values, "memory") for name, values in results.items()}
            what = f"files to searchable, {model}, {count} pictures"
            rows.append(turns.row(what, f"{given.threads} threads", speed.pop("ours"), speed, "pictures/s", disturbed=disturbed, aim=AIM))
            rows.append(turns.row(what, "peak memory", memory.pop("ours"), memory, "MiB", lower_is_better=True))
    turns.finish(given, rows, remarks)


if __name__ == "__main__":
    main()
