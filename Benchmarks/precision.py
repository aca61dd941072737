"""What rounding the weights costs in quality, on real weights: embeddings of pictures and perplexity of a text.

    python3 Benchmarks/precision.py --sensorium .build/release/sensorium [--pictures FOLDER] [--text FILE] [--formats int8 q4_1]

For each format of `--precision`: the least and the mean cosine of the pictures' embeddings to those of f32, and how many of the ten
nearest neighbours that f32 finds among the pictures are found (recall@10); for the language model the perplexity and its change. Prints a
table and keeps it as results/precision.md and precision.json. Needs numpy alone.
"""
import argparse
import json
import pathlib
import sys
import tempfile

import numpy as np

import turns
from places import photographs

FORMATS = ["bf16", "f16", "int8", "q8_0", "q6_K", "q5_1", "q5_0", "q4_K", "q4_1", "q4_0"]
ENCODERS, LANGUAGE, K = ["dinov2-small", "clip-vit-b16-vision"], "smollm2-135m-instruct", 10
HERE = pathlib.Path(__file__).resolve().parent


def embeddings(program, model, pictures, precision, folder):
    """[pictures, width], of length 1."""
    output = folder / "vectors.npy"
    turns.run([program, "embed", "--model", model, "--precision", precision, "--quiet", "--output", output, "--image", *pictures])
    return np.load(output)


def neighbours(vectors):
    """The ten nearest others of each picture."""
    scores = vectors @ vectors.T
    np.fill_diagonal(scores, -2)
    return [set(row) for row in np.argsort(-scores, axis=1)[:, :K]]


def compare(exact, rounded):
    cosine = (exact * rounded).sum(1)
    found = [len(a & b) / K for a, b in zip(neighbours(exact), neighbours(rounded))]
    return {"least_cosine": float(cosine.min()), "mean_cosine": float(cosine.mean()), "recall_at_10": float(np.mean(found))}


def perplexity(program, text, precision):
    return json.loads(turns.run([program, "eval", "perplexity", "--model", LANGUAGE, "--text", text, "--precision", precision, "--json"]))["perplexity"]


def table(rows, count, base):
    lines = [f"| weights | {' | '.join(f'{m}: cosine, least (mean) | recall@10' for m in ENCODERS)} | {LANGUAGE}: perplexity | change |",
             "| --- " * (2 * len(ENCODERS) + 3) + "|", f"| f32 | {'1 (1) | 1 | ' * len(ENCODERS)}{base:.3f} | |"]
    for row in rows:
        cells = [row["format"]]
        for model in ENCODERS:
            cells += [f"{row[model]['least_cosine']:.4f} ({row[model]['mean_cosine']:.4f})", f"{row[model]['recall_at_10']:.3f}"]
        lines.append(f"| {' | '.join(cells)} | {row['perplexity']:.3f} | {100 * (row['perplexity'] / base - 1):+.2f} % |")
    return "\n".join(lines + ["", f"{count} pictures. The language model's file holds 4 bits (Q4_1): f32 are its values as they stand, other "
                              "formats round them once more, and 8 bits and less meet activations that are rounded to 8 bits."])


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--sensorium", required=True)
    parser.add_argument("--pictures", type=pathlib.Path, help="a folder of pictures (default: the 45 photographs)")
    parser.add_argument("--text", type=pathlib.Path, default=HERE.parent / "Tests/Fixtures/texts/english.txt")
    parser.add_argument("--formats", nargs="+", default=FORMATS)
    given = parser.parse_args()
    pictures = sorted(given.pictures.iterdir()) if given.pictures else photographs()
    if len(pictures) <= K:
        sys.exit(f"{len(pictures)} pictures: recall@{K} needs more than {K}")
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        exact = {model: embeddings(given.sensorium, model, pictures, "f32", folder) for model in ENCODERS}
        base, rows = perplexity(given.sensorium, given.text, "f32"), []
        for precision in given.formats:
            print(f"  {precision}", file=sys.stderr, flush=True)
            found = {model: compare(exact[model], embeddings(given.sensorium, model, pictures, precision, folder)) for model in ENCODERS}
            rows.append({"format": precision, **found, "perplexity": perplexity(given.sensorium, given.text, precision)})
    text = table(rows, len(pictures), base)
    results = HERE / "results"
    results.mkdir(exist_ok=True)
    (results / "precision.md").write_text("# What rounding the weights costs\n\n" + text + "\n")
    (results / "precision.json").write_text(json.dumps({"pictures": len(pictures), "perplexity_f32": base, "rows": rows}, indent=1) + "\n")
    print(text)


if __name__ == "__main__":
    main()
