"""The machine's limits: multiply-adds and int8 dot products a second, and bytes a second from the caches and from memory.

    python3 Benchmarks/machine.py [--threads 2]

Builds machine.c with a compiler of the system or the one that comes with Swift. No program can be faster than these figures.
"""
import json
import os
import pathlib
import shutil
import statistics
import tempfile

import turns


def compiler():
    swift = shutil.which("swift")
    beside = [str(pathlib.Path(swift).resolve().with_name("clang"))] if swift else []
    for name in [os.environ.get("CC"), "clang", *beside, "cc"]:
        if name and (found := shutil.which(name)):
            return found
    raise turns.Failed("there is no C compiler: neither cc nor clang")


def main():
    given = turns.parse(turns.options(__doc__.partition("\n")[0], rounds=3, quick_rounds=1))
    report = turns.Report(given)
    report.remark(turns.processor())
    with report.part("the machine's limits"), tempfile.TemporaryDirectory() as folder:
        program = pathlib.Path(folder) / "machine"
        turns.run([compiler(), "-O3", "-march=native", "-ffp-contract=fast", "-Wall", "-Werror", "-o", program,
                   pathlib.Path(__file__).with_name("machine.c"), "-lpthread"])
        for threads in turns.thread_counts(given):
            ways = {"machine": lambda: [json.loads(line) for line in turns.run([program, threads]).splitlines()]}
            results, disturbed = turns.in_turn(ways, given.rounds, given.patience, f"the machine's limits, threads {threads}")
            for found in zip(*results["machine"]):
                value = statistics.median(line["value"] for line in found)
                report.add(turns.limit(f"machine: {found[0]['what']}", found[0]["how"], value, found[0]["unit"], threads, disturbed))
    report.finish()


if __name__ == "__main__":
    main()
