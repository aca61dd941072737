"""Tokens per second of a small language model in 4 bits: ours against llama.cpp on the same GGUF file.

    python3 Benchmarks/language.py [--model smollm2-135m-instruct] [--threads 2]

SmolLM2-135M-Instruct in Q4_1: reading a prompt of about 512 tokens (the beginning of "Alice's Adventures in Wonderland", as many whole
words as fit), and generating 128 more one by one, always the likeliest. First both continue three short prompts, and must begin alike;
both round activations in ways of their own, so that a text may part from the other at a close choice.
"""
import json
import os
import pathlib

import conversation
import places
import turns

PROMPT, GENERATED = 512, 128
SHORT = ["The capital of France is", "Water boils at", "Once upon a time there was"]
ALIKE = 10  # characters that both continue with


def weights(model):
    """The GGUF file itself, or that of a model that `sensorium models pull` fetched."""
    if os.path.isfile(model):
        return pathlib.Path(model)
    found = sorted(places.folder_of(model).glob("*.gguf"))
    if not found:
        raise turns.Failed(f"{model} holds no GGUF file")
    return found[0]


def ours(given, model, text, limit, threads):
    found = turns.measured([given.sensorium, "generate", "--json", "--model", model, "--temperature", 0, "--tokens", limit, text],
                           SENSORIUM_THREADS=str(threads))
    return {**json.loads(found["output"].splitlines()[-1]), "memory": found["memory"]}


def check(given, model, peer):
    alike = []
    for text in SHORT:
        mine, theirs = ours(given, model, text, 32, 1), peer.ask("generate", text=text, limit=32)
        if mine["prompt_tokens"] != theirs["prompt_tokens"]:
            raise turns.Failed(f"{text!r} has {mine['prompt_tokens']} tokens with us and {theirs['prompt_tokens']} with llama.cpp")
        common = os.path.commonprefix([mine["text"].strip(), theirs["text"].strip()])
        if len(common) < min(ALIKE, len(theirs["text"].strip())):
            raise turns.Failed(f"{text!r} continues as {mine['text']!r} with us and as {theirs['text']!r} with llama.cpp")
        alike.append(f"{len(common)} of {len(theirs['text'].strip())}")
    return f"language model: characters of 32 tokens that are the same as llama.cpp's before the first difference: {', '.join(alike)}"


def measure(given, report, model):
    story = pathlib.Path(__file__).with_name("prompt.txt").read_text()
    for threads in turns.thread_counts(given):
        with conversation.Peer("language_peer.py", model, threads, threads=threads) as peer:
            if threads == 1:
                report.remark(check(given, model, peer))
            prompt = peer.ask("prompt", text=story, count=64 if given.quick else PROMPT)
            ways = {"ours": lambda: ours(given, model, prompt["text"], GENERATED, threads),
                    "llama.cpp": lambda: peer.ask("generate", text=prompt["text"], limit=GENERATED)}
            results, disturbed = turns.in_turn(ways, given.rounds, given.patience, f"language model, threads {threads}")
            memory = {name: turns.median(found, "memory") for name, found in results.items()}
            for what, key in ((f"a prompt of {prompt['tokens']} tokens", "prompt_tokens_per_second"),
                              ("generating", "tokens_per_second")):
                speed = {name: turns.median(found, key) for name, found in results.items()}
                report.add(turns.row(f"{model.stem}, {what}", "speed", speed.pop("ours"), speed, "tokens/s", disturbed=disturbed, aim=1.0,
                                     threads=threads, memory=memory))


def main():
    parser = turns.options(__doc__.partition("\n")[0], rounds=5, quick_rounds=1)
    parser.add_argument("--model", default="smollm2-135m-instruct", help="a GGUF file, or a name of the catalogue")
    given = turns.parse(parser)
    report = turns.Report(given)
    report.remark(f"language model: median of {given.rounds} rounds in turn")
    with report.part("language model"):
        measure(given, report, weights(given.model))
    report.finish()


if __name__ == "__main__":
    main()
