"""Tiny tokenizers trained on golden.CORPUS, in the file layouts of the real ones."""
import json
import unicodedata

from tokenizers import Regex, Tokenizer, models, normalizers, pre_tokenizers, trainers

from golden import CORPUS, write_json

CLIP_PATTERN = r"'s|'t|'re|'ve|'m|'ll|'d|[\p{L}]+|[\p{N}]|[^\s\p{L}\p{N}]+"


def clip_files(folder, merges=180):
    """vocab.json and merges.txt in CLIP's order: 256 bytes, 256 bytes that end a word, merges, start, end."""
    tokenizer = Tokenizer(models.BPE(end_of_word_suffix="</w>"))
    tokenizer.normalizer = normalizers.Sequence([normalizers.NFC(), normalizers.Lowercase()])
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence([
        pre_tokenizers.Split(Regex(CLIP_PATTERN), behavior="removed", invert=True),
        pre_tokenizers.ByteLevel(add_prefix_space=False),
    ])
    trainer = trainers.BpeTrainer(vocab_size=4000, min_frequency=2, end_of_word_suffix="</w>", show_progress=False)
    tokenizer.train_from_iterator(CORPUS, trainer)
    learned = json.loads(tokenizer.to_str())["model"]["merges"][:merges]
    learned = [tuple(pair) if isinstance(pair, list) else tuple(pair.split(" ")) for pair in learned]
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
    """vocab.txt: specials, Chinese characters and WordPiece units learned from the corpus."""
    lines = []
    for line in CORPUS:  # BERT's own split: every ideograph stands alone
        line = unicodedata.normalize("NFD", line.lower())
        line = "".join(c for c in line if unicodedata.category(c) != "Mn")
        lines.append("".join(f" {c} " if "一" <= c <= "鿿" else c for c in line))
    tokenizer = Tokenizer(models.WordPiece(unk_token="[UNK]"))
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    trainer = trainers.WordPieceTrainer(vocab_size=size, min_frequency=1, special_tokens=[], show_progress=False)
    tokenizer.train_from_iterator(lines, trainer)
    learned = sorted(tokenizer.get_vocab().items(), key=lambda item: item[1])
    # Leaving out emoji and the full-width letters keeps the unknown token in use.
    learned = [token for token, _ in learned if not any(ord(c) >= 0xFE00 for c in token)]
    tokens = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"] + learned
    (folder / "vocab.txt").write_text("\n".join(tokens) + "\n", encoding="utf-8")
    return tokens
