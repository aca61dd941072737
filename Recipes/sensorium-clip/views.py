#!/usr/bin/env python3
"""Random crops of photographs, for features that are stored once.

    python3 views.py FOLDER --list train.en.jsonl --out data/views      needs pillow

writes OUT/crop1/NAME (JPEG) and OUT/crop1.txt, the files in the order of the list's lines, for `sensorium embed --stdin images`. A crop
keeps half to all of the area and is mirrored half of the time; what it is follows from the file's name.
"""
import argparse
import json
import pathlib
import random

from PIL import Image, ImageOps


def crop(picture, generator):
    """As torchvision's RandomResizedCrop: an area of 0.5 to 1, a shape of 3:4 to 4:3, the whole where ten trials don't fit."""
    width, height = picture.size
    for _ in range(10):
        area = width * height * generator.uniform(0.5, 1)
        shape = (3 / 4) * (16 / 9) ** generator.random()
        w, h = round((area * shape) ** 0.5), round((area / shape) ** 0.5)
        if w <= width and h <= height:
            left, top = generator.randint(0, width - w), generator.randint(0, height - h)
            picture = picture.crop((left, top, left + w, top + h))
            break
    return ImageOps.mirror(picture) if generator.random() < 0.5 else picture


VIEWS = {"crop1": crop}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=pathlib.Path, help="where the list's files are")
    parser.add_argument("--list", type=pathlib.Path, required=True, help='lines of JSON that name a "file" or an "image"')
    parser.add_argument("--out", type=pathlib.Path, required=True)
    given = parser.parse_args()
    files = [line.get("file") or line["image"] for line in map(json.loads, given.list.read_text(encoding="utf-8").splitlines())]
    for name, change in VIEWS.items():
        (given.out / name).mkdir(parents=True, exist_ok=True)
        targets = []
        for file in files:
            target = given.out / name / (pathlib.PurePosixPath(file).stem + ".jpg")
            with Image.open(given.folder / file) as picture:
                change(picture.convert("RGB"), random.Random(f"{name} {file}")).save(target, quality=95)
            targets.append(f"{target}\n")
        (given.out / f"{name}.txt").write_text("".join(targets), encoding="utf-8")
        print(f"{name}: {len(targets)} pictures")


if __name__ == "__main__":
    main()
