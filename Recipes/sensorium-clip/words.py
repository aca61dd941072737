#!/usr/bin/env python3
"""What words in the metadata alone find: BM25 (SQLite's FTS5) over the English titles of the test sides, beside chance.

    python3 words.py --data data [--splits splits] [--write data/held-out]

Three kinds of queries: the card's (name and keywords), keywords that share no word with the title of their picture, and Chinese ones. With
--write the latter two become OUT/NAME-keywords.jsonl and OUT/NAME-chinese.jsonl, for `sensorium eval retrieval --data`.
"""
import argparse
import json
import pathlib
import re
import sqlite3

DEPTHS = (1, 5, 10)


def stems(text):
    """Words, without the s of the plural."""
    return {word[:-1] if len(word) > 3 and word.endswith("s") else word for word in re.findall(r"\w+", text.lower())}


def rows(data, splits, name):
    test = set((splits / f"{name}.test.txt").read_text(encoding="utf-8").splitlines())
    return [row for row in map(json.loads, (data / f"{name}.jsonl").read_text(encoding="utf-8").splitlines()) if row["file"] in test]


def title(row):
    """The name behind "name, keywords"; a stamp has its sentence only."""
    english = row["captions"]["en"]
    return english[1] if len(english) > 1 else english[0]


def unlike(row):
    """Keywords without those that share a word with the title."""
    words = [word.strip() for word in row["query"]["en"].split(",")]
    return ", ".join(word for word in words if word and not stems(word) & stems(title(row)))


def recalls(titles, queries):
    """Share of queries whose picture is among the first K by BM25, in hundredths. Titles that fit equally well are taken in their order."""
    base = sqlite3.connect(":memory:")
    base.execute("CREATE VIRTUAL TABLE titles USING fts5(title, tokenize = 'porter unicode61')")
    base.executemany("INSERT INTO titles(rowid, title) VALUES (?, ?)", enumerate(titles))
    ranks = []
    for owner, text in queries:
        match = " OR ".join(f'"{word}"' for word in re.findall(r"\w+", text))
        found = base.execute("SELECT rowid FROM titles WHERE titles MATCH ? ORDER BY rank, rowid LIMIT 10", (match,)).fetchall() if match else []
        ranks.append(next((place for place, (row,) in enumerate(found) if row == owner), 10))
    return [100 * sum(rank < depth for rank in ranks) / len(ranks) for depth in DEPTHS]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=pathlib.Path, default=pathlib.Path("data"))
    parser.add_argument("--splits", type=pathlib.Path, default=pathlib.Path(__file__).parent / "splits")
    parser.add_argument("--write", type=pathlib.Path)
    given = parser.parse_args()
    print("| set | queries | number | BM25 R@1 | R@5 | R@10 | chance R@10 |\n| --- | --- | --- | --- | --- | --- | --- |")
    for name in "clipart", "emoji", "stamps":
        pictures = rows(given.data, given.splits, name)
        titles = [title(row) for row in pictures]
        kinds = {
            "card": [(place, row["query"]["en"]) for place, row in enumerate(pictures)],
            "keywords": [(place, words) for place, row in enumerate(pictures) if (words := unlike(row))],
            "chinese": [(place, row["query"]["zh"]) for place, row in enumerate(pictures) if row["query"].get("zh")],
        }
        for kind, queries in kinds.items():
            if not queries:
                continue
            found = " | ".join(f"{value:.1f}" for value in recalls(titles, queries))
            print(f"| {name} | {kind} | {len(queries)} | {found} | {100 * 10 / len(pictures):.1f} |")
            if given.write and kind != "card":
                given.write.mkdir(parents=True, exist_ok=True)
                texts = dict(queries)
                lines = [json.dumps({"file": row["file"], "captions": [texts[place]] if place in texts else []}, ensure_ascii=False)
                         for place, row in enumerate(pictures)]
                (given.write / f"{name}-{kind}.jsonl").write_text("\n".join(lines) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
