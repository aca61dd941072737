#!/usr/bin/env python3
"""How well the cut-off of searches tells what a library holds: for captions of its pictures, how often the captioned one survives and how
many pictures remain; for queries that no picture fits, how many remain.

    Benchmarks/cutoff.py --sensorium .build/release/sensorium --pictures DIR --captions FILE.jsonl [--library DIR] [--queries N]

FILE.jsonl has a line {"image": "name.jpg", "captions": ["...", ...]} for each picture. Words of captions aren't indexed, so that only the
similarity answers. Without --library a new one is made beside the working directory and removed afterwards.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.parse
import urllib.request

NONSENSE = [
    "asdf qwer zxcv", "xkcd blorf wug", "lorem ipsum dolor sit amet", "qqqq", "12345 67890", "the of and to", "fjdksla", "zzyzx plugh",
    "colorless green ideas sleep furiously", "嗯嗯啊啊呃", "%%%%", "null undefined NaN", "floccinaucinihilipilification",
    "tax return form 1040", "gradient descent convergence proof", "呜啦啦 哔哔", "tbd n/a misc", "aaaaaaaaaaaa", "sha256 checksum mismatch", "其 之 乎 者 也",
]
ABSENT = [
    "a submarine interior", "a page of sheet music", "a microscope image of bacteria", "a spaceship landing on mars", "a chart of stock prices",
    "an elephant", "a giraffe", "an x-ray of a chest", "egyptian hieroglyphs", "a laptop keyboard", "火箭发射", "a bathroom sink", "a circuit board",
    "a portrait of a queen with a crown", "a penguin", "a nuclear power plant", "显微镜下的细胞", "a chess board", "a dinosaur skeleton", "a lighthouse at night",
]


def served(program, library):
    process = subprocess.Popen(
        [program, "serve", "--library", library, "--port", "0"], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    for line in process.stdout:
        if "http://" in line:
            return process, line[line.index("http://"):].split()[0].rstrip("/,.")
    sys.exit("the service didn't start")


def ask(address, words):
    fields = urllib.parse.urlencode({"q": words, "cutoff": "auto", "limit": 10000, "weights": "words=0,text=0"})
    with urllib.request.urlopen(f"{address}/api/search?{fields}") as answer:
        return json.load(answer)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sensorium", required=True)
    parser.add_argument("--pictures", required=True)
    parser.add_argument("--captions", required=True, nargs="+")
    parser.add_argument("--library")
    parser.add_argument("--queries", type=int, default=500)
    given = parser.parse_args()
    scratch = tempfile.TemporaryDirectory()
    library = given.library or os.path.join(scratch.name, "library")
    if not os.path.exists(library):
        subprocess.run([given.sensorium, "index", "--quiet", "--library", library, given.pictures], check=True)
    rows = [json.loads(line) for file in given.captions for line in open(file)]
    step = max(1, len(rows) // given.queries)
    process, address = served(given.sensorium, library)
    try:
        survived, remaining, times = 0, [], []
        queries = [(row["captions"][place % len(row["captions"])], os.path.basename(row["image"])) for place, row in enumerate(rows[::step])]
        for words, name in queries:
            start = time.perf_counter()
            answer = ask(address, words)
            times.append(time.perf_counter() - start)
            survived += any(os.path.basename(hit["path"]) == name for hit in answer["hits"])
            remaining.append(answer["count"])
        part = statistics.quantiles(remaining, n=10)
        print(f"{len(queries)} captions: {100 * survived / len(queries):.1f} % of their pictures survive; remaining: median "
              f"{statistics.median(remaining):g}, 10 % {part[0]:g}, 90 % {part[-1]:g}; {1000 * statistics.median(times):.1f} ms a query")
        for label, words in (("absent subjects", ABSENT), ("nonsense", NONSENSE)):
            counts = [ask(address, text)["count"] for text in words]
            print(f"{len(words)} {label}: nothing remains for {sum(count == 0 for count in counts)}, "
                  f"median {statistics.median(counts):g}, most {max(counts)}")
    finally:
        process.terminate()
        process.wait()
        scratch.cleanup()


if __name__ == "__main__":
    main()
