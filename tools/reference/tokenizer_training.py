"""Tiny tokenizers trained on golden.CORPUS, in the file layouts of the real ones."""
import collections
import json
import re
import tempfile
import unicodedata
from pathlib import Path

import sentencepiece
from sentencepiece.sentencepiece_model_pb2 import ModelProto
from tokenizers import Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors

from golden import CORPUS

CLIP_PATTERN = r"'s|'t|'re|'ve|'m|'ll|'d|[\p{L}]+|[\p{N}]|[^\s\p{L}\p{N}]+"


def learn_merges(words, limit):
    """Plain BPE over words given as tuples of symbols: the most frequent pair first, ties in alphabetical order.

    The trainers of `tokenizers` break ties differently from run to run.
    """
    words, learned = collections.Counter(words), []
    while len(learned) < limit:
        pairs = collections.Counter()
        for word, count in words.items():
            for pair in zip(word, word[1:]):
                pairs[pair] += count
        best = min(pairs, key=lambda pair: (-pairs[pair], pair), default=None)
        if best is None or pairs[best] < 2:
            break
        learned.append(best)
        merged = collections.Counter()
        for word, count in words.items():
            merged[joined(word, best)] += count
        words = merged
    return learned


def joined(word, pair):
    result, index = [], 0
    while index < len(word):
        found = word[index : index + 2] == pair
        result.append("".join(pair) if found else word[index])
        index += 2 if found else 1
    return tuple(result)


def clip_files(folder, merges=180):
    """vocab.json and merges.txt in CLIP's order: 256 bytes, 256 bytes that end a word, merges, start, end."""
    normalizer = normalizers.Sequence([normalizers.NFC(), normalizers.Lowercase()])
    splitter = pre_tokenizers.Sequence([
        pre_tokenizers.Split(Regex(CLIP_PATTERN), behavior="removed", invert=True),
        pre_tokenizers.ByteLevel(add_prefix_space=False),
    ])
    words = [word for line in CORPUS for word, _ in splitter.pre_tokenize_str(normalizer.normalize_str(line))]
    learned = learn_merges([(*word[:-1], word[-1] + "</w>") for word in words], merges)
    letters = clip_bytes()
    tokens = letters + [letter + "</w>" for letter in letters] + ["".join(pair) for pair in learned]
    tokens = list(dict.fromkeys(tokens)) + ["<|startoftext|>", "<|endoftext|>"]
    vocabulary = {token: index for index, token in enumerate(tokens)}
    (folder / "vocab.json").write_text(json.dumps(vocabulary, ensure_ascii=False), encoding="utf-8")
    lines = ["#version: 0.2"] + [" ".join(pair) for pair in learned]
    (folder / "merges.txt").write_text("\n".join(lines) + "\n", encoding="utf-8")
    return vocabulary


def clip_bytes():
    """The 256 printable stand-ins for bytes, in the order of OpenAI's vocabulary."""
    kept = [*range(33, 127), *range(161, 173), *range(174, 256)]
    others = [byte for byte in range(256) if byte not in kept]
    return [chr(byte) for byte in kept] + [chr(256 + index) for index in range(len(others))]


def bert_vocabulary(folder, size=800):
    """vocab.txt: specials, characters, then whole words and word ends of the corpus, most frequent first.

    Counted here for the same reason as in `learn_merges`.
    """
    words = collections.Counter()
    for line in CORPUS:
        line = unicodedata.normalize("NFD", line.lower())
        line = "".join(c for c in line if unicodedata.category(c) != "Mn")
        words.update(re.findall(r"[一-鿿]|[^\W\d_一-鿿]+|\d+|[^\w\s]", line))
    # Leaving out emoji and the full-width letters keeps the unknown token in use.
    words = collections.Counter({word: n for word, n in words.items() if all(ord(c) < 0xFE00 for c in word)})
    pieces = collections.Counter()
    for word, count in words.items():
        for cut in range(1, len(word)):
            pieces["##" + word[cut:]] += count
            pieces[word[:cut]] += count
    characters = sorted({c for word in words for c in word})
    ends = ["##" + c for c in characters if not "一" <= c <= "鿿" and c.isalnum()]

    def ranked(counter):
        return [piece for piece, count in sorted(counter.items(), key=lambda item: (-item[1], item[0])) if count >= 2]

    tokens = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"] + characters + ends + ranked(words) + ranked(pieces)
    tokens = list(dict.fromkeys(tokens))[:size]
    (folder / "vocab.txt").write_text("\n".join(tokens) + "\n", encoding="utf-8")
    return tokens


# Full-width letters, the ideographic space and two ligatures: a small share of what NMT-NFKC does.
CHARACTER_MAP = {0x3000: " ", 0xFF0C: ",", 0xFB01: "fi", 0xFB02: "fl"} | {0xFF21 + i: chr(65 + i) for i in range(26)} | {
    0xFF41 + i: chr(97 + i) for i in range(26)}


def sentencepiece_model(folder, size=300):
    """spiece.model in T5's order (pad, end, unknown, pieces), Unigram, with a small precompiled character map."""
    with tempfile.TemporaryDirectory() as scratch:
        rules = Path(scratch) / "rules.tsv"
        rules.write_text("".join(f"{source:X}\t{' '.join(f'{ord(c):X}' for c in target)}\n" for source, target in sorted(CHARACTER_MAP.items())))
        sentencepiece.SentencePieceTrainer.train(
            sentence_iterator=iter(line.lower() for line in CORPUS * 3), model_prefix=str(Path(scratch) / "spiece"), vocab_size=size,
            model_type="unigram", pad_id=0, eos_id=1, unk_id=2, bos_id=-1, pad_piece="<pad>", hard_vocab_limit=False, num_threads=1,
            character_coverage=0.99, normalization_rule_tsv=str(rules), minloglevel=2)
        model = ModelProto.FromString((Path(scratch) / "spiece.model").read_bytes())
    # The trainer notes where it read and wrote; a golden doesn't depend on that.
    model.trainer_spec.ClearField("model_prefix")
    model.normalizer_spec.ClearField("normalization_rule_tsv")
    (folder / "spiece.model").write_bytes(model.SerializeToString(deterministic=True))


def gemma_file(folder, lowercase, merges=260):
    """tokenizer.json as Gemma's: BPE over characters with byte fallback, spaces as ▁, end token appended."""
    replace = normalizers.Replace(" ", "▁")
    normalizer = normalizers.Sequence([normalizers.Lowercase(), replace]) if lowercase else replace
    words = [tuple(word) for line in CORPUS for word in re.findall("▁?[^▁]+|▁", normalizer.normalize_str(line))]
    learned = learn_merges(words, merges)
    letters = sorted({c for line in CORPUS for c in line.replace(" ", "▁") if ord(c) < 0xFE00 and c not in "足球赛花"})
    learned = [pair for pair in learned if all(c in letters for part in pair for c in part)]
    tokens = ["<pad>", "<eos>", "<bos>", "<unk>"] + [f"<0x{byte:02X}>" for byte in range(256)] + letters + ["".join(pair) for pair in learned]
    vocabulary = {token: index for index, token in enumerate(dict.fromkeys(tokens))}
    tokenizer = Tokenizer(models.BPE(vocabulary, learned, unk_token="<unk>", fuse_unk=True, byte_fallback=True))
    tokenizer.add_special_tokens(["<pad>", "<eos>", "<bos>", "<unk>"])
    tokenizer.normalizer = normalizer
    tokenizer.pre_tokenizer = pre_tokenizers.Split(" ", "merged_with_previous")
    tokenizer.decoder = decoders.Sequence([decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse()])
    tokenizer.post_processor = processors.TemplateProcessing("$A:0 <eos>:0", "$A:0 <eos>:0 $B:1 <eos>:1", [("<eos>", 1)])
    tokenizer.save(str(folder / "tokenizer.json"))
