"""Measuring ways against each other in turn, on a machine that others may be using, and telling the results.

A round measures every way once (A B C, A B C, ...), so that a slow minute is slow for all of them. While a round runs, the processor
time that other programs took is read from /proc; a measurement that they disturbed is repeated, and what stays disturbed is counted.
"""
import argparse
import json
import os
import pathlib
import statistics
import subprocess
import sys
import time

ROOT = pathlib.Path(__file__).resolve().parents[1]
TICKS = os.sysconf("SC_CLK_TCK")
# Cores that others may use, on average, in a measurement that counts as undisturbed.
ALLOWED = 0.15
REPEATS = 3


def options(description, **defaults):
    """The options that all benchmarks share; `defaults` are rounds and quick_rounds."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--sensorium", default=str(ROOT / ".build/release/sensorium"), help="the program to measure")
    parser.add_argument("--threads", type=int, default=2, help="threads for everyone")
    parser.add_argument("--rounds", type=int, help=f"default {defaults['rounds']}; {defaults['quick_rounds']} with --quick")
    parser.add_argument("--quick", action="store_true", help="less work and fewer rounds: does it run?")
    parser.add_argument("--patience", type=float, default=20, help="seconds to wait for a quiet machine before each measurement")
    parser.add_argument("--json", metavar="FILE", help="write the results there, too")
    parser.set_defaults(**{"chosen": defaults})
    return parser


def parse(parser):
    given = parser.parse_args()
    given.rounds = given.rounds or given.chosen["quick_rounds" if given.quick else "rounds"]
    return given


def busy_seconds():
    """Processor seconds spent by everything on this machine since it started; waiting for disks is not spending."""
    fields = pathlib.Path("/proc/stat").read_text().splitlines()[0].split()[1:]
    user, nice, system, _, _, irq, soft, steal = (int(f) for f in fields[:8])
    return (user + nice + system + irq + soft + steal) / TICKS


def own_seconds():
    """Processor seconds of this process and of all that it started, ended or not."""
    total, waiting = 0, [os.getpid()]
    while waiting:
        process = waiting.pop()
        try:
            # After the command's name, which may hold spaces: utime, stime, cutime, cstime are fields 14 to 17.
            fields = pathlib.Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
            total += sum(int(f) for f in fields[11:15])
            for task in pathlib.Path(f"/proc/{process}/task").iterdir():
                waiting += [int(child) for child in (task / "children").read_text().split()]
        except (FileNotFoundError, ProcessLookupError):
            continue
    return total / TICKS


class Watch:
    """`seconds` that passed, and `others`: the cores that other programs used meanwhile, on average."""

    def __enter__(self):
        self.start, self.busy, self.own = time.perf_counter(), busy_seconds(), own_seconds()
        return self

    def __exit__(self, *_):
        self.seconds = time.perf_counter() - self.start
        spent = (busy_seconds() - self.busy) - (own_seconds() - self.own)
        self.others = max(0.0, spent / self.seconds)


def wait_for_quiet(patience):
    end = time.monotonic() + patience
    while True:
        with Watch() as watch:
            time.sleep(0.5)
        if watch.others < ALLOWED or time.monotonic() > end:
            return


def in_turn(ways, rounds, patience):
    """ways: name -> function without arguments that measures once and returns a number or a dictionary of numbers.

    Returns name -> list of what it returned, and how many of all these measurements stayed disturbed by other programs.
    """
    results, disturbed = {name: [] for name in ways}, 0
    for _ in range(rounds):
        for name, measure in ways.items():
            tries = []
            while len(tries) < REPEATS and not (tries and tries[-1][0] < ALLOWED):
                wait_for_quiet(patience)
                with Watch() as watch:
                    value = measure()
                tries.append((watch.others, value))
            others, value = min(tries, key=lambda attempt: attempt[0])
            disturbed += others >= ALLOWED
            results[name].append(value)
    return results, disturbed


def median(values, key=None):
    return statistics.median(value[key] if key else value for value in values)


def processor():
    lines = pathlib.Path("/proc/cpuinfo").read_text().splitlines()
    name = next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), os.uname().machine)
    return f"{name}, {len(os.sched_getaffinity(0))} cores"


def run(command, **how):
    """Runs a program that must succeed; its output as text."""
    done = subprocess.run([str(part) for part in command], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, **how)
    if done.returncode:
        sys.exit(f"{' '.join(map(str, command))} ended with {done.returncode}:\n{done.stderr}")
    return done.stdout


def row(what, measure, ours, peers, unit, lower_is_better=False, disturbed=0, aim=None):
    """One line of the results. `peers` are name -> number; the ratio is to the best of them, above 1 where ours is better."""
    best = (min if lower_is_better else max)(peers, key=peers.get)
    ratio = peers[best] / ours if lower_is_better else ours / peers[best]
    return {"what": what, "measure": measure, "unit": unit, "ours": ours, "peers": peers, "best_peer": best, "ratio": ratio,
            "aim": aim, "disturbed": disturbed}


def number(value):
    return f"{value:.0f}" if abs(value) >= 100 else f"{value:.3g}"


def markdown(rows):
    lines = ["| what | measured | ours | peers | ratio to the best peer | aim |", "| --- | --- | --- | --- | --- | --- |"]
    for line in rows:
        peers = ", ".join(f"{name} {number(value)}" for name, value in line["peers"].items())
        aim = "" if line["aim"] is None else f">= {line['aim']}"
        mark = " (disturbed)" if line["disturbed"] else ""
        lines.append(f"| {line['what']} | {line['measure']}, {line['unit']} | {number(line['ours'])} | {peers} "
                     f"| {line['ratio']:.2f}{mark} | {aim} |")
    return "\n".join(lines)


def finish(given, rows, remarks):
    for remark in remarks:
        print(remark)
    print()
    print(markdown(rows))
    if given.json:
        pathlib.Path(given.json).write_text(json.dumps({"rows": rows, "remarks": remarks}, indent=1) + "\n")
