"""Makes the small files of this folder: every kind that the readers take, and kinds that they must refuse.

    python make_fixtures.py        # torch, numpy, safetensors and onnx as pinned in tools/reference/requirements.txt

`expected.safetensors` holds the tensors as the readers give them, named `file/tensor`.
"""
import io
import json
import os
import pickle
import struct
import zipfile
from collections import OrderedDict
from pathlib import Path

import numpy as np
import onnx
import torch
from onnx import TensorProto, helper, numpy_helper
from safetensors.torch import save_file
from torch import nn

HERE = Path(__file__).parent
torch.manual_seed(7)
expected = {}


def expect(file, tensors):
    for name, value in tensors.items():
        value = value.detach()
        if value.dtype == torch.float64:
            value = value.float()
        if value.dtype in (torch.int16, torch.uint16):
            value = value.to(torch.int32)
        if value.dtype in (torch.uint32, torch.uint64):
            value = value.to(torch.int64)
        expected[f"{file}/{name}"] = value.contiguous().clone()


def kinds():
    base = torch.randn(4, 6)
    return OrderedDict(
        weight=torch.randn(3, 5), half=torch.randn(2, 3).half(), brain=torch.randn(2, 3).bfloat16(), double=torch.randn(4).double(),
        long=torch.tensor([-1, 2**40]), int=torch.tensor([1, -2], dtype=torch.int32), short=torch.tensor([3, -4], dtype=torch.int16),
        char=torch.tensor([-5], dtype=torch.int8), byte=torch.tensor([250], dtype=torch.uint8), truth=torch.tensor([True, False, True]),
        scalar=torch.tensor(1.5), empty=torch.zeros(0, 3), transposed=base.t(), row=base[1], slice=base[:, 1:4], step=base[::2, ::3],
        repeated=torch.arange(3.0).expand(2, 3), permuted=torch.randn(2, 3, 4).permute(2, 0, 1), parameter=nn.Parameter(torch.randn(2, 2)),
    )


def torch_files():
    state = kinds()
    for file, new in (("kinds.pt", True), ("kinds_legacy.pt", False)):
        torch.save(state, HERE / file, _use_new_zipfile_serialization=new)
        expect(file, state)
    for protocol in (3, 4, 5):
        small = {"a": torch.randn(2, 2), "b": {"c": torch.ones(1)}}
        torch.save(small, HERE / f"protocol{protocol}.pt", pickle_protocol=protocol)
        expect(f"protocol{protocol}.pt", {"a": small["a"], "b.c": small["b"]["c"]})
    model = nn.Sequential(nn.Linear(3, 2), nn.BatchNorm1d(2))
    nested = {"state_dict": OrderedDict(("module." + k, v) for k, v in model.state_dict().items()), "epoch": 7, "lr": 1e-4, "name": "tiny",
              "ema": {"0.weight": torch.ones(2, 3)}, "optimizer": {"state": {0: {"step": torch.tensor(3.0)}}}}
    torch.save(nested, HERE / "nested.pt")
    expect("nested.pt", nested["state_dict"])


class Block(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv1 = nn.Conv2d(3, 2, 2)
        self.register_buffer("scale", torch.tensor(2.0))
        self.width = 2

    def forward(self, x):
        return self.conv1(x) * self.scale


class Tower(nn.Module):
    def __init__(self):
        super().__init__()
        self.visual = Block()
        self.proj = nn.Parameter(torch.randn(2, 3).half())

    def forward(self, x):
        return self.visual(x)


def torchscript():
    tower = Tower()
    saved = io.BytesIO()
    torch.jit.save(torch.jit.script(tower), saved)
    # Without the members that name the machine it was made on.
    with zipfile.ZipFile(saved) as source, zipfile.ZipFile(HERE / "script.pt", "w") as out:
        for name in source.namelist():
            if not name.endswith(("debug_pkl", "serialization_id")):
                out.writestr(zipfile.ZipInfo("script/" + name.split("/", 1)[1]), source.read(name))
    expect("script.pt", tower.state_dict())


class Call:
    def __init__(self, function, *arguments):
        self.function, self.arguments = function, arguments

    def __reduce__(self):
        return self.function, self.arguments


def archive(file, pickled, members=()):
    with zipfile.ZipFile(HERE / file, "w") as out:
        out.writestr(zipfile.ZipInfo("archive/data.pkl"), pickled)  # no time of writing: the same file every time
        for name, data in members:
            out.writestr(zipfile.ZipInfo("archive/data/" + name), data)


def storage(kind, key, count):
    text = lambda t: b"X" + struct.pack("<I", len(t)) + t.encode()
    number = b"\x8a\x08" + struct.pack("<q", count)
    return b"(" + text("storage") + b"ctorch\n" + kind.encode() + b"\n" + text(key) + text("cpu") + number + b"tQ"


def tensor(kind, key, count, offset, shape, stride):
    long = lambda n: b"\x8a\x08" + struct.pack("<q", n)
    tup = lambda ns: b"(" + b"".join(map(long, ns)) + b"t"
    return (b"ctorch._utils\n_rebuild_tensor_v2\n(" + storage(kind, key, count) + long(offset) + tup(shape) + tup(stride) + b"\x89" +
            b"ccollections\nOrderedDict\n)R" + b"tR")


def hostile_pickles():
    archive("evil_system.pt", pickle.dumps({"w": Call(os.system, "touch /tmp/sensorium_was_here")}, 2))
    archive("evil_eval.pt", pickle.dumps(Call(eval, "1+1"), 4))
    archive("evil_inst.pt", b"(S'x'\nios\nsystem\n.")
    named = lambda body: b"\x80\x02}X\x01\x00\x00\x00w" + body + b"s."
    data = struct.pack("<4f", 1, 2, 3, 4)
    bad = {
        "beyond": tensor("FloatStorage", "0", 4, 2, [4], [1]), "negative": tensor("FloatStorage", "0", 4, 0, [-1], [1]),
        "huge": tensor("FloatStorage", "0", 2**62, 0, [2**31, 2**31], [2**31, 1]), "overflow": tensor("FloatStorage", "0", 4, 0, [3], [2**62]),
        "lies": tensor("FloatStorage", "0", 1000, 0, [1000], [1]), "absent": tensor("FloatStorage", "9", 4, 0, [4], [1]),
        "windows": tensor("FloatStorage", "0", 4, 0, [3, 2], [1, 1]), "zeros": tensor("FloatStorage", "0", 4, 0, [0, 2**62, 2**62], [1, 1, 1]),
        "rank": tensor("FloatStorage", "0", 4, 0, [1] * 40, [1] * 40),
    }
    for name, body in bad.items():
        archive(f"bad_{name}.pt", named(body), [("0", data)])
    # Every level holds the one before twice: 2^40 places from some hundred bytes.
    bomb = b"\x80\x02]q\x00"
    for level in range(40):
        bomb += b"]q" + bytes([level + 1]) + b"(h" + bytes([level]) + b"h" + bytes([level]) + b"e"
    archive("bomb_memo.pt", bomb + b".")
    archive("bomb_deep.pt", b"\x80\x02" + b"]" * 50_000 + b"a" * 49_999 + b".")
    archive("bomb_self.pt", b"\x80\x02]q\x00h\x00a.")
    archive("bomb_object.pt", b"\x80\x02ctorch\ndevice\n)R" + b"q\x00h\x00b.")
    archive("bomb_length.pt", b"\x80\x02X\xff\xff\xff\x7fabc.")
    archive("bomb_mark.pt", b"\x80\x02tu.")
    archive("bomb_underflow.pt", b"\x80\x02sss.")
    copies = b"\x80\x02](" + b"N" * 20_000 + b"eq\x00" + b"0(cbuiltins\nset\nq\x010" + b"h\x01h\x00\x85R0" * 5_000 + b"N."
    with zipfile.ZipFile(HERE / "bomb_copies.pt", "w", zipfile.ZIP_DEFLATED) as out:
        out.writestr(zipfile.ZipInfo("archive/data.pkl"), copies, zipfile.ZIP_DEFLATED)


def numpy_files():
    arrays = {
        "f4": np.arange(6, dtype="<f4").reshape(2, 3), "f2": np.arange(3, dtype="<f2"), "f8": np.linspace(0, 1, 4), "i1": np.array([-1, 1], "i1"),
        "i2": np.array([-300, 300], "<i2"), "i4": np.array([-7], "<i4"), "i8": np.array([2**40, -3], "<i8"), "u1": np.array([255], "u1"),
        "u2": np.array([65535], "<u2"), "u4": np.array([2**32 - 1], "<u4"), "u8": np.array([2**63 - 1], "<u8"), "b1": np.array([True, False]),
        "fortran": np.asfortranarray(np.arange(24, dtype="<f4").reshape(2, 3, 4)), "big": np.array([1.5, -2], ">f4"),
        "scalar": np.array(2.5, "<f4"), "empty": np.zeros((0, 4), "<f4"),
    }
    np.savez(HERE / "kinds.npz", **arrays)
    np.savez_compressed(HERE / "packed.npz", **arrays)
    given = {k: torch.from_numpy(np.ascontiguousarray(v.astype(v.dtype.newbyteorder("=")))).reshape(v.shape) for k, v in arrays.items()}
    expect("kinds.npz", given)
    np.save(HERE / "fortran.npy", arrays["fortran"])
    expect("fortran.npy", {"array": given["fortran"]})
    for version in (2, 3):
        with open(HERE / f"version{version}.npy", "wb") as out:
            np.lib.format.write_array(out, arrays["f4"], version=(version, 0))
        expect(f"version{version}.npy", {"array": given["f4"]})
    np.save(HERE / "objects.npy", np.array([{}], dtype=object), allow_pickle=True)
    np.save(HERE / "records.npy", np.zeros(2, dtype=[("a", "<f4"), ("b", "<i4")]))


def safetensors_files():
    tensors = {"b.weight": torch.randn(2, 3), "a": torch.tensor([1, 2, 3], dtype=torch.uint8), "half": torch.randn(3).half(),
               "double": torch.randn(2).double(), "u16": torch.tensor([65535], dtype=torch.uint16), "brain": torch.randn(2).bfloat16(),
               "long": torch.tensor([2**40]), "truth": torch.tensor([True, False]), "scalar": torch.tensor(3.0), "empty": torch.zeros(2, 0)}
    save_file(tensors, HERE / "kinds.safetensors", {"format": "pt", "note": "ein \"Wort\" \u4e2d"})
    expect("kinds.safetensors", tensors)
    save_file({"w": torch.ones(2).to(torch.float8_e4m3fn)}, HERE / "f8.safetensors")
    # A header that isn't padded: every tensor lies on an odd byte.
    header = b'{"x":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}}'
    header += b" " * (1 - len(header) % 2)
    (HERE / "unaligned.safetensors").write_bytes(struct.pack("<Q", len(header)) + header + struct.pack("<2f", 1.5, -2))
    expect("unaligned.safetensors", {"x": torch.tensor([1.5, -2.0])})

    def broken(name, header, data=b"\0" * 16, length=None):
        text = header if isinstance(header, bytes) else json.dumps(header).encode()
        (HERE / f"broken_{name}.safetensors").write_bytes(struct.pack("<Q", len(text) if length is None else length) + text + data)

    entry = lambda shape=(2,), offsets=(0, 8), kind="F32": {"dtype": kind, "shape": list(shape), "data_offsets": list(offsets)}
    broken("overlap", {"x": entry(), "y": entry(offsets=(4, 12))})
    broken("beyond", {"x": entry((8,), (0, 32))})
    broken("size", {"x": entry((3,), (0, 8))})
    broken("negative", {"x": entry((-2,), (0, 8))})
    broken("huge", {"x": entry((2**40, 2**40), (0, 8))})
    broken("backwards", {"x": entry(offsets=(8, 0))})
    broken("length", {"x": entry()}, length=2**63)
    broken("truncated", {"x": entry()}, length=10**6)
    broken("twice", b'{"x":{"dtype":"F32","shape":[2],"data_offsets":[0,8]},"x":{"dtype":"F32","shape":[2],"data_offsets":[8,16]}}')
    broken("deep", b"[" * 5000)
    broken("missing", {"x": {"dtype": "F32"}})
    folder = HERE / "sharded"
    folder.mkdir(exist_ok=True)
    parts = {"model-00001-of-00002.safetensors": {"a": torch.ones(2)}, "model-00002-of-00002.safetensors": {"b": torch.zeros(3)}}
    for file, held in parts.items():
        save_file(held, folder / file)
    places = {name: file for file, held in parts.items() for name in held}
    (folder / "model.safetensors.index.json").write_text(json.dumps({"metadata": {"total_size": 20}, "weight_map": places}))


def onnx_file():
    rng = np.random.default_rng(3)
    float_list = helper.make_tensor("float_list", TensorProto.FLOAT, [2, 2], [1.0, 2.0, 3.0, 4.0])
    half_list = helper.make_tensor("half_list", TensorProto.FLOAT16, [2], [1.5, -2.0])
    int_list = helper.make_tensor("int_list", TensorProto.INT32, [2], [-5, 6])
    long_list = helper.make_tensor("long_list", TensorProto.INT64, [2], [-(2**40), 3])
    weights = {"w_quantized": rng.integers(-128, 127, (3, 2)).astype("i1"), "w_scale": rng.random(2).astype("f4"),
               "w_zero_point": np.array([1, -2], "i1"), "raw": rng.random((2, 3)).astype("f4"), "double": rng.random(3)}
    nodes = [
        helper.make_node("Constant", [], ["constant"], name="/c/Constant", value=numpy_helper.from_array(np.array([7, 8], "i8"))),
        helper.make_node("DynamicQuantizeLinear", ["x"], ["q", "s", "z"], name="quantise"),
        helper.make_node("MatMulInteger", ["q", "w_quantized", "z", "w_zero_point"], ["y"], name="/layers.0/q_proj/MatMul_quant"),
        helper.make_node("Conv", ["x", "raw"], ["v"], name="/conv/Conv", kernel_shape=[3, 3], auto_pad="SAME_UPPER"),
        helper.make_node("LeakyRelu", ["v"], ["u"], name="relu", alpha=0.25),
    ]
    graph = helper.make_graph(nodes, "small", [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["n", 3])],
                              [helper.make_tensor_value_info("y", TensorProto.INT32, ["n", 2])],
                              [numpy_helper.from_array(v, k) for k, v in weights.items()] + [float_list, half_list, int_list, long_list])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 14)], producer_name="fixtures")
    onnx.save(model, HERE / "small.onnx")
    given = {k: torch.from_numpy(v) for k, v in weights.items()}
    given |= {"float_list": torch.tensor([[1.0, 2], [3, 4]]), "half_list": torch.tensor([1.5, -2]).half(),
              "int_list": torch.tensor([-5, 6], dtype=torch.int32), "long_list": torch.tensor([-(2**40), 3]), "constant": torch.tensor([7, 8])}
    expect("small.onnx", given)
    outside = helper.make_tensor("w", TensorProto.FLOAT, [2], [0.0, 0.0])
    del outside.float_data[:]
    outside.data_location = TensorProto.EXTERNAL
    for file, place in (("external.onnx", "external.bin"), ("escape.onnx", "../checkpoints/external.bin")):
        del outside.external_data[:]
        for key, value in (("location", place), ("offset", "4"), ("length", "8")):
            outside.external_data.add(key=key, value=value)
        other = helper.make_graph([], "external", [], [], [outside])
        (HERE / file).write_bytes(helper.make_model(other).SerializeToString())
    (HERE / "external.bin").write_bytes(struct.pack("<3f", 0, 5, 6))
    expect("external.onnx", {"w": torch.tensor([5.0, 6.0])})


torch_files()
torchscript()
hostile_pickles()
numpy_files()
safetensors_files()
onnx_file()
save_file(expected, HERE / "expected.safetensors")
print(sum(f.stat().st_size for f in HERE.rglob("*") if f.is_file()), "bytes")
