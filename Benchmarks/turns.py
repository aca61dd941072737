"""Measuring ways against each other in turn, on a machine that others may be using, and telling the results.

A round measures every way once (A B C, A B C, ...), so that a slow minute is slow for all of them. While a round runs, the processor
time that other programs took is read from /proc; a measurement that they disturbed is repeated, and what stays disturbed is counted.
"""
import argparse
import contextlib
import json
import os
import pathlib
import signal
import statistics
import subprocess
import sys
import tempfile
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
    parser.add_argument("--threads", type=int, default=len(os.sched_getaffinity(0)), help="threads for everyone (default: all cores)")
    parser.add_argument("--rounds", type=int, help=f"default {defaults['rounds']}; {defaults['quick_rounds']} with --quick")
    parser.add_argument("--quick", action="store_true", help="less work and fewer rounds: does it run?")
    parser.add_argument("--patience", type=float, default=20, help="seconds to wait for a quiet machine before each measurement")
    parser.add_argument("--json", metavar="FILE", help="write the results there, too")
    parser.set_defaults(**{"chosen": defaults})
    return parser


def parse(parser):
    given = parser.parse_args()
    given.rounds = given.rounds or given.chosen["quick_rounds" if given.quick else "rounds"]
    # Ctrl-C ends a benchmark without a page of Python's own; what it has measured is on disk by then.
    signal.signal(signal.SIGINT, lambda *_: sys.exit(130))
    return given


def thread_counts(given):
    """A single thread, and all that were asked for."""
    return sorted({1, given.threads})


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
        # The clocks of /proc tick a hundred times a second: two ticks are no evidence.
        spent = (busy_seconds() - self.busy) - (own_seconds() - self.own) - 2 / TICKS
        self.others = max(0.0, spent / self.seconds)


def wait_for_quiet(patience):
    end = time.monotonic() + patience
    while True:
        with Watch() as watch:
            time.sleep(0.5)
        if watch.others < ALLOWED or time.monotonic() > end:
            return


def in_turn(ways, rounds, patience, label=""):
    """ways: name -> function without arguments that measures once and returns a number or a dictionary of numbers.

    Returns name -> list of what it returned, and how many of all these measurements stayed disturbed by other programs.
    """
    results, disturbed, quiet = {name: [] for name in ways}, 0, False
    if label:
        print(f"  {label}", file=sys.stderr, flush=True)
    for _ in range(rounds):
        for name, measure in ways.items():
            tries = []
            while len(tries) < REPEATS and not (tries and tries[-1][0] < ALLOWED):
                if not quiet:
                    wait_for_quiet(patience)
                with Watch() as watch:
                    value = measure()
                quiet = watch.others < ALLOWED
                tries.append((watch.others, value))
                if patience == 0:
                    break  # nobody wants to wait: what was measured is marked and kept
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


class Failed(SystemExit):
    """A program failed or an answer differs: ends a benchmark with this message, or only the part that `Report.part` guards."""


def run(command, **how):
    """Runs a program that must succeed; its output as text."""
    done = subprocess.run([str(part) for part in command], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, **how)
    if done.returncode:
        shown = " ".join(str(part) for part in command[:8]) + (" ..." if len(command) > 8 else "")
        raise Failed(f"{shown} ended with {done.returncode}:\n{done.stderr}")
    return done.stdout


def measured(command, **environment):
    """Runs a program that must succeed: its `output`, `seconds`, and `memory`, the largest in MiB of any one of its processes."""
    with tempfile.NamedTemporaryFile() as report:
        output = run([sys.executable, "-S", pathlib.Path(__file__).with_name("launch.py"), report.name, *command],
                     env={**os.environ, **environment})
        found = json.loads(report.read())
    return {"output": output, **found}


def row(what, measure, ours, peers, unit, lower_is_better=False, disturbed=0, aim=None, threads=None, memory=None, missing=None):
    """One line of the results. `peers` are name -> number; the ratio is to the best of them, above 1 where ours is better.

    `memory` is name -> peak MiB, ours under "ours"; `missing` is name of a peer -> why it couldn't be measured.
    """
    best = (min if lower_is_better else max)(peers, key=peers.get) if peers else None
    ratio = None
    if best is not None:
        ratio = peers[best] / ours if lower_is_better else ours / peers[best]
    return {"what": what, "threads": threads, "measure": measure, "unit": unit, "ours": ours, "peers": peers, "best_peer": best,
            "ratio": ratio, "aim": aim, "memory": memory or {}, "missing": missing or {}, "disturbed": disturbed}


def limit(what, measure, value, unit, threads=None, disturbed=0):
    """A line that says what the machine can do."""
    return {**row(what, measure, value, {}, unit, disturbed=disturbed, threads=threads), "limit": True}


def absent(what, reason):
    """A line that says what wasn't measured, and why."""
    lines = [line.strip() for line in str(reason).splitlines() if line.strip()]
    # Programs of ours say it in a line that begins so, Python's in the last.
    told = [line for line in lines if line.startswith(("Error:", "sensorium:"))]
    return {**row(what, "not measured", None, {}, ""), "absent": (told or lines[-1:] or ["no reason given"])[0][:300]}


class Report:
    """Results as they come: every row is on disk as soon as it is known, so that an interrupted run keeps what it has."""

    def __init__(self, given):
        self.given, self.rows, self.remarks, self.failed = given, [], [], False

    def add(self, *rows):
        self.rows += rows
        self.save()

    def remark(self, text):
        self.remarks.append(text)

    @contextlib.contextmanager
    def part(self, what):
        """Within it, a failure becomes a row that says so, and the rest of the benchmark goes on."""
        try:
            yield
        except (Failed, ImportError, OSError, KeyError, ValueError, RuntimeError) as error:
            self.failed = True
            self.add(absent(what, error))
            print(f"{what}: {error}", file=sys.stderr)

    def save(self):
        if self.given.json:
            pathlib.Path(self.given.json).write_text(json.dumps({"rows": self.rows, "remarks": self.remarks}, indent=1) + "\n")

    def finish(self):
        self.save()
        print(markdown(self.rows))
        for remark in self.remarks:
            print(f"- {remark}")
        if self.failed:
            sys.exit(1)


def finish(given, rows, remarks):
    report = Report(given)
    report.rows, report.remarks = rows, remarks
    report.finish()


def number(value):
    return f"{value:.0f}" if abs(value) >= 100 else f"{value:.3g}"


def verdict(line):
    if line["aim"] is None or line["ratio"] is None:
        return ""
    return f">= {line['aim']} {'met' if line['ratio'] >= line['aim'] else 'missed'}"


def cells(line):
    """The columns of one row: work, threads, measured, ours, peers, ratio, aim, memory."""
    threads = "" if line.get("threads") is None else str(line["threads"])
    measure = ", ".join(part for part in (line["measure"], line["unit"]) if part)
    if line.get("absent"):
        return [line["what"], threads, measure, "", line["absent"].replace("|", "/"), "", "", ""]
    mark = " (disturbed)" if line["disturbed"] else ""
    if line.get("limit"):
        return [line["what"], threads, measure, f"limit {number(line['ours'])}{mark}", "", "", "", ""]
    peers = [f"{name} {number(value)}" for name, value in line["peers"].items()]
    peers += [f"{name} missing: {why}".replace("|", "/") for name, why in line.get("missing", {}).items()]
    ratio = "" if line["ratio"] is None else f"{line['ratio']:.2f}"
    memory = ", ".join(f"{name} {number(value)}" for name, value in line.get("memory", {}).items())
    return [line["what"], threads, measure, number(line["ours"]), ", ".join(peers), ratio + mark, verdict(line), memory]


def markdown(rows):
    heads = ["work", "threads", "measured", "ours", "peers", "ratio to the best peer", "aim", "peak memory, MiB"]
    lines = [heads, ["---"] * len(heads), *(cells(line) for line in rows)]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)
