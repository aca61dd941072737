"""Writes Tests/Fixtures/real/smollm2_135m.safetensors: what the peers make of SmolLM2-135M-Instruct's GGUF file.

    python tools/reference/language_model.py FILE.gguf

Tokens of the first lines of the tokenizers' corpus by llama.cpp, as 64-bit FNV-1a hashes; logits of transformers with the file's
weights read back to f32; the perplexity of Tests/Fixtures/texts/english.txt and greedy continuations by both. llama.cpp rounds
activations to 8 bits, so its numbers differ from those of f32 by that.
"""
import hashlib
import json
import math
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))

import numpy as np
import torch
from llama_cpp import Llama
from transformers import AutoModelForCausalLM

from golden import ROOT, save_file, versions

SHA256 = "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53"
LINES = 3000
CONTEXT = 512
EVERY = 48  # of the vocabulary's columns one is kept
PROMPTS = ["The sea is", "A pencil is made of", "<|im_start|>user\nName three fruits.<|im_end|>\n<|im_start|>assistant\n"]
LENGTH = 24


def fnv(ids):
    value = 0xCBF29CE484222325
    for token in ids:
        for byte in int(token).to_bytes(4, "little"):
            value = (value ^ byte) * 0x100000001B3 % 2**64
    return value


def perplexity(logits_of, ids):
    """`logits_of` gives [tokens, vocabulary] of a window; windows don't overlap, their first tokens aren't scored."""
    total, count = 0.0, 0
    for start in range(0, len(ids), CONTEXT):
        window = ids[start : start + CONTEXT]
        if len(window) > 1:
            logits = torch.log_softmax(torch.as_tensor(logits_of(window)).double(), -1)[:-1]
            total -= logits[range(len(window) - 1), window[1:]].sum().item()
            count += len(window) - 1
    return math.exp(total / count), count


def main():
    path = Path(sys.argv[1])
    if hashlib.sha256(path.read_bytes()).hexdigest() != SHA256:
        raise SystemExit(f"{path} isn't the file that the catalogue pins")
    peer = Llama(str(path), n_ctx=2048, logits_all=True, verbose=False, n_threads=1, n_threads_batch=1, seed=0)
    exact = AutoModelForCausalLM.from_pretrained(path.parent, gguf_file=path.name, dtype=torch.float32, attn_implementation="eager").eval()
    arrays, notes = {}, {"prompts": PROMPTS, "context": CONTEXT, "every": EVERY}

    corpus = (ROOT / "Tests/TokenizersTests/golden/corpus.txt").read_bytes().decode().split("\n")[:LINES]
    hashes = [fnv(peer.tokenize(line.replace("\u240a", "\n").encode(), add_bos=False, special=True)) for line in corpus]
    arrays["hashes"] = torch.from_numpy(np.array(hashes, dtype=np.uint64).view(np.int64))

    def by_peer(ids):
        peer.reset()
        peer.eval(ids)
        return np.array(peer.scores[: len(ids)])

    def by_exact(ids):
        return exact(torch.tensor([ids])).logits[0]

    text = (ROOT / "Tests/Fixtures/texts/english.txt").read_text()
    ids = peer.tokenize(text.encode(), add_bos=False, special=True)
    arrays["text_ids"] = torch.tensor(ids, dtype=torch.int32)
    notes["perplexity_llama_cpp"], notes["scored"] = perplexity(by_peer, ids)
    notes["perplexity_transformers"], _ = perplexity(by_exact, ids)

    def greedy(logits_of, prompt):
        row = list(prompt)
        while len(row) < len(prompt) + LENGTH:
            row.append(int(np.argmax(logits_of(row)[-1])))
        return row[len(prompt):]

    for index, prompt in enumerate(PROMPTS):
        row = peer.tokenize(prompt.encode(), add_bos=False, special=True)
        arrays[f"prompt.{index}"] = torch.tensor(row, dtype=torch.int32)
        arrays[f"logits.{index}"] = by_exact(row)[:, ::EVERY]
        arrays[f"greedy.{index}"] = torch.tensor(greedy(by_exact, row), dtype=torch.int32)
        arrays[f"greedy_llama_cpp.{index}"] = torch.tensor(greedy(by_peer, row), dtype=torch.int32)
    notes["versions"] = versions("gguf", "llama-cpp-python")
    save_file({name: array.contiguous() for name, array in arrays.items()}, ROOT / "Tests/Fixtures/real/smollm2_135m.safetensors",
              {name: json.dumps(note) for name, note in notes.items()})
    print({name: note for name, note in notes.items() if "perplexity" in name}, len(ids), "tokens")


if __name__ == "__main__":
    main()
