"""The service under load beside clip-retrieval's backend: requests a second, and how long they wait, at 1, 8 and 64 connections.

    python3 Benchmarks/service_load.py [--count 100000] [--connections 1 8 64] [--seconds 10]

Both hold the same vectors, those of `clustered` in million_search.py, and the same metadata: ours imports them and exports them again in
clip-retrieval's layout, which `clip_back` serves as it is, once from the flat index and once from an HNSW32, which its own indexer would
make of as many. Both answer the same requests at the same address, /knn-service: texts of 6 to 12 words, each different, put through the
text tower of one CLIP ViT-B/32, and the nearest 20 pictures with their metadata. Published weights can't be had everywhere, so the
tower's are random, of full size, and the same for both (the peer loads the folder through `all_clip` as hf_clip). A second part sends
vectors in the place of texts: the search and the answer alone. wrk makes the load; it runs on the same cores, for both.

Needs numpy, faiss-cpu, transformers, clip-retrieval with what its backend imports, and wrk (apt-get install wrk, or WRK names it).
"""
import contextlib
import json
import os
import pathlib
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request

import faiss
import numpy as np

import million_search
import peers
import turns

AIM, HITS, TEXTS = 10, 20, 512
HERE = pathlib.Path(__file__).resolve().parent
WORDS = ("a photograph of small large brown red green old young dog cat horse bird bicycle boat train beach street forest mountain kitchen "
         "table child woman man playing running sitting sleeping near under above with behind many two three in the snow rain sun").split()


def port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def post(address, body):
    request = urllib.request.Request(address, json.dumps(body).encode(), {"Content-Type": "application/json"})
    with urllib.request.urlopen(request, timeout=300) as answer:
        return json.load(answer)


@contextlib.contextmanager
def serving(command, number, what, log, **environment):
    """A server that answers at /indices-list; its address, the names of its indices and its process."""
    address = f"http://127.0.0.1:{number}"
    with open(log, "wb") as output:
        process = subprocess.Popen([str(part) for part in command], stdout=output, stderr=output, env={**os.environ, **environment})
        try:
            end = time.monotonic() + 300
            while True:
                try:
                    with urllib.request.urlopen(address + "/indices-list", timeout=5) as answer:
                        names = json.load(answer)
                    break
                except OSError:
                    if process.poll() is not None or time.monotonic() > end:
                        raise turns.Failed(f"{what} doesn't start: {pathlib.Path(log).read_text(errors='replace').strip()}") from None
                    time.sleep(0.2)
            yield address, names, process
        finally:
            process.terminate()
            process.wait()


def memory(process):
    """The peak in MiB."""
    lines = pathlib.Path(f"/proc/{process.pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) / 1024 for line in lines if line.startswith("VmHWM:"))


def wrk():
    program = os.environ.get("WRK") or shutil.which("wrk")
    if not program:
        raise turns.Failed("wrk is missing: apt-get install wrk, or WRK names it")
    return program


def load(address, bodies, connections, seconds):
    command = [wrk(), "-t1", f"-c{connections}", f"-d{seconds}s", "--timeout", "60s", "-s", HERE / "service_load.lua", address + "/knn-service"]
    found = json.loads(turns.run(command, env={**os.environ, "LOAD_BODIES": str(bodies)}).splitlines()[-1])
    if found["errors"]:
        raise turns.Failed(f"{found['errors']} of {found['requests']} requests failed at {connections} connections")
    return {**found, "rate": found["requests"] / found["seconds"]}


def make(given, scratch):
    """Model, our library, and the folder that the peer serves."""
    model = peers.random_clip(scratch / "clip")
    base, queries = million_search.clustered(given.count, 512, queries=TEXTS)
    np.save(scratch / "vectors.npy", base)
    random = np.random.default_rng(3)
    with open(scratch / "vectors.jsonl", "w") as lines:
        for row in range(given.count):
            caption = " ".join(random.choice(WORDS, 8))
            lines.write(json.dumps({"image_path": f"/collection/{row // 1000:05}/{row:07}.jpg", "caption": caption, "width": 640, "height": 480}) + "\n")
    library, served = scratch / "library", scratch / "served"
    turns.run([given.sensorium, "import", "--quiet", "--library", library, "--model", model, scratch / "vectors.npy"])
    turns.run([given.sensorium, "export", "--quiet", "--library", library, "--output", served])
    graph = scratch / "graph"
    graph.mkdir()
    os.symlink(served / "metadata", graph / "metadata")
    faiss.write_index(million_search.graph(base), str(graph / "image.index"))
    return model, library, {"flat": served, "HNSW32": graph}, queries


def texts():
    random = np.random.default_rng(4)
    return [" ".join(random.choice(WORDS, random.integers(6, 13))) for _ in range(TEXTS)]


def request(subject, name):
    return {**subject, "modality": "image", "num_images": HITS, "num_result_ids": HITS, "indice_name": name, "deduplicate": False}


def check(ours, theirs, subjects, what, report):
    """The same pictures with the same cosines; the graph of HNSW finds most."""
    (address, name), shared, worst = ours, {way: 0 for way in theirs}, 0.0
    for subject in subjects:
        told = {hit["image_path"]: hit["similarity"] for hit in post(address + "/knn-service", request(subject, name))}
        for way, (other, index) in theirs.items():
            found = {hit["image_path"]: hit["similarity"] for hit in post(other + "/knn-service", request(subject, index))}
            both = set(told) & set(found)
            shared[way] += len(both) / HITS / len(subjects)
            worst = max([worst] + [abs(told[path] - found[path]) for path in both])
    report.remark(f"{what}: of {HITS} pictures the same, " + ", ".join(f"{way} {share:.4f}" for way, share in shared.items())
                  + f" of {len(subjects)} requests; cosines differ by {worst:.1e} at most")
    if worst > 1e-3 or shared["clip-retrieval, flat"] < 0.98:
        raise turns.Failed(f"{what}: answers differ: {shared}, cosines by {worst}")


def compare(given, report, what, ours, theirs, processes, subjects, scratch):
    check(ours, theirs, subjects[:20], what, report)
    places = {"ours": ours, **theirs}
    files = {}
    for number, (way, (_, index)) in enumerate(places.items()):
        files[way] = scratch / f"bodies-{number}"
        files[way].write_text("".join(json.dumps(request(subject, index)) + "\n" for subject in subjects))
    for connections in given.connections:
        ways = {way: (lambda way=way, place=place: load(place[0], files[way], connections, given.seconds)) for way, place in places.items()}
        results, disturbed = turns.in_turn(ways, given.rounds, given.patience, f"{what}, {connections} connections")
        held = {way: memory(processes["ours" if way == "ours" else "peer"]) for way in places}
        for measure, unit, lower in ("rate", "requests/s", False), ("p50", "ms", True), ("p99", "ms", True):
            found = {way: turns.median(values, measure) for way, values in results.items()}
            report.add(turns.row(f"{what}, {connections} connection{'s' if connections > 1 else ''}", measure if lower else "load", found.pop("ours"),
                                 found, unit, lower_is_better=lower, disturbed=disturbed, aim=None if lower else AIM, threads=given.threads,
                                 memory=held))


def main():
    parser = turns.options(__doc__.partition("\n")[0], rounds=3, quick_rounds=1)
    parser.add_argument("--count", type=int, help="pictures (default 100000; 5000 with --quick)")
    parser.add_argument("--connections", type=int, nargs="+", default=[1, 8, 64])
    parser.add_argument("--seconds", type=int, help="of each measurement (default 10; 2 with --quick)")
    given = turns.parse(parser)
    given.count = given.count or (5_000 if given.quick else 100_000)
    given.seconds = given.seconds or (2 if given.quick else 10)
    report = turns.Report(given)
    report.remark(f"service: {given.count} pictures, {HITS} hits with metadata, wrk for {given.seconds} s, median of {given.rounds} rounds in turn; "
                  "clip-retrieval 2.44, its own server")
    with tempfile.TemporaryDirectory() as folder, report.part("service under load"):
        scratch = pathlib.Path(folder)
        wrk()
        model, library, served, queries = make(given, scratch)
        numbers = port(), port()
        serve = [given.sensorium, "serve", "--quiet", "--port", numbers[0], "--library", library, "--keys", scratch / "keys",
                 "--set", "limits.requests_per_second=0"]
        back = [sys.executable, HERE / "service_load_peer.py", model, numbers[1], json.dumps({name: str(place) for name, place in served.items()})]
        with serving(serve, numbers[0], "sensorium serve", scratch / "ours.log", SENSORIUM_THREADS=str(given.threads)) as (address, names, process), \
                serving(back, numbers[1], "clip_back", scratch / "peer.log", OMP_NUM_THREADS=str(given.threads)) as (other, _, back_process):
            theirs = {f"clip-retrieval, {name}": (other, name) for name in served}
            both = {"ours": process, "peer": back_process}
            with report.part("search by text under load"):
                compare(given, report, "search by text", (address, names[0]), theirs, both, [{"text": text} for text in texts()], scratch)
            with report.part("search by vector under load"):
                vectors = [{"embedding_input": [round(float(number), 7) for number in query]} for query in queries]
                compare(given, report, "search by vector", (address, names[0]), theirs, both, vectors, scratch)
    report.finish()


if __name__ == "__main__":
    main()
