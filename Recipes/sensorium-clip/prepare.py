#!/usr/bin/env python3
"""Makes the training pictures and captions of the sensorium-clip models from four Debian packages.

    python -m pip install resvg_py==0.5.0 fonttools==4.68.0 pillow numpy
    python prepare.py all --cache ~/.cache/sensorium/recipes --out data

The packages are downloaded with `apt-get download` (nothing is installed), compared with the SHA-256 pinned
below and unpacked. Each source becomes a folder of 224-pixel pictures on white and a `NAME.jsonl`:
{"file", "captions": {"en": [...], "zh": [...]}, "query": {"en": ..., "zh": ...}, "group", "source"}
`query` is the text that the test side is searched with; `group` ties variants and near-duplicates together.
`splits` writes splits/NAME.test.txt: whole groups, chosen by a hash of the group's name, never trained on.
"""
import argparse
import concurrent.futures
import hashlib
import html
import io
import json
import pathlib
import re
import subprocess
import unicodedata
import xml.etree.ElementTree as ElementTree

import numpy
from PIL import Image, ImageDraw, ImageFont

SIDE = 224
PACKAGES = {
    "openclipart-svg": ("1:0.18+dfsg-19", "989712d90d57dfa3230049f553bb43b76c30ee4d4b8c5f6e106e33f7db5cbdc5"),
    "fonts-noto-color-emoji": ("2.042-0+deb12u1", "a5ab0f69c7938423862320d9aca5dd187b3fd879d6a9a57dd52e17c3fa8d2751"),
    "unicode-cldr-core": ("41-0.1", "35d30d5d3bee4d8244e95236259c4c2a0db06e21bad696515751fcfeee4d0260"),
    "tuxpaint-stamps-default": ("2022.06.04-1", "6db6c1bfc870a47f1499d6203b083522eacb57c5f9c87d468f2e92eb6d9d5f34"),
}
# Names of collections, programs and places in a file system: they say nothing about what a picture shows.
EMPTY_WORDS = {
    "", "hash", "magick", "unsorted", "clip art", "clipart", "cliparts", "svg", "png", "inkscape", "vector", "openclipart",
    "public domain", "image", "media", "lemon theme icon", "theme", "icons", "menu", "special", "part", "computer",
    "signs and symbols", "mapsym", "appicon", "application", "mimetypes", "mime-types", "etiquette", "gradients", "stock",
    "architetto francesco rollandin", "architetto", "francesco rollandin", "remix", "illustration", "various", "misc",
}
COMMON_TITLE = 8  # a title that more pictures share is a collection's


# Packages

def unpack(cache: pathlib.Path) -> pathlib.Path:
    """Downloads, checks and unpacks the packages; returns the tree's `usr/share`."""
    cache.mkdir(parents=True, exist_ok=True)
    tree = cache / "tree"
    for name, (version, digest) in PACKAGES.items():
        mark = tree / f".{name}-{digest[:12]}"
        if mark.exists():
            continue
        found = next((p for p in cache.glob(f"{name}_*.deb") if sha256(p) == digest), None)
        if found is None:
            subprocess.run(["apt-get", "download", f"{name}={version}"], cwd=cache, check=True)
            found = next((p for p in cache.glob(f"{name}_*.deb") if sha256(p) == digest), None)
        if found is None:
            raise SystemExit(f"{name} {version}: the downloaded package isn't the pinned one ({digest})")
        tree.mkdir(exist_ok=True)
        subprocess.run(["dpkg", "-x", str(found), str(tree)], check=True)
        mark.touch()
    return tree / "usr/share"


def sha256(path: pathlib.Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


# Pictures

def on_white(picture: Image.Image) -> Image.Image:
    """The picture on a white square of SIDE pixels, as large as fits, never cut."""
    picture = picture.convert("RGBA")
    box = picture.getchannel("A").getbbox()
    if box is None:
        raise ValueError("nothing is drawn")
    picture = picture.crop(box)
    inner = SIDE - 16
    scale = inner / max(picture.size)
    size = [max(1, round(edge * scale)) for edge in picture.size]
    picture = picture.resize(size, Image.Resampling.BICUBIC)
    canvas = Image.new("RGBA", (SIDE, SIDE), "white")
    canvas.alpha_composite(picture, ((SIDE - size[0]) // 2, (SIDE - size[1]) // 2))
    return canvas.convert("RGB")


def rasterise(path: pathlib.Path) -> Image.Image:
    import resvg_py
    text = path.read_bytes()
    # Without `dpi` sizes in points or centimetres count as nothing; no font of the machine shall change a picture.
    data = resvg_py.svg_to_bytes(svg_string=text.decode("utf-8", "replace"), width=448, dpi=96, skip_system_fonts=True)
    return Image.open(io.BytesIO(bytes(data)))


def draw(task: tuple[str, str]) -> str | None:
    source, target = task
    try:
        if pathlib.Path(target).exists():
            return None
        path = pathlib.Path(source)
        picture = rasterise(path) if path.suffix == ".svg" else Image.open(path)
        on_white(picture).save(target)
        return None
    except BaseException as error:  # resvg's panics aren't `Exception`
        return f"{source}: {error}"


def draw_all(tasks: list[tuple[str, str]]) -> None:
    with concurrent.futures.ProcessPoolExecutor(2) as pool:
        for problem in pool.map(draw, tasks, chunksize=16):
            if problem:
                print("skipped", problem)


# Words

def words(text: str) -> str:
    """File names and titles as words: `redApple_03` -> `red apple`."""
    text = html.unescape(html.unescape(text))
    text = re.sub(r"([a-z])([A-Z])", r"\1 \2", text)
    text = re.sub(r"[_\-.,/:;()\[\]\"]+|\d+", " ", text)
    return re.sub(r"\s+", " ", text).strip().lower()


def unique(texts: list[str]) -> list[str]:
    return list(dict.fromkeys(text for text in texts if text))


def clip_art(share: pathlib.Path, out: pathlib.Path) -> None:
    root = share / "openclipart/svg"
    entries, titles = [], {}
    for path in sorted(root.rglob("*.svg")):
        text = path.read_text("utf-8", "replace")
        title = words(first(r"<dc:title>(.*?)</dc:title>", text))
        title = re.sub(r"^(clip ?art by|part of the flat icon collection).*", "", title)  # only who made it
        subject = first(r"<dc:subject>(.*?)</dc:subject>", text)
        keys = unique([words(k) for k in re.findall(r"<rdf:li>(.*?)</rdf:li>", subject, re.S)])
        described = re.sub(r"\s+", " ", html.unescape(first(r"<dc:description>(.*?)</dc:description>", text))).strip()
        author = set(words(first(r"<dc:creator>.*?<dc:title>(.*?)</dc:title>", text)).split())
        title = without(author, title)
        entries.append((path, author, title, [k for k in keys if k not in EMPTY_WORDS and len(k) < 40], described))
        titles[title] = titles.get(title, 0) + 1
    tasks, rows, stars = [], [], 0
    for path, author, title, keys, described in entries:
        if title == "gramastar":  # 1,375 stars that differ in their number of points
            stars += 1
            if stars % 40:
                continue
        name = without(author, words(path.stem))
        head = title if title and titles[title] <= COMMON_TITLE and len(title) < 80 else name
        if len(re.sub(r"[^a-z]", "", head)) < 3 and keys:
            head = keys[0]
        if len(re.sub(r"[^a-z]", "", head)) < 3:
            continue
        relative = path.relative_to(root)
        file = "clipart/" + re.sub(r"[^A-Za-z0-9._-]", "_", str(relative.with_suffix("")).replace("/", "__")) + ".png"
        keys = [k for k in keys if k != head]
        if not keys:
            keys = [words(part) for part in relative.parts[:-1]]
            keys = [k for k in keys if k not in EMPTY_WORDS and k != head]
        both = ", ".join([head] + keys[:5])
        texts = unique([both, head, ", ".join(keys[:5])])
        if 8 < len(described) < 200 and "clip art" not in described.lower():
            texts.append(described)
        rows.append({"file": file, "captions": {"en": texts, "zh": []}, "query": {"en": both},
                     "group": both, "source": "openclipart-svg"})
        tasks.append((str(path), str(out / file)))
    write(out, "clipart", rows, tasks)


def without(author: set[str], text: str) -> str:
    """A name less its author's, which file names often end with, cut short: `apple john do` by John Doe -> `apple`."""
    kept = [word for word in text.split() if word not in author]
    while kept and len(kept[-1]) <= 5 and kept[-1] != text and any(name != kept[-1] and name.startswith(kept[-1]) for name in author):
        kept.pop()
    return " ".join(kept)


def first(pattern: str, text: str) -> str:
    found = re.search(pattern, text, re.S)
    return found[1].strip() if found else ""


def emoji(share: pathlib.Path, out: pathlib.Path) -> None:
    from fontTools.ttLib import TTFont
    path = share / "fonts/truetype/noto/NotoColorEmoji.ttf"
    known = set(TTFont(path, lazy=True).getBestCmap())
    font = ImageFont.truetype(str(path), 109, layout_engine=ImageFont.Layout.RAQM)
    wide = font.getlength("😀")
    notes = {code: annotations(share / "unicode/cldr/common", code) for code in ("en", "zh")}
    (out / "emoji").mkdir(parents=True, exist_ok=True)
    rows = []
    for glyph in sorted(notes["en"]):
        points = [p for p in map(ord, glyph) if p not in (0x200D, 0xFE0F)]
        if ord(glyph[0]) < 0x203C and len(glyph) == 1 or not all(p in known for p in points):
            continue
        drawn = next((g for g in (glyph, glyph + "\uFE0F") if abs(font.getlength(g) - wide) < 1), None)
        if drawn is None:  # the font has no single picture for this sequence
            continue
        file = "emoji/" + "-".join(f"{ord(c):x}" for c in glyph) + ".png"
        if not (out / file).exists():
            canvas = Image.new("RGBA", (160, 160), (0, 0, 0, 0))
            ImageDraw.Draw(canvas).text((10, 10), drawn, font=font, embedded_color=True)
            try:
                on_white(canvas).save(out / file)
            except ValueError:
                continue
        captions, query = {}, {}
        for code, note in notes.items():
            name, keys = note.get(glyph, ("", []))
            joined = ", ".join(unique([name] + [k for k in keys if k != name][:6]))
            captions[code] = unique([joined, name, ", ".join(keys[:6])])
            if name:
                query[code] = joined
        rows.append({"file": file, "captions": captions, "query": query, "group": kind(glyph),
                     "source": "fonts-noto-color-emoji, unicode-cldr-core"})
    write(out, "emoji", rows, [])


def kind(glyph: str) -> str:
    """What stays of an emoji without its skin tone, gender and hair: variants fall into one group."""
    if all(0x1F1E6 <= ord(c) <= 0x1F1FF for c in glyph):
        return glyph
    parts = []
    for c in glyph:
        point = ord(c)
        if 0x1F3FB <= point <= 0x1F3FF and len(glyph) > 1 or point in (0x200D, 0xFE0F, 0x2640, 0x2642):
            continue
        if 0x1F9B0 <= point <= 0x1F9B3 and len(glyph) > 1:
            continue
        parts.append("\U0001F9D1" if point in (0x1F466, 0x1F467, 0x1F468, 0x1F469, 0x1F9D1, 0x1F9D2) else c)
    people = {"\U0001F9D1", "❤", "\U0001F48B"}
    return "family" if len(parts) > 1 and set(parts) <= people else "".join(parts)


def annotations(common: pathlib.Path, code: str) -> dict[str, tuple[str, list[str]]]:
    names, keys = {}, {}
    for folder in ("annotations", "annotationsDerived"):
        for node in ElementTree.parse(common / folder / f"{code}.xml").getroot().iter("annotation"):
            glyph, text = node.get("cp"), (node.text or "").strip()
            if node.get("type") == "tts":
                names[glyph] = text
            else:
                keys[glyph] = [part.strip() for part in text.split("|")]
    return {glyph: (name, keys.get(glyph, [])) for glyph, name in names.items()}


def stamps(share: pathlib.Path, out: pathlib.Path) -> None:
    root = share / "tuxpaint/stamps"
    tasks, rows = [], []
    for note in sorted(root.rglob("*.txt")):
        path = next((p for p in (note.with_suffix(".png"), note.with_suffix(".svg")) if p.exists()), None)
        if path is None:
            continue
        lines = note.read_text("utf-8", "replace").splitlines()
        texts = {"en": lines[0].strip()} if lines else {}
        for line in lines[1:]:
            found = re.match(r"zh_(cn|tw)\.utf8=(.+)", line, re.I)
            if found:
                texts["zh" if found[1].lower() == "cn" else "zh_tw"] = unicodedata.normalize("NFC", found[2].strip())
        relative = note.relative_to(root).with_suffix("")
        file = "stamps/" + str(relative).replace("/", "__").replace(" ", "_") + ".png"
        captions = {"en": unique([texts.get("en", "")]), "zh": unique([texts.get("zh", ""), texts.get("zh_tw", "")])}
        rows.append({"file": file, "captions": captions, "query": {k: texts[k] for k in ("en", "zh") if texts.get(k)},
                     "group": texts.get("en", ""), "source": "tuxpaint-stamps-default"})
        tasks.append((str(path), str(out / file)))
    write(out, "stamps", rows, tasks)


def write(out: pathlib.Path, name: str, rows: list[dict], tasks: list[tuple[str, str]]) -> None:
    (out / name).mkdir(parents=True, exist_ok=True)
    draw_all(tasks)
    rows = [row for row in rows if (out / row["file"]).exists() and any(row["captions"].values())]
    rows.sort(key=lambda row: row["file"])
    # What a test asks, line by line beside the pictures: one text a language, none where the set has none.
    with open(out / f"{name}-queries.jsonl", "w", encoding="utf-8") as file:
        for row in rows:
            asked = {language: [text] for language, text in row["query"].items() if text}
            file.write(json.dumps({"file": row["file"], "captions": asked}, ensure_ascii=False) + "\n")
    with open(out / f"{name}.jsonl", "w", encoding="utf-8") as file:
        for row in rows:
            file.write(json.dumps(row, ensure_ascii=False) + "\n")
    print(f"{name}: {len(rows)} pictures")


# Splits

SHARES = {"clipart": 0.125, "emoji": 0.22, "stamps": 0.15}
ALIKE = 0.98     # cosine of 24-pixel thumbnails less their mean: above it two pictures are near-duplicates
LARGEST = 12     # a larger group (a theme's variants, people in every skin tone) is trained on


def splits(out: pathlib.Path, target: pathlib.Path) -> None:
    """Joins near-duplicates to groups across all sources and writes the test sides."""
    rows = []
    for name in SHARES:
        with open(out / f"{name}.jsonl", encoding="utf-8") as file:
            rows += [(name, json.loads(line)) for line in file]
    parent = list(range(len(rows)))

    def root(i: int) -> int:
        while parent[i] != i:
            parent[i] = parent[parent[i]]
            i = parent[i]
        return i

    seen = {}
    for i, (name, row) in enumerate(rows):
        parent[root(i)] = root(seen.setdefault((name, row["group"]), i))
    for i, j in alike(out, [row["file"] for _, row in rows]):
        parent[root(i)] = root(j)
    groups = {}
    for i, (name, row) in enumerate(rows):
        groups.setdefault(root(i), []).append((name, row["file"]))
    tests = {name: [] for name in SHARES}
    for members in groups.values():
        key = min(file for _, file in members)
        share = int.from_bytes(hashlib.sha256(key.encode()).digest()[:8], "big") / 2 ** 64
        if len(members) <= LARGEST and share < SHARES[members[0][0]]:
            for name, file in members:
                tests[name].append(file)
    target.mkdir(parents=True, exist_ok=True)
    for name, files in tests.items():
        (target / f"{name}.test.txt").write_text("".join(f + "\n" for f in sorted(files)))
        print(f"{name}: {len(files)} pictures of {sum(n == name for n, _ in rows)} for the test")


def alike(out: pathlib.Path, files: list[str]):
    thumbs = numpy.empty((len(files), 24 * 24 * 3), numpy.float32)
    for i, file in enumerate(files):
        thumbs[i] = numpy.asarray(Image.open(out / file).resize((24, 24), Image.Resampling.BOX), numpy.float32).ravel()
    thumbs -= thumbs.mean(1, keepdims=True)
    thumbs /= numpy.maximum(numpy.linalg.norm(thumbs, axis=1, keepdims=True), 1e-6)
    for start in range(0, len(files), 1024):
        near = thumbs[start:start + 1024] @ thumbs.T > ALIKE
        for i, j in zip(*numpy.nonzero(near)):
            if start + i < j:
                yield start + int(i), int(j)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("step", choices=["all", "clipart", "emoji", "stamps", "splits"])
    parser.add_argument("--cache", type=pathlib.Path, default=pathlib.Path.home() / ".cache/sensorium/recipes")
    parser.add_argument("--out", type=pathlib.Path, default=pathlib.Path("data"))
    parser.add_argument("--splits", type=pathlib.Path, default=pathlib.Path(__file__).parent / "splits")
    options = parser.parse_args()
    if options.step != "splits":
        share = unpack(options.cache)
        for name, make in {"clipart": clip_art, "emoji": emoji, "stamps": stamps}.items():
            if options.step in ("all", name):
                make(share, options.out)
    if options.step in ("all", "splits"):
        splits(options.out, options.splits)


if __name__ == "__main__":
    main()
