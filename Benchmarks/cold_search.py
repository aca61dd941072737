"""From start to answer: `sensorium search` by picture and by words against Python processes that do the same.

    python3 Benchmarks/cold_search.py [--models dinov2-small clip-vit-b16-vision] [--count 100]

The query isn't in the library, so both load the same weights and run the encoder. "Cold" is the process: the files are in the system's
cache for both. The peers import only what they need: by picture, transformers and numpy over our exported vectors; by words,
transformers' text tower alone and a flat faiss index of the same vectors. Words go through CLIP ViT-B/32 at full size with random
weights and the real vocabulary. The best hit must be the same, and nine of ten hits.
"""
import pathlib
import sys
import tempfile

import numpy as np
from PIL import Image

import conversation
import end_to_end
import peers
import places
import turns

AIM = 20
K = 10
WORDS = "a photograph of a small brown dog on the beach"


def search(command, threads):
    """Seconds and memory, and the paths that were found."""
    found = turns.measured(command, SENSORIUM_THREADS=str(threads), **conversation.environment(threads))
    return {**found, "paths": [line.split("\t")[1] for line in found["output"].splitlines()]}


def check(first, second):
    if not first or first[0] != second[0] or len(set(first) & set(second)) < K - 1:
        raise turns.Failed(f"answers differ: {first} and {second}")
    return f"{len(set(first) & set(second))} of {K} hits are the same, the first among them"


def compare(given, report, what, ours, theirs, aim):
    """`theirs` is a function of the number of threads."""
    for threads in turns.thread_counts(given):
        pin = end_to_end.pinned(threads)
        ways = {"ours": lambda: search([*pin, *ours], threads), "Python": lambda: search([*pin, *theirs(threads)], threads)}
        first = {name: way()["paths"] for name, way in ways.items()}
        if threads == 1:
            report.remark(f"{what}: {check(first['ours'], first['Python'])}")
        results, disturbed = turns.in_turn(ways, given.rounds, given.patience, f"{what}, threads {threads}")
        seconds, memory = ({name: turns.median(values, key) for name, values in results.items()} for key in ("seconds", "memory"))
        report.add(turns.row(what, "start to answer", seconds.pop("ours"), seconds, "s", lower_is_better=True, disturbed=disturbed, aim=aim,
                             threads=threads, memory=memory))


def indexed(given, model, pictures, scratch, name):
    """Our library, and its vectors as a file for the peers, with their paths."""
    library, vectors, paths = scratch / name, scratch / f"{name}.npy", scratch / f"{name}.txt"
    turns.run([given.sensorium, "index", "--quiet", "--library", library, "--model", model, pictures])
    turns.run([given.sensorium, "export", "--quiet", "--library", library, "--output", vectors, "--paths", paths])
    return library, vectors, paths


def flat_index(vectors, place):
    import faiss
    rows = np.load(vectors)
    index = faiss.IndexFlatIP(rows.shape[1])
    index.add(rows)
    faiss.write_index(index, str(place))
    return place


def by_picture(given, report, model, pictures, scratch):
    query = scratch / "query.jpg"
    Image.open(places.photographs()[3]).convert("RGB").save(query, quality=60)
    library, vectors, paths = indexed(given, model, pictures, scratch, model)
    script = pathlib.Path(__file__).with_name("search_peer.py")
    compare(given, report, f"cold search by picture, {model}",
            [given.sensorium, "search", "--quiet", "-k", K, "--library", library, "--image", query],
            lambda threads: [sys.executable, script, model, vectors, paths, query, K, threads], None)


def by_words(given, report, pictures, scratch):
    model = peers.random_clip(scratch / "clip")
    library, vectors, paths = indexed(given, model, pictures, scratch, "words")
    index = flat_index(vectors, scratch / "words.faiss")
    script = pathlib.Path(__file__).with_name("words_peer.py")
    # Only the look of pictures counts: the peer knows nothing of titles.
    compare(given, report, "cold search by words, CLIP B/32",
            [given.sensorium, "search", "--quiet", "-k", K, "--text-weight", 0, "--library", library, WORDS],
            lambda threads: [sys.executable, script, model, index, paths, WORDS, K, threads], AIM)


def main():
    parser = turns.options(__doc__.partition("\n")[0], rounds=5, quick_rounds=2)
    parser.add_argument("--models", nargs="*", default=["dinov2-small"], help="for searches by picture")
    parser.add_argument("--count", type=int, default=100, help="pictures in the library")
    given = turns.parse(parser)
    report = turns.Report(given)
    report.remark(f"cold search: median of {given.rounds} rounds in turn")
    with tempfile.TemporaryDirectory() as scratch:
        scratch = pathlib.Path(scratch)
        pictures = end_to_end.make_collection(scratch / "pictures", given.count)
        with report.part("cold search by words, CLIP B/32"):
            by_words(given, report, pictures, scratch)
        for model in given.models:
            with report.part(f"cold search by picture, {model}"):
                by_picture(given, report, model, pictures, scratch)
    report.finish()


if __name__ == "__main__":
    main()
