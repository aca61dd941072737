#!/usr/bin/env python3
"""Throws damaged files at every parser and damaged requests at every route, for some minutes.

    python3 tools/fuzz.py [--minutes 10] [--only gguf,parquet] [--service-only | --parsers-only]     (or `make fuzz MINUTES=10`)

Parsers of files (checkpoints, tokenizers, tables, archives, pictures, vectors) run in one process under libFuzzer, which comes with Swift:
it sees which branches an input takes and keeps what reaches new ones (`swift build -Xswiftc -sanitize=fuzzer`, tools/FuzzParsers). It
begins with the files that the tests have. Requests go to a running service over a socket, as they would from outside: fuzz_service.py
changes bodies, addresses and filters of its own, and schemathesis, where it can be installed, makes requests out of /openapi.json. Coverage
would gain little there, for between the socket and the parsers lie a server and a library that aren't ours.

A trap, a read beyond the input, more than 2.5 GB of memory, an input that takes 20 seconds, an answer of 5xx but 503 and 507, or a service
that is gone: each is told with the input that did it, kept under .build/fuzz/found, and ends this with 1. What was found interesting is
kept under .build/fuzz/corpus for the next time.
"""
import argparse
import os
import pathlib
import re
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parents[1]
BUILD = ROOT / ".build/fuzz"
LARGEST = 1 << 17
# parser -> where its first inputs lie, by the ends of names
TESTS, MODELS = ROOT / "Tests", ROOT / "Sources/Models"
SEEDS = {
    "checkpoint": [(TESTS, (".safetensors", ".pt", ".npy", ".npz", ".onnx")), (MODELS, (".gguf", ".safetensors"))],
    "safetensors": [(TESTS, (".safetensors",)), (MODELS, (".safetensors",))],
    "gguf": [(MODELS, (".gguf",))],
    "pytorch": [(TESTS, (".pt",))],
    "npz": [(TESTS, (".npz",))],
    "npy": [(TESTS, (".npy",))],
    "onnx": [(TESTS, (".onnx",))],
    "parquet": [(TESTS, (".parquet",))],
    "json": [(TESTS, (".json",)), (MODELS, ("config.json",))],
    "tokenizer": [(TESTS / "TokenizersTests", (".json",)), (MODELS, ("tokenizer.json",))],
    "sentencepiece": [(TESTS / "TokenizersTests", (".model",))],
    "tar": [], "csv": [], "jsonl": [], "coco": [],
    "vectors": [(TESTS / "VectorIndexTests", (".npy", ".fvecs", ".faiss", ".index")), (TESTS / "CheckpointsTests", (".npy",))],
    "picture": [(TESTS / "ImagingTests/fixtures", (".png", ".jpg", ".bmp", ".gif", ".webp", ".tif", ".svg", ".heic", ".avif"))],
    "transform": [(MODELS, ("preprocessor_config.json", "open_clip_config.json"))],
    "text": [(TESTS / "Fixtures/texts", (".txt",))],
}
WORDS = {
    "json": ['{"', '":', "[", "null", "true", "\\u0000", "\\ud800", "1e999", "-0", "9223372036854775808"],
    "tokenizer": ['"type":', '"BPE"', '"Unigram"', '"WordPiece"', '"Sequence"', '"Split"', '"Regex":', '"ByteLevel"', '"Metaspace"',
                  '"Precompiled"', '"TemplateProcessing"', '"Replace"', "\\\\p{L}", "(?!", "{1,9}", "[^", "vocab", "merges"],
    "csv": ["filepath", "caption", "image", "\"", ",", "\n"], "jsonl": ["image_path", "caption", "text", "label", "url"],
    "coco": ['"images":', '"annotations":', '"image_id":', '"file_name":', '"caption":', '"split":', '"sentences":'],
    "picture": ["<svg", "width=", "height=", "viewBox", "xlink:href", "<!ENTITY", "<!DOCTYPE", "Exif\\x00\\x00", "ICC_PROFILE\\x00"],
    "onnx": [], "gguf": ["general.architecture", "tokenizer.ggml.tokens"],
}


def small_seeds(name):
    """First inputs of formats that the tests write themselves."""
    if name == "tar":
        import io
        import tarfile
        packed = io.BytesIO()
        with tarfile.open(fileobj=packed, mode="w") as archive:
            for member, content in ("a.jpg", b"\xff\xd8\xff"), ("a.txt", b"a dog"), ("b.json", b'{"caption": "x"}'), ("b.cls", b"3"):
                info = tarfile.TarInfo(member)
                info.size = len(content)
                archive.addfile(info, io.BytesIO(content))
            info = tarfile.TarInfo("long/" + "n" * 120 + ".png")
            archive.addfile(info)
        return [packed.getvalue()]
    return {
        "csv": [b"filepath,caption\na.jpg,\"a, \"\"dog\"\"\"\nb.jpg,cat\n", b"image\ttitle\na.jpg\tx\n"],
        "jsonl": [b'{"image_path": "a.jpg", "caption": "a dog"}\n{"image": "b.jpg", "captions": ["x", "y"], "label": 3}\n'],
        "coco": [b'{"images": [{"id": 1, "file_name": "a.jpg"}], "annotations": [{"id": 1, "image_id": 1, "caption": "a dog"}]}',
                 b'{"images": [{"filename": "a.jpg", "split": "test", "sentences": [{"raw": "a dog"}]}]}'],
        "vectors": [b"\x02\x00\x00\x00" + bytes(8) + b"\x02\x00\x00\x00" + bytes(8),
                    b"IxFI" + (2).to_bytes(4, "little") + (1).to_bytes(8, "little") + bytes(16) + b"\x01" + bytes(4)
                    + (2).to_bytes(8, "little") + bytes(8)],
    }.get(name, [])


def seed(name):
    folder = BUILD / "seeds" / name
    folder.mkdir(parents=True, exist_ok=True)
    found = small_seeds(name)
    for place, endings in SEEDS[name]:
        for file in sorted(place.rglob("*")):
            if file.name.endswith(endings) and file.is_file() and 0 < file.stat().st_size <= LARGEST:
                found.append(file.read_bytes())
    for number, content in enumerate(found):
        (folder / f"{number:04}").write_bytes(content)
    words = BUILD / "seeds" / f"{name}.words"
    words.write_text("".join('"{}"\n'.format(word.replace('"', '\\"').replace("\n", "\\x0a")) for word in WORDS.get(name, [])))
    return folder, words


def build():
    """The parsers with libFuzzer, and the sanitizer of addresses where the toolchain has it."""
    command = ["swift", "build", "-c", "release", "--package-path", ROOT, "--scratch-path", BUILD / "build", "--product", "fuzz-parsers",
               "-Xswiftc", "-sanitize=fuzzer,address", "-Xswiftc", "-DFUZZING", "-Xcc", "-fsanitize=address", "-Xlinker", "-lm"]
    if subprocess.run([str(part) for part in command], stdout=sys.stderr).returncode:
        sys.exit("fuzz: the parsers can't be built with libFuzzer; this needs Swift for Linux with its sanitizers")
    return BUILD / "build/release/fuzz-parsers"


def fuzz(program, name, seconds):
    """Runs one parser; returns the inputs that broke it."""
    seeds, words = seed(name)
    corpus, found = BUILD / "corpus" / name, BUILD / "found" / name
    for folder in corpus, found:
        folder.mkdir(parents=True, exist_ok=True)
    before = set(found.iterdir())
    command = [program, corpus, seeds, f"-max_total_time={max(1, round(seconds))}", f"-max_len={LARGEST}", "-timeout=20", "-rss_limit_mb=2560",
               "-malloc_limit_mb=2048", "-print_final_stats=1", "-verbosity=0", f"-artifact_prefix={found}/", f"-dict={words}", "-detect_leaks=0"]
    environment = {**os.environ, "FUZZ_PARSER": name, "FUZZ_TOKENIZERS": str(TESTS / "TokenizersTests/golden"), "VIPS_CONCURRENCY": "1",
                   "ASAN_OPTIONS": "detect_leaks=0:allocator_may_return_null=1:detect_stack_use_after_return=0"}
    done = subprocess.run([str(part) for part in command], capture_output=True, text=True, errors="replace", env=environment)
    runs = re.search(r"number_of_executed_units:\s*(\d+)", done.stderr)
    peak = re.search(r"peak_rss_mb:\s*(\d+)", done.stderr)
    broken = sorted(set(found.iterdir()) - before)
    print(f"fuzz: {name}: {runs[1] if runs else '?'} inputs, {len(list(corpus.iterdir()))} kept, {peak[1] if peak else '?'} MiB at most"
          + (f", BROKEN: {', '.join(str(file) for file in broken)}" if broken else ""), flush=True)
    if broken or done.returncode:
        lines = done.stderr.splitlines()
        shown = [line for line in lines if re.search(r"Fatal|ERROR|SUMMARY|#\d+ 0x|precondition|deadly", line)]
        print("\n".join(shown[:25] or lines[-25:]), flush=True)
    return broken or ([f"{name} ended with {done.returncode}"] if done.returncode else [])


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--minutes", type=float, default=10)
    parser.add_argument("--only", default="", help="parsers, with commas between: " + " ".join(SEEDS))
    parser.add_argument("--sensorium", default=str(ROOT / ".build/release/sensorium"), help="the program whose service is asked")
    parser.add_argument("--program", help="fuzz-parsers as it was built before")
    parser.add_argument("--parsers-only", action="store_true")
    parser.add_argument("--service-only", action="store_true")
    given = parser.parse_args()
    names = [name for name in given.only.split(",") if name] or list(SEEDS)
    if unknown := [name for name in names if name not in SEEDS]:
        sys.exit(f"fuzz: there is no parser {', '.join(unknown)}; there are {', '.join(SEEDS)}")
    isWhole = not given.parsers_only and not given.service_only and not given.only
    seconds, broken = given.minutes * 60, []
    if not given.service_only:
        program = given.program or build()
        for name in names:
            broken += fuzz(program, name, seconds * (0.6 if isWhole else 1) / len(names))
    if isWhole or given.service_only:
        minutes = given.minutes * (0.4 if isWhole else 1)
        done = subprocess.run([sys.executable, ROOT / "tools/fuzz_service.py", "--sensorium", given.sensorium, "--minutes", str(minutes)])
        broken += ["the service"] if done.returncode else []
    print(f"fuzz: {len(broken)} broken: {', '.join(map(str, broken))}" if broken else "fuzz: nothing broke")
    sys.exit(1 if broken else 0)


if __name__ == "__main__":
    main()
