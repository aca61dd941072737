"""Runs a program and reports what it took: `python3 -S launch.py REPORT PROGRAM ...` writes seconds and MiB to REPORT as JSON.

A process begins with the peak memory of the one that started it, so a program started from Python with torch would seem to use what
Python uses. This starter is small.
"""
import json
import os
import sys
import time


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
    _, status, used = os.wait4(process, 0)
    seconds = time.perf_counter() - started
    with open(report, "w") as file:
        json.dump({"seconds": seconds, "memory": used.ru_maxrss / 1024}, file)
    code = os.waitstatus_to_exitcode(status)
    sys.exit(code if code >= 0 else 128 - code)


if __name__ == "__main__":
    main()
