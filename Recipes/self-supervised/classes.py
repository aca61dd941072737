#!/usr/bin/env python3
"""Lists Debian's clip art by its folders, for the self-supervised recipes.

    python3 ../sensorium-clip/prepare.py clipart --out data     draws it: data/clipart, data/clipart.jsonl
    python3 classes.py --data data                              data/{pictures,train,test}.tsv

`pictures.tsv` names what is learnt from, all pictures but the test side (../sensorium-clip/splits/clipart.test.txt: near-duplicates lie on
one side). `train.tsv` and `test.tsv` add a class by the folder, for folders that say what a picture is, at most 120 and 30 of a class.
"""
import argparse
import hashlib
import json
import pathlib

# Folders of the package; those inside them belong to the same class.
CLASSES = [
    "animals/birds", "animals/bugs", "animals/fish", "animals/mammals", "computer/buttons", "computer/hardware", "computer/icons/etiquette-theme",
    "computer/icons/flat-theme", "computer/icons/lemon-theme", "food/beverages", "food/desserts", "food/fruit", "geography", "office",
    "recreation/music", "recreation/party", "recreation/sports", "shapes/arrows", "signs_and_symbols/flags", "signs_and_symbols/led",
    "signs_and_symbols/map_symbols", "special/patterns", "tools/weapons", "transportation/aiga-symbols", "transportation/boating",
    "transportation/roadsigns", "transportation/vehicles",
]
LARGEST = {"train": 120, "test": 30}


def kind(file: str) -> str | None:
    folder = "/".join(file.split("/")[1].split("__")[:-1])
    return next((name for name in CLASSES if folder == name or folder.startswith(name + "/")), None)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=pathlib.Path, default=pathlib.Path("data"))
    data = parser.parse_args().data
    test = set((pathlib.Path(__file__).parent / "../sensorium-clip/splits/clipart.test.txt").read_text().split("\n"))
    files = [json.loads(line)["file"] for line in (data / "clipart.jsonl").read_text().splitlines()]
    # An order that doesn't follow the names, the same everywhere.
    files.sort(key=lambda file: hashlib.sha256(file.encode()).digest())
    sides = {"train": [], "test": []}
    count = {}
    for file in files:
        side, label = "test" if file in test else "train", kind(file)
        count[side, label] = count.get((side, label), 0) + 1
        if label and count[side, label] <= LARGEST[side]:
            sides[side].append(f"{file}\t{label}")
    for side, lines in sides.items():
        (data / f"{side}.tsv").write_text("image\tclass\n" + "\n".join(sorted(lines)) + "\n")
        print(side, len(lines))
    (data / "pictures.tsv").write_text("image\n" + "\n".join(sorted(set(files) - test)) + "\n")


if __name__ == "__main__":
    main()
