"""Writes Sources/Input/Tokenizers/UnicodeTables.swift.

The Python `tokenizers` package answers questions about characters with five libraries of different Unicode versions
(Oniguruma, Rust's core and regex, unicode_categories, unicode-normalization-alignments). Equality with it, scalar by
scalar, therefore needs its own answers: this script asks the package itself about every scalar and stores what it says.

    python tools/reference/unicode_tables.py        # tokenizers==0.22.2
"""
import pathlib
import unicodedata

from tokenizers import Regex, normalizers, pre_tokenizers

SCALARS = [c for c in range(0x110000) if not 0xD800 <= c < 0xE000]
CATEGORIES = ["Lu", "Ll", "Lt", "Lm", "Lo", "Mn", "Mc", "Me", "Nd", "Nl", "No", "Pc", "Pd", "Ps", "Pe", "Pi", "Pf", "Po",
              "Sm", "Sc", "Sk", "So", "Zs", "Zl", "Zp", "Cc", "Cf", "Co", "Cn"]
SCRIPTS = ["Arabic", "Armenian", "Bengali", "Bopomofo", "Cyrillic", "Devanagari", "Ethiopic", "Georgian", "Greek",
           "Gujarati", "Hangul", "Han", "Hebrew", "Hiragana", "Katakana", "Khmer", "Lao", "Latin", "Mongolian",
           "Myanmar", "Tamil", "Telugu", "Thai", "Tibetan"]
ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"


def number(n):
    """Base 32, low digits first; a digit of 32 or more says that another follows."""
    out = ""
    while True:
        low, n = n & 31, n >> 5
        out += ALPHABET[low | (32 if n else 0)]
        if not n:
            return out


def matches(pattern):
    probe = normalizers.Replace(Regex(pattern), "")
    return {c for c in SCALARS if probe.normalize_str(chr(c)) == ""}


def runs(members):
    """Lengths of alternating runs over 0...0x10FFFF, the first one outside the set."""
    out, inside, start = [], False, 0
    for c in range(0x110000):
        if (c in members) != inside:
            out.append(c - start)
            inside, start = not inside, c
    out.append(0x110000 - start)
    return "".join(map(number, out))


def category_runs():
    of = {}
    for index, name in enumerate(CATEGORIES):
        for c in matches(rf"\p{{{name}}}"):
            of.setdefault(c, index)
    cn = CATEGORIES.index("Cn")
    out, start = "", 0
    for c in range(1, 0x110001):
        if c == 0x110000 or of.get(c, cn) != of.get(start, cn):
            out += number(c - start) + number(of.get(start, cn))
            start = c
    return out


def mapping(entries):
    out, last = "", 0
    for c in sorted(entries):
        text = entries[c]
        out += number(c - last) + number(len(text)) + "".join(number(ord(x)) for x in text)
        last = c
    return out


def changed(normalizer):
    out = {}
    for c in SCALARS:
        text = normalizer.normalize_str("a" + chr(c) + "b")
        if text != "a" + chr(c) + "b":
            out[c] = text[1:-1]
    return out


def combining_classes():
    nfd, out, last = normalizers.NFD(), "", 0
    for c in SCALARS:
        value = unicodedata.combining(chr(c))
        if value and (value == 240 or nfd.normalize_str("a\u0345" + chr(c)) == "a" + chr(c) + "\u0345"):
            out += number(c - last) + number(value)
            last = c
    return out


def compositions():
    nfc, pairs = normalizers.NFC(), []
    for c in SCALARS:
        parts = unicodedata.decomposition(chr(c)).split()
        if len(parts) == 2 and not parts[0].startswith("<"):
            first, second = (int(p, 16) for p in parts)
            if nfc.normalize_str(chr(first) + chr(second)) == chr(c):
                pairs.append((first, second, c))
    out, last = "", 0
    for first, second, c in sorted(pairs):
        out += number(first - last) + number(second) + number(c)
        last = first
    return out


def main():
    def splits(pre_tokenizer):
        return {c for c in SCALARS if len(pre_tokenizer.pre_tokenize_str("a" + chr(c) + "b")) != 1}

    hangul = set(range(0xAC00, 0xD7A4))
    canonical = {c: t for c, t in changed(normalizers.NFD()).items() if c not in hangul}
    compatible = {c: t for c, t in changed(normalizers.NFKD()).items() if c not in hangul and canonical.get(c) != t}
    clean = normalizers.BertNormalizer(clean_text=True, handle_chinese_chars=False, strip_accents=False, lowercase=False)
    accents = normalizers.BertNormalizer(clean_text=False, handle_chinese_chars=False, strip_accents=True, lowercase=False)
    whitespace = matches(r"\s")
    assert whitespace == splits(pre_tokenizers.WhitespaceSplit()), "one table serves both"

    tables = {
        "categories": ("Oniguruma's general categories: run length, category.", category_runs()),
        "word": ("Oniguruma's \\w.", runs(matches(r"\w"))),
        "whitespace": ("White_Space.", runs(whitespace)),
        "numeric": ("Rust's char::is_numeric.", runs(splits(pre_tokenizers.Digits(individual_digits=True)))),
        "regexWord": ("\\w of the regex crate.", runs(set(SCALARS) - splits(pre_tokenizers.Whitespace()))),
        "punctuation": ("Punctuation of unicode_categories and of ASCII.", runs(splits(pre_tokenizers.Punctuation()))),
        "bertRemoved": ("What BertNormalizer's text cleaning removes.",
                        runs({c for c in SCALARS if clean.normalize_str("a" + chr(c) + "b") == "ab"})),
        "nonspacingMark": ("Mn of unicode_categories.",
                           runs({c for c in SCALARS if accents.normalize_str(chr(c)) == ""})),
        "combiningMark": ("What StripAccents removes.",
                          runs({c for c in SCALARS if normalizers.StripAccents().normalize_str(chr(c)) == ""})),
        "lowercase": ("Rust's char::to_lowercase: scalar step, count, scalars.", mapping(changed(normalizers.Lowercase()))),
        "canonical": ("Full canonical decompositions without Hangul.", mapping(canonical)),
        "compatibility": ("Full compatibility decompositions where they differ.", mapping(compatible)),
        "combiningClasses": ("Scalar step, canonical combining class.", combining_classes()),
        "compositions": ("First scalar step, second scalar, composite.", compositions()),
    }
    out = ["// Written by tools/reference/unicode_tables.py. Do not edit.",
           "// Numbers in base 32, low digits first, over A-Z a-z 0-9 + /; a digit of 32 or more says that another follows.",
           "",
           "enum UnicodeTables {"]
    for name, (comment, text) in tables.items():
        out += [f"    /// {comment}", f'    static let {name}: StaticString = "{text}"']
    out += ["    /// Oniguruma's scripts, alternating runs like the sets above.", "    static let scripts: [(name: StaticString, runs: StaticString)] = ["]
    out += [f'        ("{name.lower()}", "{runs(matches(chr(92) + "p{" + name + "}"))}"),' for name in SCRIPTS]
    out += ["    ]", "}", ""]
    target = pathlib.Path(__file__).resolve().parents[2] / "Sources/Input/Tokenizers/UnicodeTables.swift"
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text("\n".join(out))


main()
