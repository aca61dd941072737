"""Pictures per second whose text is read: ours against rapidocr with onnxruntime, the same networks.

    python3 Benchmarks/reading.py [--threads 2]

Pictures with text (Tests/Fixtures/reading), from decoded pixels to lines: finding, straightening, turning, reading. And photographs, of
which few show text: finding alone, nearly. First both must read the same lines.
"""
import json
import tempfile
import pathlib

from PIL import Image

import conversation
import places
import turns

AIM = 1.0
SHEETS = ["english.png", "chinese.png", "receipt.png", "turned.png"]


def photographs(folder, count):
    """Without colour profiles, which ours would apply and the peer wouldn't."""
    files = []
    for number, path in enumerate(places.photographs()[:count]):
        files.append(folder / f"{number}.png")
        Image.open(path).convert("RGB").save(files[-1], icc_profile=None)
    return files


def our_lines(given, pictures):
    found = turns.run([given.sensorium, "read", "--json", *pictures])
    return [[line["text"] for line in json.loads(row)["lines"]] for row in found.splitlines()]


def check(given, pictures, peer):
    ours, theirs = our_lines(given, pictures), peer.ask("read", pictures=pictures)["lines"]
    count, equal = sum(map(len, theirs)), sum(a == b for x, y in zip(ours, theirs) for a, b in zip(x, y) if len(x) == len(y))
    if not equal >= 0.95 * count:
        raise turns.Failed(f"{equal} of {count} lines are equal")
    return f"{len(pictures)} pictures: {equal} of {count} lines read alike"


def our_speed(given, pictures, threads, rounds):
    found = turns.measured([given.sensorium, "benchmark", "reading", "--threads", threads, "--rounds", rounds, *pictures])
    return {"speed": json.loads(found["output"])["pictures_per_second"], "memory": found["memory"]}


def their_speed(peer, pictures, rounds):
    found = peer.ask("time", pictures=pictures, rounds=rounds)
    return {"speed": len(pictures) / found["seconds"], "memory": found["memory"]}


def measure(given, report, sets):
    for threads in turns.thread_counts(given):
        with conversation.Peer("reading_peer.py", threads, threads=threads) as peer:
            for what, pictures in sets:
                if threads == 1:
                    report.remark(f"{what}: {check(given, pictures, peer)}")
                ways = {"ours": lambda: our_speed(given, pictures, threads, 1),
                        "rapidocr": lambda: their_speed(peer, pictures, 1)}
                results, disturbed = turns.in_turn(ways, given.rounds, given.patience, f"{what}, threads {threads}")
                middle = {key: {name: turns.median(found, key) for name, found in results.items()} for key in ("speed", "memory")}
                report.add(turns.row(what, "speed", middle["speed"].pop("ours"), middle["speed"], "pictures/s", disturbed=disturbed,
                                     aim=AIM, threads=threads, memory=middle["memory"]))


def main():
    given = turns.parse(turns.options(__doc__.partition("\n")[0], rounds=3, quick_rounds=1))
    report = turns.Report(given)
    report.remark(f"reading text: median of {given.rounds} rounds in turn")
    with report.part("reading text"), tempfile.TemporaryDirectory() as folder:
        sheets = [turns.ROOT / "Tests" / "Fixtures" / "reading" / name for name in SHEETS]
        measure(given, report, [("reading text, sheets", sheets),
                                ("reading text, photographs", photographs(pathlib.Path(folder), 2 if given.quick else 6))])
    report.finish()


if __name__ == "__main__":
    main()
