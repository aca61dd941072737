"""Pictures with text, drawn with Debian's fonts, and what rapidocr reads in them: Tests/Fixtures/reading.

Run: python reading.py PHOTOGRAPHS      (environment: README.md; PHOTOGRAPHS is the folder of photographs/coco45 in the user's cache)

`lines.json` holds rapidocr's lines with their corners; `networks.safetensors` the outputs of its networks by onnxruntime on some
pictures: a sample of the detector's map, and the recogniser's probabilities of lines, the best class of each step and a sample of all.
"""
import json
import logging
import sys
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont
from rapidocr import RapidOCR
from rapidocr.utils.process_img import apply_vertical_padding, resize_image_within_bounds
from safetensors.numpy import save_file

OUT = Path(__file__).resolve().parents[2] / "Tests" / "Fixtures" / "reading"
CJK = "/usr/share/fonts/opentype/noto/NotoSansCJK-Regular.ttc"
SERIF = "/usr/share/fonts/opentype/noto/NotoSerifCJK-Bold.ttc"
LATIN = "/usr/share/fonts/truetype/dejavu/DejaVuSans.ttf"
# Index 2 of Debian's collection is the simplified Chinese face.
SIMPLIFIED = 2


def font(path, size):
    return ImageFont.truetype(path, size, index=SIMPLIFIED if "CJK" in path else 0)


def sheet(size, lines, paper="white"):
    picture = Image.new("RGB", size, paper)
    draw = ImageDraw.Draw(picture)
    for text, place, path, height, colour in lines:
        draw.text(place, text, font=font(path, height), fill=colour)
    return picture


def turned(size, lines):
    """Each line on its own label, turned by some degrees."""
    picture = Image.new("RGB", size, "white")
    for text, place, path, height, degrees in lines:
        label = Image.new("RGB", (int(font(path, height).getlength(text)) + 12, height + 20), "white")
        ImageDraw.Draw(label).text((6, 4), text, font=font(path, height), fill="black")
        picture.paste(label.rotate(degrees, Image.BICUBIC, expand=True, fillcolor="white"), place)
    return picture


def pictures():
    yield "english", sheet((620, 260), [
        ("The quick brown fox jumps", (24, 20), LATIN, 36, "black"), ("over the lazy dog: 3.14 & 42%", (24, 90), LATIN, 32, "#223355"),
        ("Open daily 9:00 - 17:30", (24, 160), LATIN, 26, "#883322"), ("No entry", (420, 205), LATIN, 30, "black")])
    yield "chinese", sheet((620, 260), [
        ("欢迎光临北京图书馆", (24, 16), CJK, 40, "black"), ("请勿在室内吸烟，谢谢合作", (24, 90), CJK, 32, "#224422"),
        ("营业时间：上午九点到下午五点", (24, 160), SERIF, 30, "#552222"), ("出口", (520, 200), CJK, 36, "red")], "#f4f0e0")
    yield "receipt", sheet((300, 380), [
        ("SENSORIUM 超市", (60, 14), CJK, 26, "black"), ("苹果 Apple 2kg", (20, 70), CJK, 17, "black"), ("¥15.80", (220, 70), CJK, 17, "black"),
        ("牛奶 Milk 1L", (20, 104), CJK, 17, "black"), ("¥8.50", (220, 104), CJK, 17, "black"), ("面包 Bread", (20, 138), CJK, 17, "black"),
        ("¥12.00", (220, 138), CJK, 17, "black"), ("合计 Total", (20, 200), CJK, 22, "black"), ("¥36.30", (206, 200), CJK, 22, "black"),
        ("2026-11-21 18:42 No. 004217", (20, 270), LATIN, 13, "#444444"), ("谢谢惠顾", (100, 320), CJK, 22, "black")], "#fdfdf8")
    yield "turned", turned((700, 520), [
        ("A sign that leans", (20, 10), LATIN, 34, 14), ("倾斜的路牌", (380, 20), CJK, 40, -20), ("Straight line", (40, 230), LATIN, 34, 0),
        ("upside down words", (260, 300), LATIN, 34, 180), ("going up", (40, 290), LATIN, 32, 90), ("直立的文字", (610, 200), CJK, 36, -90)])
    yield "strip", sheet((900, 40), [("A very wide strip with one line of text and 中文 in it", (16, 4), CJK, 24, "white")], "#203040")
    yield "label", sheet((64, 24), [("EXIT", (8, 2), LATIN, 18, "black")])
    yield "poster", sheet((2300, 500), [
        ("大型海报 LARGE POSTER", (120, 60), SERIF, 150, "#ffeeaa"), ("small print at the foot of it", (140, 380), LATIN, 40, "white")], "#702040")
    yield "empty", sheet((200, 150), [])


def rounded(box):
    return [[float(x), float(y)] for x, y in box]


def main():
    photographs = Path(sys.argv[1])
    OUT.mkdir(parents=True, exist_ok=True)
    engine = RapidOCR(params={"EngineConfig.onnxruntime.intra_op_num_threads": 1, "Global.log_level": "critical"})
    lines, arrays = {}, {}
    for name, picture in pictures():
        # Few colours make small files; rapidocr would take the indices of a palette for pixels.
        picture.quantize(64).convert("RGB").save(OUT / f"{name}.png", optimize=True)
        found = engine(OUT / f"{name}.png")
        count = 0 if found.boxes is None else len(found.boxes)
        lines[f"{name}.png"] = [
            {"text": found.txts[i], "score": float(found.scores[i]), "corners": rounded(found.boxes[i])} for i in range(count)]
        print(name, [(line["text"], round(line["score"], 3)) for line in lines[f"{name}.png"]])
    sources = [OUT / "receipt.png", OUT / "turned.png"] + [photographs / name for name in PHOTOGRAPHS]
    detector, recognizer = engine._load_det_model(), engine._load_rec_model()
    for source in sources:
        image = engine.load_img(source)
        image, _, _ = resize_image_within_bounds(image, engine.min_side_len, engine.max_side_len)
        image, _ = apply_vertical_padding(image, {}, engine.width_height_ratio, engine.min_height)
        arrays[f"map.{source.name}"] = np.ascontiguousarray(detector.session(detector.get_preprocess()(image))[0, 0, ::8, ::8])
    for name in ["english", "chinese", "receipt"]:
        image = engine.load_img(OUT / f"{name}.png")
        boxes = detector(image).boxes[:3]
        crops = engine.crop_text_regions(image, boxes)
        widest = max([320 / 48] + [crop.shape[1] / crop.shape[0] for crop in crops])
        given = np.stack([recognizer.resize_norm_img(crop, widest) for crop in crops])
        found = recognizer.session(given)
        arrays[f"corners.{name}.png"] = boxes.astype(np.float32)
        arrays[f"best.{name}.png"] = found.argmax(-1).astype(np.int32)
        arrays[f"probability.{name}.png"] = found.max(-1)
        arrays[f"sample.{name}.png"] = np.ascontiguousarray(found[:, :, ::97])
    (OUT / "lines.json").write_text(json.dumps(lines, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    save_file(arrays, OUT / "networks.safetensors", {"reference": "rapidocr 3.10.0 with onnxruntime 1.31.1"})


PHOTOGRAPHS = ["000000050331.jpg", "000000324258.jpg"]

if __name__ == "__main__":
    logging.disable(logging.CRITICAL)
    main()
