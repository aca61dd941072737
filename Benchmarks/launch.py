"""Runs a program and reports what it took: `python3 -S launch.py REPORT PROGRAM ...` writes seconds and MiB to REPORT as JSON.

A process begins with the peak memory of the one that started it, so a program started from Python with torch would seem to use what
Python uses. This starter is small. Memory is the largest peak of any one process or, where there were several at once, what they held
together at the worst of four looks a second, shared pages counted once.
"""
import json
import os
import sys
import threading
import time

LOOKS = 0.25  # seconds between them


def family(process):
    """The process and all that it started."""
    found, waiting = [], [process]
    while waiting:
        found.append(waiting.pop())
        try:
            for task in os.listdir(f"/proc/{found[-1]}/task"):
                with open(f"/proc/{found[-1]}/task/{task}/children") as children:
                    waiting += map(int, children.read().split())
        except OSError:
            pass  # it has ended
    return found


def held(process):
    """MiB of one process, its part of what it shares with others."""
    try:
        with open(f"/proc/{process}/smaps_rollup") as rollup:
            return sum(int(line.split()[1]) for line in rollup if line.startswith("Pss:")) / 1024
    except OSError:
        return 0.0


class Looks(threading.Thread):
    """Looks at a process and its children until `ended` is set; `peak` in MiB where there were several at once."""

    def __init__(self, process):
        super().__init__(daemon=True)
        self.process, self.peak, self.ended = process, 0.0, threading.Event()

    def run(self):
        while not self.ended.wait(LOOKS):
            processes = family(self.process)
            if len(processes) > 1:
                self.peak = max(self.peak, sum(map(held, processes)))


def main():
    report, command = sys.argv[1], sys.argv[2:]
    started = time.perf_counter()
    process = os.fork()
    if process == 0:
        try:
            os.execvp(command[0], command)
        except OSError as error:
            print(f"{command[0]}: {error.strerror}", file=sys.stderr)
            os._exit(127)
    looks = Looks(process)
    looks.start()
    _, status, used = os.wait4(process, 0)
    seconds = time.perf_counter() - started
    looks.ended.set()
    looks.join()
    with open(report, "w") as file:
        json.dump({"seconds": seconds, "memory": max(looks.peak, used.ru_maxrss / 1024)}, file)
    code = os.waitstatus_to_exitcode(status)
    sys.exit(code if code >= 0 else 128 - code)


if __name__ == "__main__":
    main()
