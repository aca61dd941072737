"""Runs the benchmarks one after another and keeps one table: Benchmarks/results/latest.json and latest.md.

    python3 Benchmarks/run_all.py --sensorium .build/release/sensorium [--only encoder,text] [--million] [options for all]

What is measured is in the table at once, so an interrupted run keeps what it has. A benchmark that can't run, or whose answers differ,
says so in the table and the others go on. With --only, the other rows stay as they were, if they are of this machine.
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

import turns

HERE = pathlib.Path(__file__).resolve().parent
# In the order of the table. The last two take long and run when they are asked for; the last needs photographs, too.
NAMES = ["machine", "kernels", "quantised_matmul", "encoder", "encoder_int8", "text", "decode", "end_to_end", "cold_search", "language",
         "reading", "training_data", "training", "vector_search", "service_load", "million_search", "million_patches"]
LONG = ["million_search", "million_patches"]
PICTURES = "SENSORIUM_BENCH_PICTURES"
RESULTS = HERE / "results"


def revision():
    try:
        return turns.run(["git", "-C", HERE, "describe", "--always", "--dirty", "--exclude=*"]).strip()
    except (turns.Failed, OSError):
        return "unknown"


def one(name, sensorium, options, revision):
    """Runs one benchmark and returns its part of the results."""
    started, script = time.monotonic(), HERE / f"{name}.py"
    with tempfile.TemporaryDirectory() as folder:
        told, errors = pathlib.Path(folder) / "result.json", pathlib.Path(folder) / "errors"
        command = [sys.executable, script, "--sensorium", sensorium, "--json", told, *options]
        with open(errors, "wb") as log:
            process = subprocess.Popen([str(part) for part in command], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
            stopped = False
            try:
                # Progress passes through and is kept, for the reason of a failure is among it.
                while piece := os.read(process.stderr.fileno(), 65_536):
                    os.write(2, piece)
                    log.write(piece)
            except KeyboardInterrupt:
                stopped = True
            code = process.wait()
        found = json.loads(told.read_text()) if told.exists() else {"rows": [], "remarks": []}
        reason = "stopped" if stopped else errors.read_text(errors="replace").strip() or f"ended with {code}"
    if not script.exists():
        reason = f"there is no Benchmarks/{script.name}"
    if code != 0 and (stopped or not any(row.get("absent") for row in found["rows"])):
        found["rows"].append(turns.absent(name.replace("_", " "), reason))
    return {"name": name, "machine": turns.processor(), "revision": revision, "options": options, "seconds": time.monotonic() - started,
            "measured_at": datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="seconds"), **found}, stopped


def kept():
    """The parts of earlier runs on this machine."""
    try:
        parts = json.loads((RESULTS / "latest.json").read_text())["parts"]
        return {part["name"]: part for part in parts if part["machine"] == turns.processor() and part["name"] in NAMES}
    except (OSError, ValueError, KeyError):
        return {}


def write(parts):
    """Both files, whole or not at all; returns the text."""
    parts = [parts[name] for name in NAMES if name in parts]
    rows = [row for part in parts for row in part["rows"]]
    remarks = list(dict.fromkeys(remark for part in parts for remark in part["remarks"]))
    stamps = [f"{part['name']}: {part['measured_at']}, revision {part['revision']}, {part['seconds']:.0f} s"
              + (f", with {' '.join(part['options'])}" if part["options"] else "") for part in parts]
    machine = parts[0]["machine"] if parts else turns.processor()
    text = "\n".join([f"# Measured on {machine}", "", "Ratios above 1 are in our favour. `make bench` writes this file; README.md says how "
                      "it is measured.", "", turns.markdown(rows), "", "## What was checked", "", *(f"- {remark}" for remark in remarks), "",
                      "## When", "", *(f"- {stamp}" for stamp in stamps), ""])
    RESULTS.mkdir(exist_ok=True)
    for name, content in ("latest.json", json.dumps({"parts": parts}, indent=1) + "\n"), ("latest.md", text):
        fresh = RESULTS / f".{name}"
        fresh.write_text(content)
        fresh.replace(RESULTS / name)
    return rows, remarks


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--sensorium", required=True)
    parser.add_argument("--only", default="", help="names with commas between them: " + ", ".join(NAMES))
    parser.add_argument("--million", action="store_true", help="the search among a million vectors, too")
    given, options = parser.parse_known_args()
    only = [name for name in given.only.replace(",", " ").split() if name]
    if unknown := [name for name in only if name not in NAMES]:
        sys.exit(f"bench: there is no {', '.join(unknown)}; there are {', '.join(NAMES)}")
    names = only or [name for name in NAMES if name not in LONG or given.million and (name != "million_patches" or os.environ.get(PICTURES))]
    parts, stopped, failed, version = kept(), False, [], revision()
    if not only:
        parts = {name: part for name, part in parts.items() if name in LONG and name not in names}
    for number, name in enumerate(names):
        print(f"bench: {name} ({number + 1} of {len(names)})", file=sys.stderr, flush=True)
        parts[name], stopped = one(name, given.sensorium, options, version)
        failed += [name] if any(row.get("absent") for row in parts[name]["rows"]) else []
        write(parts)
        if stopped:
            break
    rows, remarks = write(parts)
    print(turns.markdown([row for name in names if name in parts for row in parts[name]["rows"]]))
    print()
    print("\n".join(f"- {remark}" for name in names if name in parts for remark in dict.fromkeys(parts[name]["remarks"])))
    print(f"\nwritten: {RESULTS / 'latest.md'} and latest.json")
    if failed:
        print(f"bench: not all was measured: {', '.join(failed)} (the table says why)", file=sys.stderr)
    sys.exit(130 if stopped else 1 if failed else 0)


if __name__ == "__main__":
    main()
