"""Writes Tests/TokenizersTests/golden: a corpus of 10,000 lines, small tokenizers of every kind trained on it, and what
the reference packages make of each line.

    python tools/reference/tokenizer_goldens.py            # tokenizers==0.22.2, sentencepiece==0.2.3, transformers==4.57

Per tokenizer: `NAME.json` or `NAME.model`, `NAME.hashes` (10,000 little-endian 64-bit FNV-1a hashes of ids, tokens,
offsets and special-tokens mask, then 2,000 of decoded texts) and `NAME.lines` (ids and offsets of the first lines).
The real vocabularies (CLIP from open_clip, Chinese BERT from cn_clip) are hashed too when those packages are installed.
"""
import gzip
import importlib.util
import io
import json
import pathlib
import random
import struct
import tempfile
import unicodedata

import sentencepiece
from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers

GOLDEN = pathlib.Path(__file__).resolve().parents[2] / "Tests/TokenizersTests/golden"
SHOWN = 200
DECODED = 2000
NEWLINE = "\u240a"  # stands for a line feed within a line of the corpus

ENGLISH = """the of and a to in is you that it he was for on are as with his they at be this have from or one had by word but
not what all were we when your can said there use an each which she do how their if will up other about out many then them
photograph picture bicycle sunset mountain children playing football beneath an enormous cathedral window don't can't we'll
they've I'd it's o'clock naïve café résumé Zürich São Paulo Ångström coöperate façade jalapeño straße ŒUVRE İstanbul ǅungla
HTTP://example.org/a?b=c&d=1 user@example.com 3.14159 1,024 42nd 1990s $19.99 50% C++ #hashtag @mention v2.0.1-rc3""".split()
CHINESE = """红色的自行车 日落时分的海滩 一只猫坐在窗台上 孩子们在公园里踢足球 北京大学 人工智能 中华人民共和国 我爱你 今天天气很好 山水画
書法藝術 龍年大吉 數碼相機 這是一張照片 他说：“你好，世界！” 《红楼梦》（第一回） 价格：￥１２８．００ 电话１３８００ 東京タワー ひらがなとカタカナ
ﾊﾝｶｸｶﾅ 대한민국 서울특별시 안녕하세요 한국어""".split()
EMOJI = ["😀", "🚲", "🌅", "👨\u200d👩\u200d👧\u200d👦", "👩🏽\u200d🚀", "🏳️\u200d🌈", "🇨🇳", "🇫🇷", "❤️", "☎︎", "1️⃣", "👍🏿", "🧑\u200d🤝\u200d🧑", "🫠", "🪿"]
RTL = ["مرحبا بالعالم", "السَّلَامُ عَلَيْكُمْ", "שָׁלוֹם", "עולם", "\u202babc\u202c", "پارسی ۱۲۳", "ﷺ", "ﻻ"]
MARKS = ["e\u0301", "a\u0308\u0304", "o\u0327\u0301", "q\u0307\u0323", "क्षि", "நி", "ก็", "Z\u0351\u036b\u0343\u036a", "ᄀ\u1161\u11a8", "ᅡ", "\u0301x", "Å", "ﬁ", "ﬃ\u0301",
         "①", "㎏", "½", "ⅷ", "Ω", "Ⅷ", "ª", "ᾳ", "ΣΑΣ", "ǆ", "ſ", "K", "𝒜", "ﾞ", "が", "か\u3099", "각", "가\u11a8", "\u0344", "ཱྀ", "\u1e9b\u0323"]
SPACES = [" ", "  ", "   ", "\t", "\u00a0", "\u3000", "\u2003", "\u200b", "\u2028", "\r", NEWLINE, " " + NEWLINE + " ", NEWLINE + NEWLINE, "\u1680", "\u0085", "\x0b", "\x0c"]
HOSTILE = ["\x00", "\x01", "\x1b[31m", "\x7f", "\ufeff", "\ufffd", "\uffff", "\U0010ffff", "\ue000", "\U000e0041", "\u2581", "▁▁", "</w>", "<0x41>", "<unk>", "##ing",
           "[MASK]", "[CLS]", "<s>", "</s>", "<|endoftext|>", "<|startoftext|>", "<sp>", "<LEFT>", "<right>", "single", "Ġ", "Ċ", "''''", "'S", "'ſ", "'LL", "'ll", "---", "…", "“”‘’", "a" * 60, "Ａ", "ı", "\u0345"]


def corpus():
    rng = random.Random(20240607)

    def scalars(n):
        out = []
        while len(out) < n:
            c = rng.choice([rng.randrange(0x20, 0x250), rng.randrange(0x250, 0x3000), rng.randrange(0x3000, 0x10000), rng.randrange(0x10000, 0x20000), rng.randrange(0x110000)])
            if not 0xD800 <= c < 0xE000:
                out.append(chr(c))
        return "".join(out)

    def word():
        kind = rng.random()
        if kind < 0.40:
            text = rng.choice(ENGLISH)
            return rng.choice([text, text, text, text.upper(), text.title(), text + rng.choice(".,;:!?)")])
        if kind < 0.66:
            text = rng.choice(CHINESE)
            return text if rng.random() < 0.6 else "".join(rng.choice("".join(CHINESE)) for _ in range(rng.randrange(1, 9)))
        if kind < 0.76:
            return "".join(rng.choice(EMOJI) for _ in range(rng.randrange(1, 4)))
        if kind < 0.84:
            return "".join(rng.choice(MARKS) for _ in range(rng.randrange(1, 4)))
        if kind < 0.90:
            return rng.choice(RTL)
        if kind < 0.96:
            return rng.choice(HOSTILE)
        if kind < 0.985:
            return str(rng.randrange(10 ** rng.randrange(1, 12)))
        return scalars(rng.randrange(1, 8))

    lines = ["", " ", "   ", NEWLINE, "a", "\u0301", "<|endoftext|>", " <LEFT> x <right> y"]
    lines += ["ab" * 1500, "漢" * 600, "é" * 700, " " * 900, "a\u0301" * 500, "!" * 800, "Aa1 " * 300, ("x" * 70 + " ") * 10, "👨\u200d" * 100]
    while len(lines) < 10000:
        text = ""
        for _ in range(rng.choice([1, 2, 3, 5, 8, 11])):
            text += word() + (rng.choice(SPACES) if rng.random() < 0.12 else rng.choice(["", " ", " ", " "]))
        lines.append(text.replace("\n", NEWLINE))
    return lines


def fnv(data):
    value = 0xCBF29CE484222325
    for byte in data:
        value = (value ^ byte) * 0x100000001B3 & 0xFFFFFFFFFFFFFFFF
    return value


def record(ids, tokens, offsets, special):
    out = struct.pack(f"<{len(ids)}i", *ids)
    out += b"".join(t.encode() + b"\0" for t in tokens)
    out += b"".join(struct.pack("<ii", a, b) for a, b in offsets) + bytes(special)
    return out


def write(name, lines, encode, decode):
    hashes, shown = [], []
    all_ids = []
    for index, line in enumerate(lines):
        ids, tokens, offsets, special = encode(line)
        hashes.append(fnv(record(ids, tokens, offsets, special)))
        all_ids.append(ids)
        if index < SHOWN and len(ids) < 400:
            shown.append(" ".join(f"{i}:{a}-{b}" for i, (a, b) in zip(ids, offsets)))
        elif index < SHOWN:
            shown.append("-")
    hashes += [fnv(decode(ids).encode()) for ids in all_ids[:DECODED]]
    (GOLDEN / f"{name}.hashes").write_bytes(struct.pack(f"<{len(hashes)}Q", *hashes))
    (GOLDEN / f"{name}.lines").write_text("\n".join(shown) + "\n")
    print(name, len(lines), "lines,", sum(map(len, all_ids)), "tokens")


def with_library(name, lines, make):
    path = GOLDEN / f"{name}.json"
    if not path.exists():  # training breaks ties at random, so what is there stays
        path.write_text(json.dumps(json.loads(make().to_str()), ensure_ascii=True, separators=(",", ":")))
    hash_library(name, lines, Tokenizer.from_file(str(path)))


def hash_library(name, lines, tokenizer):

    def encode(line):
        e = tokenizer.encode(line)
        return e.ids, e.tokens, e.offsets, e.special_tokens_mask

    write(name, lines, encode, lambda ids: tokenizer.decode(ids))


def added():
    return [AddedToken("<sp>", special=True), AddedToken("<LEFT>", lstrip=True, normalized=True), AddedToken("<right>", rstrip=True, normalized=False),
            AddedToken("single", single_word=True, normalized=True), AddedToken("café", normalized=True)]


def clip(text):
    t = Tokenizer(models.BPE(unk_token="<|endoftext|>", end_of_word_suffix="</w>", continuing_subword_prefix=""))
    t.normalizer = normalizers.Sequence([normalizers.NFC(), normalizers.Replace(Regex(r"\s+"), " "), normalizers.Lowercase()])
    t.pre_tokenizer = pre_tokenizers.Sequence([
        pre_tokenizers.Split(Regex(r"'s|'t|'re|'ve|'m|'ll|'d|[\p{L}]+|[\p{N}]|[^\s\p{L}\p{N}]+"), behavior="removed", invert=True),
        pre_tokenizers.ByteLevel(add_prefix_space=False)])
    t.decoder = decoders.ByteLevel()
    t.train_from_iterator(text, trainers.BpeTrainer(vocab_size=1200, special_tokens=["<|startoftext|>", "<|endoftext|>"], end_of_word_suffix="</w>",
                                                    initial_alphabet=pre_tokenizers.ByteLevel.alphabet(), show_progress=False))
    t.post_processor = processors.RobertaProcessing(("<|endoftext|>", 1), ("<|startoftext|>", 0), add_prefix_space=False, trim_offsets=False)
    return t


def gpt2(text):
    t = Tokenizer(models.BPE())
    t.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=True)
    t.decoder = decoders.ByteLevel()
    t.post_processor = processors.ByteLevel(trim_offsets=True)
    t.train_from_iterator(text, trainers.BpeTrainer(vocab_size=1100, special_tokens=["<|endoftext|>"],
                                                    initial_alphabet=pre_tokenizers.ByteLevel.alphabet(), show_progress=False))
    t.add_tokens(added())
    return t


def qwen(text):
    t = Tokenizer(models.BPE(ignore_merges=True))
    t.normalizer = normalizers.NFC()
    pattern = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
    t.pre_tokenizer = pre_tokenizers.Sequence([pre_tokenizers.Split(Regex(pattern), behavior="isolated"), pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)])
    t.decoder = decoders.ByteLevel()
    t.train_from_iterator(text, trainers.BpeTrainer(vocab_size=1000, special_tokens=["<|endoftext|>"],
                                                    initial_alphabet=pre_tokenizers.ByteLevel.alphabet(), show_progress=False))
    t.post_processor = processors.Sequence([processors.ByteLevel(trim_offsets=False), processors.TemplateProcessing(
        single="$A <|endoftext|>", pair="$A $B:1 <|endoftext|>:1", special_tokens=[("<|endoftext|>", 0)])])
    t.add_tokens(added())
    return t


def llama(text):
    t = Tokenizer(models.BPE(unk_token="<unk>", fuse_unk=True, byte_fallback=True))
    t.pre_tokenizer = pre_tokenizers.Metaspace()
    t.train_from_iterator(text, trainers.BpeTrainer(vocab_size=1400, limit_alphabet=500, show_progress=False,
                                                    special_tokens=["<unk>", "<s>", "</s>"] + [f"<0x{b:02X}>" for b in range(256)]))
    state = json.loads(t.to_str())
    state["pre_tokenizer"] = None
    state["added_tokens"] = state["added_tokens"][:3]
    t = Tokenizer.from_str(json.dumps(state))
    t.normalizer = normalizers.Sequence([normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")])
    t.post_processor = processors.TemplateProcessing(single="<s> $A", pair="<s> $A <s>:1 $B:1", special_tokens=[("<s>", 1)])
    t.decoder = decoders.Sequence([decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse(), decoders.Strip(" ", 1, 0)])
    return t


def prefixed(text):
    t = Tokenizer(models.BPE(unk_token="[UNK]", continuing_subword_prefix="##", fuse_unk=False))
    t.normalizer = normalizers.Sequence([normalizers.NFKD(), normalizers.StripAccents(), normalizers.Strip(), normalizers.Nmt()])
    t.pre_tokenizer = pre_tokenizers.Sequence([pre_tokenizers.Whitespace(), pre_tokenizers.Digits(individual_digits=True),
                                               pre_tokenizers.Punctuation("merged_with_previous")])
    t.train_from_iterator(text, trainers.BpeTrainer(vocab_size=900, limit_alphabet=250, special_tokens=["[UNK]", "[CLS]", "[SEP]"], continuing_subword_prefix="##", show_progress=False))
    t.post_processor = processors.BertProcessing(("[SEP]", 2), ("[CLS]", 1))
    t.decoder = decoders.BPEDecoder("##")
    return t


def wordpiece(text):
    t = Tokenizer(models.WordPiece(unk_token="[UNK]"))
    t.normalizer = normalizers.BertNormalizer()
    t.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    t.decoder = decoders.WordPiece()
    t.train_from_iterator(text, trainers.WordPieceTrainer(vocab_size=1500, limit_alphabet=500, special_tokens=["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"], show_progress=False))
    t.post_processor = processors.TemplateProcessing(single="[CLS] $A [SEP]", pair="[CLS] $A [SEP] $B:1 [SEP]:1", special_tokens=[("[CLS]", 2), ("[SEP]", 3)])
    return t


def wordlevel(text):
    t = Tokenizer(models.WordLevel(unk_token="[UNK]"))
    t.normalizer = normalizers.Sequence([normalizers.NFKC(), normalizers.Lowercase(), normalizers.Strip(left=True, right=False), normalizers.Replace("the", "THE the")])
    t.pre_tokenizer = pre_tokenizers.Sequence([pre_tokenizers.WhitespaceSplit(), pre_tokenizers.Split(Regex(r"[\p{Han}]|(?<=\d)[a-z]{1,2}?(?=\S)|[[:punct:]]" .replace("[[:punct:]]", r"\p{P}")), "merged_with_next"),
                                               pre_tokenizers.Punctuation("contiguous"), pre_tokenizers.Digits()])
    t.train_from_iterator(text, trainers.WordLevelTrainer(vocab_size=800, special_tokens=["[UNK]"], show_progress=False))
    t.add_tokens(added())
    return t


def rules():
    """A small charsmap with the quirks of the large ones: multi-scalar keys, deletions, prefixes of each other."""
    table = {chr(c): unicodedata.normalize("NFKC", chr(c)) for c in [*range(0xA0, 0x100), *range(0x2100, 0x2190), *range(0x2460, 0x24B0), *range(0xFB00, 0xFB07), *range(0xFF01, 0xFF60), *range(0x3131, 0x3140)]}
    table = {k: v for k, v in table.items() if k != v}
    for base in "aeiouyAEIOUnc":
        for mark in "\u0300\u0301\u0302\u0308\u0303\u0327":
            joined = unicodedata.normalize("NFC", base + mark)
            if len(joined) == 1:
                table[base + mark] = joined
    table.update({"\t": " ", "\n": " ", "\r": " ", "\u3000": " ", "\u200b": " ", "\ufeff": "", "\x01": "", "\u2028": " ", "かが": "x", "か\u3099": "が", "❤\ufe0f": "<3", "ﷺ": "صلى الله عليه وسلم"})
    return "".join("\t".join([" ".join(f"{ord(c):X}" for c in k), " ".join(f"{ord(c):X}" for c in v)]) + "\n" for k, v in table.items())


def sentence_piece(name, lines, text, **options):
    path = GOLDEN / f"{name}.model"
    with tempfile.TemporaryDirectory() as folder:
        tsv = pathlib.Path(folder) / "rules.tsv"
        tsv.write_text(rules())
        out = io.BytesIO()
        path.exists() or sentencepiece.SentencePieceTrainer.train(sentence_iterator=iter(t for t in text if t.strip()), model_writer=out, vocab_size=1000, character_coverage=0.985,
                                                 normalization_rule_tsv=str(tsv), hard_vocab_limit=False, minloglevel=2, num_threads=1, **options)
    model = path.read_bytes() if path.exists() else out.getvalue()
    path.write_bytes(model)
    processor = sentencepiece.SentencePieceProcessor(model_proto=model)

    def encode(line):
        # The package gives control pieces no place in text, so nothing is special.
        pieces = processor.encode(line, return_type="proto").pieces
        index, scalars = [], -1  # scalar index of every byte and of the end
        for byte in line.encode() + b"\0":
            scalars += byte & 0xC0 != 0x80
            index.append(scalars)
        return [p.id for p in pieces], [p.piece for p in pieces], [(index[p.begin], index[p.end]) for p in pieces], [0] * len(pieces)

    write(name, lines, encode, lambda ids: processor.decode(ids))
    return model


def unigram(text, model):
    """The charsmap and pieces of a SentencePiece model as a library tokenizer."""
    from sentencepiece import sentencepiece_model_pb2

    proto = sentencepiece_model_pb2.ModelProto()
    proto.ParseFromString(model)
    t = Tokenizer(models.Unigram([(p.piece, p.score) for p in proto.pieces], unk_id=0, byte_fallback=False))
    t.normalizer = normalizers.Sequence([normalizers.Precompiled(proto.normalizer_spec.precompiled_charsmap), normalizers.Strip(left=False, right=True), normalizers.Replace(Regex(" {2,}"), "▁")])
    t.pre_tokenizer = pre_tokenizers.Metaspace(prepend_scheme="first")
    t.decoder = decoders.Metaspace(prepend_scheme="first")
    t.post_processor = processors.TemplateProcessing(single="$A </s>", pair="$A </s> $B </s>", special_tokens=[("</s>", 2)])
    t.add_special_tokens(["<s>", "</s>", "<unk>"])
    return t


def real(lines):
    from transformers import BertTokenizerFast, CLIPTokenizerFast

    spec = importlib.util.find_spec("open_clip")
    if spec:
        path = pathlib.Path(spec.submodule_search_locations[0]) / "bpe_simple_vocab_16e6.txt.gz"
        merges = gzip.open(path).read().decode().split("\n")[1 : 49152 - 256 - 2 + 1]
        order = [*range(33, 127), *range(161, 173), *range(174, 256)]
        alphabet = {b: chr(b) for b in order}
        for b in range(256):
            if b not in alphabet:
                alphabet[b] = chr(256 + len(alphabet) - len(order))
        vocab = list(alphabet.values()) + [v + "</w>" for v in alphabet.values()] + ["".join(m.split()) for m in merges] + ["<|startoftext|>", "<|endoftext|>"]
        with tempfile.TemporaryDirectory() as folder:
            folder = pathlib.Path(folder)
            (folder / "vocab.json").write_text(json.dumps({t: i for i, t in enumerate(vocab)}))
            (folder / "merges.txt").write_text("#version: 0.2\n" + "\n".join(merges) + "\n")
            hash_library("real_clip", lines, CLIPTokenizerFast(str(folder / "vocab.json"), str(folder / "merges.txt")).backend_tokenizer)
    spec = importlib.util.find_spec("cn_clip")
    if spec:
        path = pathlib.Path(spec.submodule_search_locations[0]) / "clip/vocab.txt"
        hash_library("real_chinese_bert", lines, BertTokenizerFast(str(path)).backend_tokenizer)


def options():
    """Pairs, truncation and padding over the small tokenizers."""
    first, second = "A photograph 红色的 isn't it?", "  中文 a bicycle 🚲 "
    cases = []
    for name in ["clip", "gpt2", "qwen", "prefixed", "wordpiece"]:
        for strategy in ["longest_first", "only_first"]:
            for direction in ["right", "left"]:
                for maximum in [None, 5, 9, 16]:
                    for pair in [None, second]:
                        for special in [True, False]:
                            t = Tokenizer.from_file(str(GOLDEN / f"{name}.json"))
                            if maximum is not None:
                                t.enable_truncation(maximum, strategy=strategy, direction=direction)
                            t.enable_padding(direction=direction, pad_id=7, pad_type_id=3, pad_token="pad!", length=24 if maximum == 16 else None, pad_to_multiple_of=8 if maximum == 9 else None)
                            try:
                                e = t.encode(first, pair, add_special_tokens=special)
                            except BaseException:
                                continue  # refused by the package: nothing to be equal to
                            state = json.loads(t.to_str())
                            cases.append({"tokenizer": name, "truncation": state["truncation"], "padding": state["padding"], "text": first, "pair": pair, "special": special,
                                          "ids": e.ids, "types": e.type_ids, "mask": e.special_tokens_mask, "attention": e.attention_mask, "offsets": [list(o) for o in e.offsets]})
    (GOLDEN / "options.json").write_text(json.dumps(cases, ensure_ascii=True, separators=(",", ":")))
    print(len(cases), "cases of options")


def scalars():
    """One hash per 4,096 scalars and normaliser, of every scalar between two letters."""
    hashes = []
    for normalizer in [normalizers.NFC(), normalizers.NFD(), normalizers.NFKC(), normalizers.NFKD(), normalizers.Lowercase(), normalizers.BertNormalizer(), normalizers.StripAccents(), normalizers.Nmt()]:
        for start in range(0, 0x110000, 4096):
            text = "".join(normalizer.normalize_str("a" + chr(c) + "b") for c in range(start, start + 4096) if not 0xD800 <= c < 0xE000)
            hashes.append(fnv(text.encode()))
    (GOLDEN / "scalars.hashes").write_bytes(struct.pack(f"<{len(hashes)}Q", *hashes))


def main():
    GOLDEN.mkdir(parents=True, exist_ok=True)
    stored = corpus()
    (GOLDEN / "corpus.txt").write_text("\n".join(stored) + "\n", newline="")
    lines = [line.replace(NEWLINE, "\n") for line in stored]
    text = [line for line in lines[20:4000]]
    for make in [clip, gpt2, qwen, llama, prefixed, wordpiece, wordlevel]:
        with_library(make.__name__, lines, lambda make=make: make(text))
    model = sentence_piece("sentencepiece_unigram", lines, text, model_type="unigram", user_defined_symbols=["<sp>", "自行车"], control_symbols=["<ctl>"])
    sentence_piece("sentencepiece_bpe", lines, text, model_type="bpe", byte_fallback=True, user_defined_symbols=["<sp>"], remove_extra_whitespaces=False, split_digits=True)
    with_library("unigram", lines, lambda: unigram(text, model))
    real(lines)
    options()
    scalars()


main()
