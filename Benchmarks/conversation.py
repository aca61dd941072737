"""A peer in a process of its own that is asked to do its work again and again: requests and answers are lines of JSON.

Whatever a peer imports counts in its memory and nobody else's, and it keeps its model between the rounds.
"""
import contextlib
import json
import os
import pathlib
import statistics
import subprocess
import sys
import tempfile
import time

import turns


class Peer:
    """`Peer(script, arguments...)` starts Benchmarks/script and waits until it is ready."""

    def __init__(self, script, *arguments, threads=1):
        command = [sys.executable, pathlib.Path(__file__).with_name(script), *arguments]
        quiet = {**os.environ, **environment(threads)}
        self.name, self.errors = " ".join(map(str, [script, *arguments])), tempfile.TemporaryFile("w+")
        self.process = subprocess.Popen([str(part) for part in command], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                        stderr=self.errors, text=True, env=quiet)
        self.answer()

    def answer(self):
        line = self.process.stdout.readline()
        if not line:
            self.process.wait()
            self.errors.seek(0)
            told = [line for line in self.errors.read().splitlines() if line.strip()]
            raise turns.Failed(f"{self.name} ended early: {told[-1] if told else self.process.returncode}")
        return json.loads(line)

    def ask(self, verb, **request):
        try:
            self.process.stdin.write(json.dumps({"verb": verb, **request}, default=str) + "\n")
            self.process.stdin.flush()
        except BrokenPipeError:
            pass  # it ended; `answer` finds out why
        found = self.answer()
        if "error" in found:
            raise turns.Failed(f"{self.name}: {found['error']}")
        return found

    def __enter__(self):
        return self

    def __exit__(self, *_):
        with contextlib.suppress(BrokenPipeError):
            self.process.stdin.close()
        self.process.wait()
        self.process.stdout.close()
        self.errors.close()


def environment(threads):
    """For a Python process that shall compute with so many threads and ask nobody."""
    return {"OMP_NUM_THREADS": str(threads), "OPENBLAS_NUM_THREADS": str(threads), "MKL_NUM_THREADS": str(threads),
            "TRANSFORMERS_OFFLINE": "1", "PYTHONWARNINGS": "ignore", "TOKENIZERS_PARALLELISM": "false"}


def start(stack, starters):
    """name -> function that starts a peer; returns those that could be started, and why the others couldn't."""
    peers, missing = {}, {}
    for name, starter in starters.items():
        try:
            peers[name] = stack.enter_context(starter())
        except turns.Failed as error:
            missing[name] = turns.absent(name, error)["absent"]
    return peers, missing


def forget_peak():
    """The peak of memory is from now on; where the system doesn't let it be forgotten it is from the start."""
    try:
        pathlib.Path("/proc/self/clear_refs").write_text("5")
    except OSError:
        pass


def peak():
    """The most memory in MiB that this process had since `forget_peak`."""
    for line in pathlib.Path("/proc/self/status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) / 1024
    return 0.0


def timed(work, rounds, warm=True):
    """The median of seconds that `work` takes, and the peak of memory meanwhile."""
    forget_peak()
    if warm:
        work()
    times = []
    for _ in range(rounds):
        started = time.perf_counter()
        work()
        times.append(time.perf_counter() - started)
    return {"seconds": statistics.median(times), "memory": peak()}


def serve(handlers):
    """Answers requests until the input ends. `handlers` are verb -> function of the request's fields that returns a dictionary."""
    answers, sys.stdout = sys.stdout, sys.stderr  # what libraries print mustn't stand among the answers
    print("{}", file=answers, flush=True)
    for line in sys.stdin:
        request = json.loads(line)
        try:
            answer = handlers[request.pop("verb")](**request)
        except Exception as error:  # whatever it is, it is the answer, and the peer lives on
            answer = {"error": f"{type(error).__name__}: {error}".splitlines()[0]}
        print(json.dumps(answer), file=answers, flush=True)
