"""Makes Tests/VectorIndexTests/Fixtures: the same seven vectors as faiss-cpu and numpy write them, and what they find. Run by hand; needs numpy, faiss-cpu."""
import json
import pathlib

import faiss
import numpy as np

folder = pathlib.Path(__file__).parents[2] / "Tests/VectorIndexTests/Fixtures"
folder.mkdir(exist_ok=True)
random = np.random.default_rng(11)
base = random.standard_normal((7, 5)).astype(np.float32)
queries = random.standard_normal((3, 5)).astype(np.float32)
ids = np.array([40, -2, 7, 1 << 40, 3, 12, 9], np.int64)

answers = {}
for name, kind in ("ip", faiss.IndexFlatIP), ("l2", faiss.IndexFlatL2):
    plain = kind(5)
    plain.add(base)
    faiss.write_index(plain, str(folder / f"{name}.faiss"))
    for wrapper, suffix in ((faiss.IndexIDMap, "map"), (faiss.IndexIDMap2, "map2")):
        mapped = wrapper(kind(5))
        mapped.add_with_ids(base, ids)
        faiss.write_index(mapped, str(folder / f"{name}-{suffix}.faiss"))
    scores, found = mapped.search(queries, 4)
    answers[name] = {"ids": found.tolist(), "scores": (scores if name == "ip" else -scores).tolist()}
hnsw = faiss.IndexHNSWFlat(5, 4)
hnsw.add(base)
faiss.write_index(hnsw, str(folder / "hnsw.faiss"))

np.save(folder / "f32.npy", base)
np.save(folder / "f16.npy", base.astype(np.float16))
np.save(folder / "f64.npy", base.astype(np.float64))
np.save(folder / "fortran.npy", np.asfortranarray(base))
np.save(folder / "flat.npy", base.ravel())
rows = np.hstack([np.full((7, 1), 5, np.int32).view(np.float32), base])
rows.tofile(folder / "base.fvecs")
(folder / "expected.json").write_text(
    json.dumps({"base": base.tolist(), "queries": queries.tolist(), "ids": ids.tolist(), "answers": answers}))
