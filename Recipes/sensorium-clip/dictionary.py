#!/usr/bin/env python3
"""Gives clip art Chinese captions, word by word from the English-Chinese dictionary of PyPI's cedict 0.1.0 (GPL-3).

    python dictionary.py --words cedict/csv/EnWords.csv data/clipart.jsonl

They are crude ("red apple, fruit" -> "红色苹果，水果"; a rare sense now and then) and only taught, never tested: `query` stays as it is.
A caption of which less than six words in ten are known gets none.
"""
import argparse
import csv
import json
import pathlib
import re

LABEL = re.compile(r"^\s*(abbr|adj|adv|n|v|vt|vi|a|art|prep|pron|num|conj|int|pl)\.")
ASIDE = re.compile(r"[\[(（【<].*?[\])）】>]")


def read(path: pathlib.Path) -> dict[str, str]:
    """The first Chinese sense of each word."""
    senses: dict[str, str] = {}
    with open(path, encoding="utf-8") as file:
        for word, text in list(csv.reader(file))[1:]:
            found = re.search(r"[\u4e00-\u9fff]{1,8}", LABEL.sub("", ASIDE.sub("", text).strip()))
            if found:
                senses.setdefault(word.lower(), found[0])
    return senses


def sense(word: str, senses: dict[str, str]) -> str | None:
    forms = [word]
    for ending, instead in (("ies", "y"), ("es", ""), ("s", "")):
        if word.endswith(ending):
            forms.append(word[:-len(ending)] + instead)
    return next((senses[form] for form in forms if form in senses), None)


def translated(text: str, senses: dict[str, str]) -> str:
    parts, total, known = [], 0, 0
    for part in text.lower().split(", "):
        words = [word for word in part.split() if len(word) > 1]
        if part in senses:
            words, found = [part], [senses[part]]
        else:
            found = [sense(word, senses) for word in words]
        total += len(words)
        known += sum(one is not None for one in found)
        if any(found):
            parts.append("".join(found) if all(found) else " ".join(one or word for one, word in zip(found, words)))
    return "，".join(dict.fromkeys(parts)) if total and known >= 0.6 * total else ""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--words", type=pathlib.Path, required=True)
    parser.add_argument("captions", type=pathlib.Path)
    options = parser.parse_args()
    senses = read(options.words)
    rows = [json.loads(line) for line in options.captions.read_text("utf-8").splitlines()]
    for row in rows:
        found = [translated(text, senses) for text in row["captions"]["en"][:3]]
        row["captions"]["zh"] = [text for text in dict.fromkeys(found) if text]
        row.pop("zhdict", None)
        row["note"] = "Chinese word by word from a dictionary"
    options.captions.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), "utf-8")
    print(f"{sum(bool(row['captions']['zh']) for row in rows)} of {len(rows)} have Chinese words")


if __name__ == "__main__":
    main()
