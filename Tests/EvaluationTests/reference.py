"""Makes golden/: small arrays, and what the published evaluation codes say of them.

    venv/bin/python Tests/EvaluationTests/reference.py SOURCES

SOURCES is a folder with checkouts of the published codes, which are run, not copied:
  CLIP_benchmark  https://github.com/LAION-AI/CLIP_benchmark    at 48de38c1689fa6d8b4dd53e3370c669c3bb18117
  dino            https://github.com/facebookresearch/dino      at 7c446df5b9f45747937fb0d72314eb9f7b66930a
  platonic-rep    https://github.com/minyoungg/platonic-rep     at dcd76ba3c950c1b197a2ae8b1c6713535c94ecf9
Chinese-CLIP's evaluation comes with the package cn-clip, the linear classifier is scikit-learn's.
"""
import ast
import contextlib
import io
import json
import sys
import tempfile
import types
from pathlib import Path

import numpy as np
import scipy
import sklearn
import torch
import torch.nn.functional as F
from safetensors.numpy import save_file
from sklearn.cross_decomposition import CCA
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import balanced_accuracy_score

from cn_clip.eval import evaluation, evaluation_tr

SOURCES = Path(sys.argv[1])
GOLDEN = Path(__file__).resolve().parent / "golden"
torch.set_num_threads(1)


def clusters(generator, classes, rows, width, spread):
    """Rows around a centre for each class, and their classes."""
    centres = generator.standard_normal((classes, width))
    labels = generator.integers(0, classes, rows)
    return (centres[labels] + spread * generator.standard_normal((rows, width))).astype(np.float32), labels.astype(np.int64)


def functions(path, names, scope):
    """Some functions of a file whose imports (packages for training) aren't wanted."""
    tree = ast.parse(path.read_text())
    tree.body = [node for node in tree.body if isinstance(node, ast.FunctionDef) and node.name in names]
    exec(compile(tree, str(path), "exec"), scope)
    return [scope[name] for name in names]


def retrieval():
    sys.path.insert(0, str(SOURCES / "CLIP_benchmark"))
    from clip_benchmark.metrics import zeroshot_retrieval

    generator = np.random.default_rng(1)
    pictures = generator.standard_normal((60, 16)).astype(np.float32)
    counts = generator.integers(1, 7, len(pictures))
    owner = np.repeat(np.arange(len(pictures)), counts)
    captions = (pictures[owner] + 1.6 * generator.standard_normal((len(owner), 16))).astype(np.float32)

    class Model:
        """Embeddings in place of pictures and texts."""
        def encode_image(self, images): return images
        def encode_text(self, texts): return texts

    ks, size = [1, 3, 5, 10], 20
    rows = np.split(captions, np.cumsum(counts)[:-1])
    batches = [(torch.from_numpy(pictures[i:i + size]), [list(rows[j]) for j in range(i, i + size)]) for i in range(0, len(pictures), size)]
    with contextlib.redirect_stderr(io.StringIO()):
        found = zeroshot_retrieval.evaluate(
            Model(), batches, lambda texts: torch.from_numpy(np.stack(texts)), "cpu", amp=False, recall_k_list=ks)

    # Chinese-CLIP: predictions as make_topk_predictions.py sorts them, scored by evaluation.py, where a text may have many pictures.
    image, text = (F.normalize(torch.from_numpy(a), dim=-1).numpy() for a in (pictures, captions))
    scores = text @ image.T
    several = [[int(p)] + ([int((p + 7) % len(pictures))] if i % 5 == 0 else []) for i, p in enumerate(owner)]
    back = {}
    for caption, own in enumerate(several):
        for picture in own:
            back.setdefault(picture, []).append(caption)

    def score(module, query, answer, table, truth):
        order = [sorted(range(len(row)), key=lambda j: row[j], reverse=True)[:10] for row in table.tolist()]
        with tempfile.TemporaryDirectory() as folder:
            reference, prediction = Path(folder) / "reference.jsonl", Path(folder) / "prediction.jsonl"
            reference.write_text("".join(json.dumps({query: q, answer: a}) + "\n" for q, a in truth))
            prediction.write_text("".join(json.dumps({query: q, answer: order[q]}) + "\n" for q, _ in truth))
            return dict(zip(("mean_recall", "r1", "r5", "r10"), module.compute_score(str(reference), str(prediction))))

    ranks = [1 + min(sorted(range(len(row)), key=lambda j: -row[j]).index(p) for p in own) for row, own in zip(scores.tolist(), several)]
    numbers = {
        "ks": ks, "clip_benchmark": found, "pictures_of_captions": several,
        "chinese_clip": {
            "text_to_image": score(evaluation, "text_id", "image_ids", scores, list(enumerate(several))),
            "image_to_text": score(evaluation_tr, "image_id", "text_ids", scores.T, sorted(back.items())),
        },
        "ranks": {
            "mean": float(np.mean(ranks)), "median": float(np.median(ranks)), "reciprocal": float(np.mean(1 / np.array(ranks))),
        },
    }
    return {"pictures": pictures, "captions": captions, "owner": owner.astype(np.int64)}, numbers


def zero_shot():
    sys.path.insert(0, str(SOURCES / "CLIP_benchmark"))
    from clip_benchmark.metrics import zeroshot_classification

    # It calls float() on arrays of one number, which newer NumPy refuses.
    zeroshot_classification.float = lambda value: value.item() if hasattr(value, "item") else float(value)
    generator = np.random.default_rng(2)
    pictures, labels = clusters(generator, 12, 300, 16, 2.0)
    labels[labels == 7] = 3  # a class that no picture has
    names, templates = [f"class {i}" for i in range(12)], [f"{t} {{c}}" for t in ("a", "b", "c", "d", "e")]
    centres = np.stack([pictures[labels == c].mean(0) if (labels == c).any() else generator.standard_normal(16) for c in range(12)])
    sentences = (centres[:, None] + 0.8 * generator.standard_normal((12, 5, 16))).astype(np.float32)

    class Model:
        def encode_image(self, images): return images
        def encode_text(self, rows): return rows

    def tokenizer(texts):
        return torch.from_numpy(np.stack([sentences[int(t.split()[-1]), "abcde".index(t[0])] for t in texts]))

    data = [(torch.from_numpy(pictures[i:i + 64]), torch.from_numpy(labels[i:i + 64])) for i in range(0, len(pictures), 64)]

    class Loader(list):
        dataset = types.SimpleNamespace(classes=names)

    with contextlib.redirect_stderr(io.StringIO()):
        found = zeroshot_classification.evaluate(Model(), Loader(data), tokenizer, names, templates, "cpu", amp=False)
        classifier = zeroshot_classification.zero_shot_classifier(Model(), tokenizer, names, templates, "cpu", amp=False)
    arrays = {
        "pictures": pictures, "labels": labels, "sentences": sentences.reshape(60, 16),
        "classifier": classifier.T.contiguous().numpy(),
    }
    return arrays, {key: float(value) for key, value in found.items()}


def neighbours():
    (classify,) = functions(SOURCES / "dino" / "eval_knn.py", ["knn_classifier"], {"torch": torch, "nn": torch.nn})
    generator = np.random.default_rng(3)
    rows, labels = clusters(generator, 9, 460, 12, 1.7)
    # Its loop takes a hundredth of the test rows at a time, so there must be a hundred.
    train, test = torch.from_numpy(rows[:300]), torch.from_numpy(rows[300:])
    arrays = {"train": rows[:300], "train_labels": labels[:300], "test": rows[300:], "test_labels": labels[300:]}
    train, test = F.normalize(train, dim=1, p=2), F.normalize(test, dim=1, p=2)
    numbers = []
    for temperature in (0.07, 0.5):
        for k in (1, 10, 20, 100, 200):
            top1, top5 = classify(
                train, torch.from_numpy(labels[:300]), test, torch.from_numpy(labels[300:]), k, temperature, num_classes=9)
            numbers.append({"k": k, "temperature": temperature, "top1": top1 / 100, "top5": top5 / 100})
    return arrays, {"results": numbers}


def linear():
    arrays, numbers = {}, []
    for name, classes, seed in (("many", 6, 4), ("two", 2, 5)):
        generator = np.random.default_rng(seed)
        rows, labels = clusters(generator, classes, 400, 16, 2.4)
        train, test = (rows[:240], labels[:240]), (rows[240:], labels[240:])
        arrays |= {f"{name}_train": train[0], f"{name}_train_labels": train[1], f"{name}_test": test[0], f"{name}_test_labels": test[1]}
        for c in (1e-4, 1e-2, 0.316, 10.0, 1000.0):
            # f64 and a small tolerance give the minimum itself; then as CLIP calls it.
            model = LogisticRegression(C=c, max_iter=100_000, tol=1e-10).fit(train[0].astype(np.float64), train[1])
            scores = model.decision_function(train[0].astype(np.float64))
            losses = np.logaddexp(0, np.where(train[1] == 1, -scores, scores)) if classes == 2 else (
                scipy.special.logsumexp(scores, axis=1) - scores[np.arange(len(scores)), train[1]])
            usual = LogisticRegression(C=c, max_iter=1000, random_state=0).fit(train[0], train[1])
            numbers.append({
                "name": name, "classes": classes, "c": c, "objective": float(c * losses.sum() + 0.5 * (model.coef_ ** 2).sum()),
                "accuracy": float(model.score(test[0].astype(np.float64), test[1])), "usual_accuracy": float(usual.score(*test)),
                "balanced": float(balanced_accuracy_score(test[1], model.predict(test[0].astype(np.float64)))),
            })
            arrays[f"{name}_{c}_coefficients"] = model.coef_.astype(np.float32)
            arrays[f"{name}_{c}_intercepts"] = model.intercept_.astype(np.float32)
    return arrays, {"results": numbers}


def platonic():
    # Only edit_distance_knn, which isn't asked for, needs torchaudio.
    sys.modules["torchaudio"] = types.ModuleType("torchaudio")
    sys.modules["torchaudio.functional"] = types.ModuleType("torchaudio.functional")
    sys.path.insert(0, str(SOURCES / "platonic-rep"))
    with contextlib.redirect_stdout(io.StringIO()):
        import metrics
    generator = np.random.default_rng(6)
    hidden = generator.standard_normal((96, 6)) * np.array([9, 7, 5, 4, 3, 2])
    a = hidden @ generator.standard_normal((6, 24)) + 1.0 * generator.standard_normal((96, 24))
    b = np.tanh(hidden / 4) @ generator.standard_normal((6, 40)) + 0.5 * generator.standard_normal((96, 40)) + 0.4
    a[::17, 3] += 60  # outliers
    a, b = a.astype(np.float32), b.astype(np.float32)
    numbers = []
    for q, normalises in ((0.95, True), (1, True), (0.95, False)):
        x, y = (metrics.remove_outliers(torch.from_numpy(v), q=q) for v in (a, b))
        if normalises:
            x, y = (F.normalize(v, p=2, dim=-1) for v in (x, y))
        for name in ("mutual_knn", "cycle_knn", "lcs_knn", "cknna"):
            for k in (2, 10, 40):
                numbers.append({
                    "metric": name, "k": k, "q": q, "normalises": normalises,
                    "value": float(metrics.AlignmentMetrics.measure(name, x, y, topk=k))})
        for name in ("cka", "unbiased_cka"):
            # In f64: without unit rows the f32 products lose what is compared.
            numbers.append({
                "metric": name, "q": q, "normalises": normalises,
                "value": float(metrics.AlignmentMetrics.measure(name, x.double(), y.double()))})
        for q_dim in (3, 6):
            torch.manual_seed(0)
            np.random.seed(0)
            published = float(metrics.AlignmentMetrics.measure("svcca", x, y, cca_dim=q_dim))
            numbers.append({
                "metric": "svcca", "components": q_dim, "q": q, "normalises": normalises, "value": exact_svcca(x, y, q_dim),
                "published": published})
    return {"a": a, "b": b}, {"results": numbers}


def exact_svcca(x, y, count):
    """svcca with all of the decomposition in place of a random sketch, and in f64."""
    def left(act):
        act = act.double()
        act = (act - act.mean(0)) / (act.std(0) + 1e-8)
        return torch.linalg.svd(act, full_matrices=False)[0][:, :count].numpy()
    u, v = left(x), left(y)
    cca = CCA(n_components=count, max_iter=100_000, tol=1e-14)
    a, b = cca.fit(u, v).transform(u, v)
    return float(np.mean([np.corrcoef(a[:, i], b[:, i])[0, 1] for i in range(count)]))


def main():
    GOLDEN.mkdir(exist_ok=True)
    versions = {"torch": torch.__version__, "scikit-learn": sklearn.__version__, "numpy": np.__version__}
    for make in (retrieval, zero_shot, neighbours, linear, platonic):
        arrays, numbers = make()
        save_file({key: np.ascontiguousarray(value) for key, value in arrays.items()}, GOLDEN / f"{make.__name__}.safetensors")
        (GOLDEN / f"{make.__name__}.json").write_text(json.dumps({"versions": versions} | numbers, indent=1) + "\n")


if __name__ == "__main__":
    main()
