"""Milliseconds for one query of twelve tokens through CLIP's text tower: ours against transformers with torch and onnxruntime.

    python3 Benchmarks/text.py [--threads 2]

The tower of ViT-B/32 at full size with random weights. Splitting the text into tokens isn't measured. open_clip, clip-retrieval and
CLIP's own code fill every text up to 77 tokens; the first row of each pair is against the peers used so. A causal tower needs no such
filling, and ours does none: the second row is against the same peers given the bare twelve tokens. First all vectors must agree.
"""
import contextlib
import json
import pathlib
import tempfile
import warnings

import numpy as np

import conversation
import peers
import turns

AIM = 3
QUERY = "a photograph of a small brown dog on the beach"
TOKENS, FULL = 12, 77
SECONDS = 0.5


def tokens_of(folder):
    from transformers import CLIPTokenizerFast
    tokenizer = CLIPTokenizerFast.from_pretrained(folder)
    bare = tokenizer(QUERY)["input_ids"]
    if len(bare) != TOKENS:
        raise turns.Failed(f"the query has {len(bare)} tokens")
    # Zeros behind the end of text, as open_clip; nothing that counts can see them.
    return {"12 tokens": bare, "padded to 77": bare + [0] * (FULL - TOKENS)}


def export(folder, graph, ids):
    """A graph for texts of that many tokens."""
    import torch
    from transformers import CLIPTextModelWithProjection

    class Tower(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.tower = CLIPTextModelWithProjection.from_pretrained(folder).eval()

        def forward(self, ids):
            return self.tower(input_ids=ids).text_embeds

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.onnx.export(Tower(), (torch.tensor([ids]),), str(graph), input_names=["ids"], output_names=["vectors"], opset_version=17,
                          dynamo=False)


def check(given, model, folder, ids, others):
    turns.run([given.sensorium, "embed", "--model", model, "--raw", "--quiet", "--output", folder / "ours.npy", "--text", QUERY])
    ours, worst = np.load(folder / "ours.npy"), 1.0
    for name, (kind, peer) in others.items():
        worst = min(worst, peers.cosines(ours, [peer.ask("vector", ids=ids[kind])["vector"]]).min())
    if not worst > 0.9999:
        raise turns.Failed(f"vectors differ, cosine {worst:.6f}")
    return f"CLIP text: vectors agree with the peers', padded or not: cosine >= {worst:.7f}"


def ours(given, model, threads, rounds):
    found = turns.measured([given.sensorium, "benchmark", "text", "--model", model, "--text", QUERY, "--threads", threads,
                            "--rounds", rounds])
    told = json.loads(found["output"])
    if told["tokens"] != TOKENS:
        raise turns.Failed(f"ours makes {told['tokens']} tokens of the query")
    return {"seconds": told["median_seconds"], "memory": found["memory"]}


def measure(given, report, folder):
    model = peers.random_text_model(folder / "model")
    ids = tokens_of(model)
    graphs = {kind: folder / f"{len(tokens)}.onnx" for kind, tokens in ids.items()}
    for kind, graph in graphs.items():
        export(model, graph, ids[kind])
    for threads in turns.thread_counts(given):
        starters = {}
        for kind, graph in graphs.items():
            for name, place in ("torch", model), ("onnxruntime", graph):
                starters[f"{name}, {kind}"] = (lambda name=name, place=place: conversation.Peer(
                    "text_peer.py", name, place, threads, threads=threads))
        with contextlib.ExitStack() as stack:
            started, missing = conversation.start(stack, starters)
            others = {name: (name.partition(", ")[2], peer) for name, peer in started.items()}
            if threads == 1:
                report.remark(check(given, model, folder, ids, others))
            rounds = {name: max(5, round((0.1 if given.quick else SECONDS) / peer.ask("time", ids=ids[kind], rounds=3)["seconds"]))
                      for name, (kind, peer) in others.items()}
            ways = {"ours": lambda: ours(given, model, threads, max([*rounds.values(), 20]))}
            ways |= {name: (lambda name=name, kind=kind, peer=peer: peer.ask("time", ids=ids[kind], rounds=rounds[name]))
                     for name, (kind, peer) in others.items()}
            results, disturbed = turns.in_turn(ways, given.rounds, given.patience, f"CLIP text, threads {threads}")
            for kind in reversed(ids):
                report.add(line(kind, threads, results, missing, disturbed))


def line(kind, threads, results, missing, disturbed):
    chosen = {name.partition(",")[0]: found for name, found in results.items() if name == "ours" or name.endswith(kind)}
    seconds = {name: turns.median(found, "seconds") * 1000 for name, found in chosen.items()}
    memory = {name: turns.median(found, "memory") for name, found in chosen.items()}
    return turns.row(f"CLIP text B/32, a query of {TOKENS} tokens, peers with {kind}", "time", seconds.pop("ours"), seconds, "ms",
                     lower_is_better=True, disturbed=disturbed, aim=AIM, threads=threads, memory=memory,
                     missing={name.partition(",")[0]: why for name, why in missing.items() if name.endswith(kind)})


def main():
    given = turns.parse(turns.options(__doc__.partition("\n")[0], rounds=5, quick_rounds=1))
    report = turns.Report(given)
    report.remark(f"CLIP text: median of {given.rounds} rounds in turn")
    with report.part("CLIP text"), tempfile.TemporaryDirectory() as folder:
        measure(given, report, pathlib.Path(folder))
    report.finish()


if __name__ == "__main__":
    main()
