"""Rows as ggml quantises them: Tests/TensorsTests/golden/quantised.safetensors.

`x` [6, 256] f32 is what was stored; `q4_0` ... hold the bytes of its six rows, `q4_0.values` what ggml reads back. Needs the shared
library of llama-cpp-python (tried with 0.3.36).
"""
import ctypes
import importlib.util
import pathlib

import torch

from golden import ROOT, save_file

# ggml's numbers of the formats
FORMATS = {"q4_0": 2, "q4_1": 3, "q5_0": 6, "q5_1": 7, "q8_0": 8, "q4_K": 12, "q5_K": 13, "q6_K": 14}
K = 256


def inputs():
    generator = torch.Generator().manual_seed(7)
    normal = torch.randn((6, K), generator=generator)
    normal[1] = normal[1] / torch.rand(K, generator=generator).clamp_min(0.01)  # a few large elements
    normal[2] = normal[2].abs()
    normal[3] = normal[3] * 1e-5
    normal[4, 32:] = 0
    normal[5] = 0.25
    return normal.contiguous()


def main():
    folder = pathlib.Path(importlib.util.find_spec("llama_cpp").origin).parent / "lib"
    ggml = ctypes.CDLL(str(folder / "libggml-base.so"))
    number, pointer = ctypes.c_int64, ctypes.c_void_p
    ggml.ggml_quantize_chunk.argtypes = [ctypes.c_int, pointer, pointer, number, number, number, pointer]
    ggml.ggml_quantize_chunk.restype = ctypes.c_size_t
    x = inputs()
    arrays = {"x": x}
    for name, code in FORMATS.items():
        room = torch.zeros(x.numel() * 4, dtype=torch.uint8)
        size = ggml.ggml_quantize_chunk(code, x.data_ptr(), room.data_ptr(), 0, len(x), K, None)
        values = torch.zeros_like(x)
        read = getattr(ggml, f"dequantize_row_{name}")
        read.argtypes, read.restype = [pointer, pointer, number], None
        read(room.data_ptr(), values.data_ptr(), x.numel())
        arrays[name], arrays[f"{name}.values"] = room[:size].clone(), values
    save_file(arrays, ROOT / "Tests" / "TensorsTests" / "golden" / "quantised.safetensors", {"versions": "llama-cpp-python 0.3.36"})


if __name__ == "__main__":
    main()
