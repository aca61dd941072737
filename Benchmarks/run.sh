#!/bin/sh
# Measures the program against its peers and prints one table: Benchmarks/run.sh .build/release/sensorium [options]
# The peers run in .build/bench-venv, which is made from requirements.txt, or in $SENSORIUM_BENCH_PYTHON. Options go to run_all.py
# (--only encoder,text; --million) and to every benchmark (--quick). README.md says what is measured and how.
set -eu

if [ $# -lt 1 ] || [ ! -x "$1" ]; then
    echo "usage: Benchmarks/run.sh SENSORIUM [options]" >&2
    exit 2
fi
program=$(realpath "$1")
shift
here=$(dirname "$(realpath "$0")")
root=$(dirname "$here")

# A copy of the list is written last, so an environment whose making was interrupted is made again.
made_from() { cmp -s "$here/$1" "$venv/$1"; }

make_environment() {
    python3 -c 'import ensurepip' 2>/dev/null || { echo "bench: python3-venv is missing: apt-get install python3-venv" >&2; exit 1; }
    echo "bench: making $venv from Benchmarks/requirements.txt (torch, transformers, onnxruntime, faiss, usearch; about 1.5 GB)" >&2
    rm -rf "$venv"
    python3 -m venv "$venv"
    # torch for processors alone comes from its publisher; PyPI's own is made for graphics cards.
    torch=$(grep -E '^torch(vision)?==' "$here/requirements.txt")
    # shellcheck disable=SC2086  # two packages
    "$python" -m pip install --quiet --no-deps --retries 1 --extra-index-url https://download.pytorch.org/whl/cpu $torch
    "$python" -m pip install --quiet --no-deps -r "$here/requirements.txt"
    if ! "$python" -c 'import torch' 2>/dev/null; then
        echo "bench: PyPI's torch needs its graphics libraries even on a processor: about 3 GB more" >&2
        # shellcheck disable=SC2086
        "$python" -m pip install --quiet $torch
    fi
    cp "$here/requirements.txt" "$venv/requirements.txt"
}

# What can't be built is missing in the table, and all else is measured.
build_from_source() {
    echo "bench: building llama.cpp's Python package from source, some minutes" >&2
    if ! command -v c++ >/dev/null 2>&1; then
        tools=$(dirname "$(realpath "$(command -v swift)")")
        export CC="$tools/clang" CXX="$tools/clang++"
    fi
    if "$python" -m pip install --quiet --no-deps --no-binary llama-cpp-python -r "$here/requirements-source.txt"; then
        cp "$here/requirements-source.txt" "$venv/requirements-source.txt"
    else
        echo "bench: llama.cpp's Python package could not be built" >&2
    fi
}

if [ -n "${SENSORIUM_BENCH_PYTHON-}" ]; then
    python=$SENSORIUM_BENCH_PYTHON
else
    venv="$root/.build/bench-venv"
    python="$venv/bin/python"
    made_from requirements.txt || make_environment
    made_from requirements-source.txt || build_from_source
fi

# The programs that some benchmarks measure, all named bench-..., lie beside the one that was given.
case "$program" in
"$root"/.build/*)
    for product in $(sed -n 's/.*name: "\(bench-[a-z-]*\)".*/\1/p' "$root/Package.swift"); do
        swift build -c release --package-path "$root" --scratch-path "$root/.build" --product "$product" >&2
    done
    ;;
esac
exec "$python" "$here/run_all.py" --sensorium "$program" "$@"
