"""ggml of llama.cpp's Python package in a process of its own: quantises weights and multiplies with them.

Requests: "quantise" rows of f32 in a file to a file, "load" weights and activations, "product" to a file, "time" with so many threads.
"""
import ctypes
import importlib.util
import pathlib
import time

import numpy as np

import conversation

TYPES = {"q4_0": 2, "q4_1": 3, "q8_0": 8, "q4_K": 12, "q6_K": 14}  # ggml's numbers


class Parameters(ctypes.Structure):
    _fields_ = [("mem_size", ctypes.c_size_t), ("mem_buffer", ctypes.c_void_p), ("no_alloc", ctypes.c_bool)]


class Plan(ctypes.Structure):
    # What follows differs between versions and is only handed back.
    _fields_ = [("work_size", ctypes.c_size_t), ("work_data", ctypes.c_void_p), ("n_threads", ctypes.c_int), ("rest", ctypes.c_void_p * 16)]


def library():
    folder = pathlib.Path(importlib.util.find_spec("llama_cpp").origin).parent / "lib"
    base = ctypes.CDLL(str(folder / "libggml-base.so"), mode=ctypes.RTLD_GLOBAL)
    cpu = ctypes.CDLL(str(folder / "libggml-cpu.so"))
    pointer, number = ctypes.c_void_p, ctypes.c_int64
    for function, result, *arguments in (
            (base.ggml_quantize_chunk, ctypes.c_size_t, ctypes.c_int, pointer, pointer, number, number, number, pointer),
            (base.ggml_init, pointer, Parameters), (base.ggml_free, None, pointer),
            (base.ggml_new_tensor_2d, pointer, pointer, ctypes.c_int, number, number),
            (base.ggml_mul_mat, pointer, pointer, pointer, pointer), (base.ggml_get_data, pointer, pointer),
            (base.ggml_new_graph_custom, pointer, pointer, ctypes.c_size_t, ctypes.c_bool),
            (base.ggml_build_forward_expand, None, pointer, pointer),
            (cpu.ggml_graph_plan, Plan, pointer, ctypes.c_int, pointer),
            (cpu.ggml_graph_compute, ctypes.c_int, pointer, ctypes.POINTER(Plan))):
        function.restype, function.argtypes = result, arguments
    cpu.ggml_cpu_init()
    return base, cpu


class Products:
    """A graph of `repeats` equal products."""

    def __init__(self, libraries, kind, weights, x, n, repeats):
        self.base, self.cpu = libraries
        self.repeats, base = repeats, self.base
        (m, k), size = x.shape, weights.nbytes + x.nbytes + repeats * (x.shape[0] * n * 4 + 4096) + (1 << 22)
        self.context = base.ggml_init(Parameters(size, None, False))
        w, right = base.ggml_new_tensor_2d(self.context, kind, k, n), base.ggml_new_tensor_2d(self.context, 0, k, m)
        ctypes.memmove(base.ggml_get_data(w), weights.ctypes.data, weights.nbytes)
        ctypes.memmove(base.ggml_get_data(right), x.ctypes.data, x.nbytes)
        self.graph = base.ggml_new_graph_custom(self.context, repeats + 8, False)
        for _ in range(repeats):
            self.out = base.ggml_mul_mat(self.context, w, right)
            base.ggml_build_forward_expand(self.graph, self.out)
        self.shape = (m, n)

    def seconds(self, threads):
        plan = self.cpu.ggml_graph_plan(self.graph, threads, None)
        work = np.zeros(plan.work_size + 64, np.uint8)
        plan.work_data = work.ctypes.data
        # Once unmeasured: the other threads wake and the processor settles before the clock starts.
        self.compute(plan)
        start = time.perf_counter()
        self.compute(plan)
        return (time.perf_counter() - start) / self.repeats

    def compute(self, plan):
        if self.cpu.ggml_graph_compute(self.graph, ctypes.byref(plan)):
            raise RuntimeError("ggml refused the graph")

    def product(self):
        (m, n), data = self.shape, self.base.ggml_get_data(self.out)
        return np.ctypeslib.as_array((ctypes.c_float * (m * n)).from_address(data)).reshape(m, n)

    def close(self):
        self.base.ggml_free(self.context)


def main():
    libraries, loaded = library(), []

    def quantise(format, weights, output):
        rows = np.load(weights)
        room = np.zeros(rows.nbytes, np.uint8)
        room[:libraries[0].ggml_quantize_chunk(TYPES[format], rows.ctypes.data, room.ctypes.data, 0, *rows.shape, None)].tofile(output)
        return {}

    def load(format, weights, x, m, n, k, repeats):
        while loaded:
            loaded.pop().close()
        loaded.append(Products(libraries, TYPES[format], np.fromfile(weights, np.uint8), np.fromfile(x, np.float32).reshape(m, k), n, repeats))
        return {}

    def product(output, threads):
        loaded[0].seconds(threads)
        loaded[0].product().tofile(output)
        return {}

    def time_of(threads):
        return {"seconds": loaded[0].seconds(threads)}

    conversation.serve({"quantise": quantise, "load": load, "product": product, "time": time_of})


if __name__ == "__main__":
    main()
