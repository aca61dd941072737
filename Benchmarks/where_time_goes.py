"""Where our time goes in the works whose aim isn't met, beside the least time that the machine allows: results/profile.md.

    python3 Benchmarks/where_time_goes.py --sensorium .build/release/sensorium [--threads 2]

`machine.c` measures what the machine can do, `perf record` where the program's processor time goes, by the function that ran and
whether attention called it. The least time is that of all arithmetic of the model at the machine's measured peak (matrices in int8
where --precision int8 computes so, the rest in f32), or that of reading its weights once from memory, whichever is longer; no program
that computes the same can be faster. Needs perf, and torch and transformers for the models with random weights.
"""
import collections
import json
import pathlib
import re
import tempfile

import machine
import peers
import text
import turns

# Part of the work -> functions; the first that matches. Attention is what runs below it.
PARTS = {
    "attention": r"attention_range|few_range|sn_attention",
    "integer tiles": r"quant_tile",
    "f32 tiles": r"gemm_tile",
    "dot products of single rows": r"gemm_dots|quant_dots",
    "packing and rounding activations": r"quant_pack|pack_panels|pack_vectors|sn_pack_right|quant_dots_prepare",
    "copying weight rows": r"quant_unpack|sn_left_range|from_half|from_bfloat",
    "placing results, bias, residual": r"transpose|finish|binary_|linear_groups|multiply_blocks",
    "gelu": r"unary_",
    "norms": r"norm|sum_avx|scale_rows",
    "threads that wait": r"take_chunks|await_job|sn_parallel|pthread|futex|worker",
}
WORKS = [("dinov2-small", 1), ("dinov2-small", 16), ("clip-vit-b16-vision", 1), ("clip-vit-b16-vision", 16), ("random-vit-b32", 1),
         ("random-vit-b32", 16)]


def tower(config, batch):
    """Multiply-adds of the layers' matrices, those of attention and of the patches, and the number of weights of a transformer.

    Of the last layer only keys and values are of all tokens, the rest is of the one that is read: ours computes no more.
    """
    width, layers = config["hidden_size"], config["num_hidden_layers"]
    inner = config.get("intermediate_size") or width * config["mlp_ratio"]
    weights = layers * width * (4 * width + 2 * inner)
    if "patch_size" not in config:
        tokens, patches = text.TOKENS, 0
    else:
        patches = (224 // config["patch_size"]) ** 2
        tokens = patches + 1
    spared = (tokens - 1) * width * (2 * width + 2 * inner)
    return {"matrices": batch * (tokens * weights - spared), "attention": batch * (layers - 1) * 2 * tokens * tokens * width,
            "patches": batch * patches * 3 * config.get("patch_size", 0) ** 2 * width, "weights": weights}


def limits(given, folder):
    """threads -> the machine's GFLOP/s, int8 GOP/s and GB/s from memory."""
    program, found = folder / "machine", {}
    turns.run([machine.compiler(), "-O3", "-march=native", "-ffp-contract=fast", "-o", program, pathlib.Path(__file__).with_name("machine.c"),
               "-lpthread"])
    for threads in turns.thread_counts(given):
        lines = [json.loads(line) for line in turns.run([program, threads]).splitlines()]
        found[threads] = {key: next((line["value"] for line in lines if line["what"] == what), None) for key, what in
                          {"f32": "f32 multiply-add", "int8": "int8 dot product", "memory": "reading memory"}.items()}
    return found


def least(work, peak, int8):
    """Milliseconds that arithmetic at the peak takes, and that reading the weights does."""
    integer = 2 * work["matrices"] / peak["int8"] / 1e6 if int8 and peak["int8"] else 2 * work["matrices"] / peak["f32"] / 1e6
    other = 2 * (work["attention"] + work["patches"]) / peak["f32"] / 1e6
    return integer + other, work["weights"] * (1 if int8 else 4) / peak["memory"] / 1e6


def profile(command, folder):
    """Share of the samples of each part, and the largest functions of the rest."""
    data = folder / "perf.data"
    turns.run(["perf", "record", "--quiet", "--freq", "2999", "--call-graph", "fp", "--output", data, *command])
    told = turns.run(["perf", "script", "--input", data, "--fields", "ip,sym"])
    parts, rest = collections.Counter(), collections.Counter()
    for sample in re.split(r"\n\s*\n", told.strip()):
        frames = [line.split(None, 1)[1] for line in sample.splitlines() if len(line.split(None, 1)) == 2]
        if not frames:
            continue
        above = any(re.search(PARTS["attention"], frame) for frame in frames)
        part = "attention" if above else next((name for name, pattern in PARTS.items() if re.search(pattern, frames[0])), "the rest")
        parts[part] += 1
        if part == "the rest":
            rest[frames[0]] += 1
    total = sum(parts.values())
    return [(name, count / total) for name, count in parts.most_common()], [(name, count / total) for name, count in rest.most_common(3)]


def command_of(given, model, batch, threads, precision, rounds):
    if batch is None:
        return [given.sensorium, "benchmark", "text", "--model", model, "--text", text.QUERY, "--threads", threads, "--rounds", rounds]
    return [given.sensorium, "benchmark", "encoder", "--model", model, "--batch", batch, "--threads", threads, "--rounds", rounds,
            "--precision", precision]


def milliseconds(given, model, batch, threads, precision, rounds):
    """The median of the program's own, in milliseconds a run."""
    found = json.loads(turns.run(command_of(given, model, batch, threads, precision, rounds)))
    return 1e3 * found["median_seconds"] if batch is None else 1e3 * batch / found["pictures_per_second"]


def works(folder):
    """Name, model, batch (None: a text), precision, multiply-adds."""
    for name, batch in WORKS:
        model = str(peers.random_model(folder / "vit")) if name == "random-vit-b32" else name
        config = json.loads((peers.folder_of(model) / "config.json").read_text())
        for precision in "f32", "int8":
            yield f"{name}, {precision}, batch {batch}", model, batch, precision, tower(config, batch)
    model = peers.random_text_model(folder / "text")
    yield f"CLIP text, {text.TOKENS} tokens, f32", str(model), None, "f32", tower(json.loads((model / "config.json").read_text()), 1)


def section(given, folder, work, peaks):
    """The text about one work: a line for the table for each number of threads, and the profile of one thread."""
    name, model, batch, precision, operations = work
    rounds = 100 if batch is None else max(2, 24 // batch)
    lines = []
    for threads, peak in peaks.items():
        taken = turns.median([milliseconds(given, model, batch, threads, precision, rounds) for _ in range(given.rounds)])
        arithmetic, reading = least(operations, peak, precision == "int8")
        floor = max(arithmetic, reading)
        lines.append(f"| {name} | {threads} | {taken:.2f} | {arithmetic:.2f} | {reading:.2f} | {floor / taken:.0%} |")
    parts, rest = profile(command_of(given, model, batch, 1, precision, rounds), folder)
    told = ", ".join(f"{part} {share:.1%}" for part, share in parts if share >= 0.005)
    return lines, f"- {name}: {told}. The largest of the rest: " + ", ".join(f"`{symbol}` {share:.1%}" for symbol, share in rest) + "."


def main():
    given = turns.parse(turns.options(__doc__.partition("\n")[0], rounds=3, quick_rounds=1))
    with tempfile.TemporaryDirectory() as temporary:
        folder = pathlib.Path(temporary)
        peaks = limits(given, folder)
        told = [section(given, folder, work, peaks) for work in works(folder)]
    machine_says = "; ".join(f"{threads} thread{'s' if threads > 1 else ''}: {peak['f32']:.0f} GFLOP/s, "
                             + (f"{peak['int8']:.0f} GOP/s in int8, " if peak["int8"] else "") + f"{peak['memory']:.1f} GB/s from memory"
                             for threads, peak in peaks.items())
    heads = ["work", "threads", "ours, ms", "arithmetic at the peak, ms", "weights from memory, ms", "of the limit"]
    result = "\n".join([f"# Where the time goes, on {turns.processor()}", "", f"`Benchmarks/where_time_goes.py` writes this file. {machine_says}.",
                        "", "| " + " | ".join(heads) + " |", "| " + " | ".join(["---"] * len(heads)) + " |",
                        *(line for lines, _ in told for line in lines), "", "Shares of the processor's time with one thread:", "",
                        *(parts for _, parts in told), ""])
    (pathlib.Path(__file__).with_name("results") / "profile.md").write_text(result)
    print(result)


if __name__ == "__main__":
    main()
