#!/bin/sh
# Measures the program against its peers and prints one table: Benchmarks/run.sh .build/release/sensorium [--quick]
# The peers run in .build/bench-venv, which is made from requirements.txt, or in $SENSORIUM_BENCH_PYTHON. Results are kept
# in .build/bench. README.md says what is measured and how.
set -eu

if [ $# -lt 1 ] || [ ! -x "$1" ]; then
    echo "usage: Benchmarks/run.sh SENSORIUM [options that every benchmark takes, such as --quick]" >&2
    exit 2
fi
program=$(realpath "$1")
shift
here=$(dirname "$(realpath "$0")")
root=$(dirname "$here")
out="$root/.build/bench"
mkdir -p "$out"

if [ -n "${SENSORIUM_BENCH_PYTHON-}" ]; then
    python=$SENSORIUM_BENCH_PYTHON
else
    venv="$root/.build/bench-venv"
    python="$venv/bin/python"
    # The copy is written last, so an environment whose making was interrupted is made again.
    if ! cmp -s "$here/requirements.txt" "$venv/requirements.txt"; then
        python3 -c 'import ensurepip' 2>/dev/null || { echo "bench: python3-venv is missing: apt-get install python3-venv" >&2; exit 1; }
        echo "bench: making $venv from Benchmarks/requirements.txt (torch, transformers, onnxruntime, faiss; about 1 GB)" >&2
        rm -rf "$venv"
        python3 -m venv "$venv"
        "$python" -m pip install --quiet --no-deps --extra-index-url https://download.pytorch.org/whl/cpu -r "$here/requirements.txt"
        cp "$here/requirements.txt" "$venv/requirements.txt"
    fi
fi

# The path of a small program of ours, built where it isn't beside the one to measure.
helper() {
    found="$(dirname "$program")/$1"
    if [ ! -x "$found" ]; then
        swift build -c release --package-path "$root" --scratch-path "$root/.build" --product "$1" >&2
        found="$root/.build/release/$1"
    fi
    echo "$found"
}
vectors=$(helper bench-vector-search)
products=$(helper bench-quantised-product)

# One that fails doesn't take the others' results with it.
failed=""
for name in encoder end_to_end cold_search vector_search quantised_matmul; do
    rm -f "$out/$name.json"
    echo "bench: $name" >&2
    extra=""
    [ "$name" = vector_search ] && extra="--program=$vectors"
    [ "$name" = quantised_matmul ] && extra="--program=$products"
    "$python" "$here/$name.py" --sensorium "$program" --json "$out/$name.json" ${extra:+"$extra"} "$@" >"$out/$name.log" || failed="$failed $name"
done
"$python" "$here/collect.py" "$out"
if [ -n "$failed" ]; then
    echo "bench: failed:$failed (see above)" >&2
    exit 1
fi
