"""The local index beside a Milvus server on the same machine: the same vectors and queries, in turn, in one run.

    tools/milvus.py fetch
    swift build -c release --product bench-milvus
    python3 Benchmarks/milvus.py [--program .build/release/bench-milvus] [--counts 10000 100000]

Writes results/milvus.md: milliseconds of a query (median and 95th percentile of 100, one at a time), recall of ten hits against the
exact local search, seconds to store, and the server's memory.
"""
import argparse
import datetime
import json
import os
import pathlib
import subprocess
import sys
import tempfile
import time

here = pathlib.Path(__file__).parent
parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
parser.add_argument("--program", default=str(here.parent / ".build/release/bench-milvus"))
parser.add_argument("--counts", type=int, nargs="+", default=[10_000, 100_000])
parser.add_argument("--output", default=str(here / "results/milvus.md"))
arguments = parser.parse_args()


def memory(pid):
    """Peak and present MiB of the server below our helper."""
    child = open(f"/proc/{pid}/task/{pid}/children").read().split()[0]
    lines = dict(line.split(":", 1) for line in open(f"/proc/{child}/status") if ":" in line)
    return [int(lines[field].split()[0]) // 1024 for field in ("VmHWM", "VmRSS")]


with tempfile.TemporaryDirectory() as folder:
    began = time.perf_counter()
    server = subprocess.Popen(
        [sys.executable, str(here.parent / "tools/milvus.py"), "run", folder + "/data", "--remove"], stdin=subprocess.PIPE,
        stdout=subprocess.PIPE, text=True)
    try:
        words = server.stdout.readline().split()
        if words[:1] != ["ready"]:
            sys.exit("the server didn't start")
        ready, empty = time.perf_counter() - began, memory(server.pid)[1]
        lines = subprocess.run(
            [arguments.program, f"milvus://127.0.0.1:{words[1]}", *map(str, arguments.counts)], check=True, stdout=subprocess.PIPE,
            text=True).stdout.splitlines()
        peak = memory(server.pid)[0]
    finally:
        server.stdin.close()
        server.wait()

rows = [json.loads(line) for line in lines]
processor = next(line.split(":", 1)[1].strip() for line in open("/proc/cpuinfo") if line.startswith("model name"))
text = ["# The local index beside Milvus 2.3.5", "", __doc__.strip().splitlines()[0], "",
        f"{datetime.date.today()}, {os.cpu_count()} cores of {processor}. 512 components, cosine, ten hits, single queries in turn over loopback. "
        f"The server was ready {ready:.1f} s after its start, with {empty} MiB; at the end its peak was {peak} MiB.", "",
        "| vectors | index | search | median, ms | p95, ms | recall@10 | stored in, s |", "| --- | --- | --- | --- | --- | --- | --- |"]
for row in rows:
    storing = f"{row['storing']:.1f}" if row["storing"] else ""
    text.append(
        f"| {row['vectors']:,} | {row['index']} | {row['search']} | {row['median'] * 1e3:.2f} | {row['p95'] * 1e3:.2f} | {row['recall']:.3f} | {storing} |")
text += ["", "`1 in 100` is a filter that keeps one vector in a hundred. `strong` waits for the changes of every machine before it answers."]
pathlib.Path(arguments.output).write_text("\n".join(text) + "\n")
print("\n".join(text))
