"""Files that numpy, pandas, pyarrow and faiss write, for the readers' tests, and a look at what ours writes.

    interchange.py          makes Tests/CheckpointsTests/golden/parquet, Tests/PictureLibraryTests/golden/clip-retrieval and
                            Tests/TrainingDataTests/golden/hugging-face
    interchange.py check    reads with those libraries what the tests store of ours: golden/parquet/ours.parquet and golden/exported

Needs numpy, pandas, pyarrow, datasets and faiss-cpu."""
import json
import pathlib
import shutil
import sys

import datasets
import faiss
import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

root = pathlib.Path(__file__).parents[2] / "Tests"
parquet = root / "CheckpointsTests/golden/parquet"
library = root / "PictureLibraryTests/golden"

ROWS = 300
TABLE = {
    "name": [None if i % 7 == 3 else f"picture {i % 40} 图片" for i in range(ROWS)],
    "number": [None if i % 11 == 5 else (i * 7919) % 1000 - 500 for i in range(ROWS)],
    "real": [None if i % 5 == 2 else i / 8 - 3 for i in range(ROWS)],
    "truth": [None if i % 13 == 1 else i % 3 == 0 for i in range(ROWS)],
    "always": [f"{i * i % 97:04d}" for i in range(ROWS)],
}


def tables():
    parquet.mkdir(parents=True, exist_ok=True)
    for old in parquet.glob("*"):
        if old.name != "ours.parquet":
            old.unlink()
    schema = pa.schema([
        pa.field("name", pa.string()), pa.field("number", pa.int64()), pa.field("real", pa.float64()), pa.field("truth", pa.bool_()),
        pa.field("always", pa.string(), nullable=False)])
    table = pa.table(TABLE, schema=schema)
    forms = {
        "snappy": dict(),
        "gzip": dict(compression="gzip"),
        "zstd": dict(compression="zstd"),
        "plain": dict(compression="none", use_dictionary=False),
        "groups": dict(row_group_size=90, data_page_size=256),
        "pages2": dict(data_page_version="2.0", compression="snappy"),
        "pages2-plain": dict(data_page_version="2.0", compression="none", use_dictionary=False),
        "lz4": dict(compression="lz4"),
        "delta": dict(use_dictionary=False, column_encoding={"number": "DELTA_BINARY_PACKED"}),
    }
    for name, options in forms.items():
        pq.write_table(table, parquet / f"{name}.parquet", **options)
    df = pd.DataFrame({"small": np.arange(5, dtype=np.int32), "single": np.arange(5, dtype=np.float32) / 4, "bytes": [bytes([i]) for i in range(5)]})
    df["group"] = [{"bytes": b"ab", "path": None if i == 2 else f"{i}.jpg"} for i in range(5)]
    df["list"] = [[i, i] for i in range(5)]
    df.to_parquet(parquet / "kinds.parquet")
    pq.write_table(table.slice(0, 0), parquet / "empty.parquet")
    (parquet / "expected.json").write_text(json.dumps(TABLE, ensure_ascii=False))


def training():
    """A data set as Hugging Face's library writes it: pictures' bytes beside their paths, classes, texts in two languages."""
    folder = root / "TrainingDataTests/golden/hugging-face"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    pictures = [root / "Fixtures/pictures" / name for name in ("gradient_97x61.png", "grey_50x70.png")]
    features = datasets.Features(
        {"image": datasets.Image(), "caption": datasets.Value("string"), "caption_zh": datasets.Value("string"),
         "label": datasets.ClassLabel(names=["photo", "grey"])})
    for part in range(2):
        numbers = range(3 * part, 3 * part + 3)
        rows = {
            "image": [None if i == 4 else {"bytes": pictures[i % 2].read_bytes(), "path": f"{i}.png"} for i in numbers],
            "caption": [f"picture {i}" for i in numbers], "caption_zh": [None if i == 1 else f"图片{i}" for i in numbers],
            "label": [i % 2 for i in numbers]}
        datasets.Dataset.from_dict(rows, features=features).to_parquet(folder / f"train-{part:05d}-of-00002.parquet", batch_size=2)


def vectors(count):
    random = np.random.default_rng(5)
    rows = random.standard_normal((count, 6)).astype(np.float32)
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


def clip_retrieval():
    """As clip_retrieval 2.44's NumpyWriter writes two partitions with metadata, and its index (flat)."""
    folder = library / "clip-retrieval"
    shutil.rmtree(folder, ignore_errors=True)
    for name in ("img_emb", "metadata"):
        (folder / name).mkdir(parents=True)
    rows = vectors(12)
    for part, (start, end) in enumerate(((0, 7), (7, 12))):
        np.save(folder / f"img_emb/img_emb_{part}.npy", rows[start:end])
        pd.DataFrame({
            "image_path": [f"/pictures/{i:04d}.jpg" for i in range(start, end)],
            "caption": [None if i == 4 else ["a red bicycle", "a dog in the garden", "海边的日落"][i % 3] + f" {i}" for i in range(start, end)],
            "width": [640 + i for i in range(start, end)],
            "height": [480] * (end - start),
            "sha256": [f"{i:064x}" for i in range(start, end)],
        }).to_parquet(folder / f"metadata/metadata_{part}.parquet")
    index = faiss.IndexFlatIP(6)
    index.add(rows)
    faiss.write_index(index, str(folder / "image.index"))
    query = vectors(20)[15:16]
    scores, found = index.search(query, 12)
    mapped = faiss.IndexIDMap2(faiss.IndexFlatIP(6))
    ids = np.array([100 - i for i in range(12)], np.int64)
    mapped.add_with_ids(rows, ids)
    faiss.write_index(mapped, str(library / "mapped.faiss"))
    # Rows in another order than the index: their ids say what belongs together.
    lines = [json.dumps({"id": int(ids[i]), "image_path": f"/pictures/{i:04d}.jpg", "caption": f"picture {i}"}) for i in (5, 3, 0, 1, 2, 4, 11, 10, 9, 8, 7, 6)]
    (library / "mapped.jsonl").write_text("\n".join(lines) + "\n")
    (library / "answers.json").write_text(json.dumps(
        {"query": query[0].tolist(), "paths": [f"/pictures/{i:04d}.jpg" for i in found[0]], "scores": scores[0].tolist()}))


def check():
    ours = pd.read_parquet(parquet / "ours.parquet")
    for name in ("name", "number", "real"):
        assert [None if pd.isna(v) else v for v in ours[name]] == TABLE[name], name
    folder, source = library / "exported", library / "clip-retrieval"
    rows = np.concatenate([np.load(f) for f in sorted((source / "img_emb").glob("*.npy"))])
    table = pd.concat(pd.read_parquet(f) for f in sorted((source / "metadata").glob("*.parquet")))
    found = np.load(folder / "img_emb/img_emb_0.npy")
    assert found.dtype == np.float32 and np.abs(found - rows).max() < 1e-6
    index = faiss.read_index(str(folder / "image.index"))
    assert type(faiss.downcast_index(index)).__name__ == "IndexFlatIP" and index.ntotal == 12
    answers = json.loads((library / "answers.json").read_text())
    scores, ids, _ = index.search_and_reconstruct(np.array([answers["query"]], np.float32), 12)
    # As clip_back's ParquetMetadataProvider reads it.
    metadata = pd.concat(pd.read_parquet(f) for f in sorted((folder / "metadata").glob("*.parquet")))
    assert [metadata[i : i + 1].to_dict(orient="records")[0]["image_path"] for i in ids[0]] == answers["paths"]
    assert np.abs(scores[0] - answers["scores"]).max() < 1e-5
    for name in ("image_path", "width", "height", "sha256"):
        assert metadata[name].tolist() == table[name].tolist(), name
    assert [None if pd.isna(c) else c for c in metadata["caption"]] == [None if pd.isna(c) else c for c in table["caption"]]
    lines = [json.loads(line) for line in (folder / "metadata.jsonl").read_text().splitlines()]
    assert [line["image_path"] for line in lines] == metadata["image_path"].tolist()
    texts, text_index = np.load(folder / "text_emb/text_emb_0.npy"), faiss.read_index(str(folder / "text.index"))
    assert texts.shape == (12, 6) and text_index.ntotal == 12 and not texts[4].any() and texts[3].any()
    mapped = faiss.read_index(str(library / "exported.faiss"))
    assert mapped.ntotal == 12 and type(mapped).__name__ in ("IndexIDMap", "IndexIDMap2")
    print("what the tests store of ours is read by", "pandas", pd.__version__, "pyarrow", pa.__version__, "faiss", faiss.__version__)


if __name__ == "__main__":
    if sys.argv[1:] == ["check"]:
        check()
    else:
        tables()
        clip_retrieval()
        training()
