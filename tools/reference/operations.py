"""Stored PyTorch results for one-line operation tests, Tests/TensorsTests/golden/operations.safetensors, and the gradients of the
same cases, Tests/AutogradTests/golden/gradients.safetensors.

Arrays: `op.case.in0`, `in1`, ... and `op.case.out` (`out1`, ... where an operation has several results).
Metadata `cases`: [{"op", "case", "inputs", "outputs", "params"}]. Booleans and f16 keep their types.
Gradients: `op.case.seed` (`seed1`, ...), the gradient of each result, and `op.case.grad0`, `grad1`, ... of the inputs that have one.
Cases named `view_*` store the plain input; `params.view` says how to make it non-contiguous first.
"""
import json

import torch
import torch.nn.functional as F

from golden import ROOT, save_file, versions

torch.set_grad_enabled(True)
GENERATOR = torch.Generator().manual_seed(2024)
SEEDS = torch.Generator().manual_seed(2025)  # apart, so that gradients leave the other arrays as they are
ARRAYS, GRADIENTS, CASES = {}, {}, []


def normal(*shape, scale=1.0):
    return (torch.randn(shape, generator=GENERATOR) * scale).requires_grad_()


def positive(*shape):
    return (torch.rand(shape, generator=GENERATOR) * 3 + 0.05).requires_grad_()


def integers(low, high, *shape):
    return torch.randint(low, high, shape, generator=GENERATOR)


def case(op, name, inputs, output, **params):
    outputs = output if isinstance(output, (tuple, list)) else [output]
    for index, tensor in enumerate(inputs):
        ARRAYS[f"{op}.{name}.in{index}"] = tensor.detach().contiguous().clone()
    for index, tensor in enumerate(outputs):
        ARRAYS[f"{op}.{name}.out{index or ''}"] = tensor.detach().contiguous().clone()
    gradients(f"{op}.{name}", inputs, outputs)
    CASES.append({"op": op, "case": name, "inputs": len(inputs), "outputs": len(outputs), "params": params})


def gradients(label, inputs, outputs):
    results = [(i, o) for i, o in enumerate(outputs) if o.requires_grad and o.dtype == torch.float32]
    variables = [(i, x) for i, x in enumerate(inputs) if x.requires_grad and x.dtype == torch.float32]
    if not results or not variables:
        return
    seeds = [torch.randn(o.shape, generator=SEEDS) for _, o in results]
    found = torch.autograd.grad(sum((o * seed).sum() for (_, o), seed in zip(results, seeds)), [x for _, x in variables],
                                allow_unused=True, retain_graph=True)
    for (index, _), seed in zip(results, seeds):
        GRADIENTS[f"{label}.seed{index or ''}"] = seed
    for (index, _), gradient in zip(variables, found):
        if gradient is not None:
            GRADIENTS[f"{label}.grad{index}"] = gradient.contiguous().clone()


BINARY = {"add": torch.add, "sub": torch.sub, "mul": torch.mul, "div": torch.div, "maximum": torch.maximum,
          "minimum": torch.minimum, "pow": torch.pow}
SHAPES = {"same": ((3, 5), (3, 5)), "row": ((4, 7), (7,)), "column": ((4, 7), (4, 1)), "both": ((2, 1, 5), (3, 1)),
          "scalar": ((3, 4), ()), "rank4": ((2, 3, 1, 5), (1, 3, 4, 1)), "empty": ((0, 3), (3,))}


def binary():
    for op, function in BINARY.items():
        for name, (left, right) in SHAPES.items():
            a = positive(*left) if op == "pow" else normal(*left)
            b = normal(*right) if op != "div" else normal(*right) + 3
            case(op, name, [a, b], function(a, b))
    special = torch.tensor([float("inf"), float("-inf"), float("nan"), 0.0, -0.0, 1.0])
    for op in ("add", "mul", "maximum", "minimum"):  # a NaN on either side comes through
        case(op, "special", [special, special.roll(1)], BINARY[op](special, special.roll(1)))
    a, b = integers(-9, 9, 3, 4).int(), integers(1, 9, 4).int()
    for op in ("add", "sub", "mul"):
        case(op, "i32", [a, b], BINARY[op](a, b))


def unary():
    plain = torch.cat([normal(37, scale=3), torch.tensor([0.0, -0.0, 1e-6, -1e-6, 20.0, -20.0])])
    above = torch.cat([positive(29), torch.tensor([1e-6, 1.0, 1e4])])
    extreme = torch.tensor([88.0, -88.0, 100.0, -100.0, -104.0, float("inf"), float("-inf")])
    for op in ("neg", "exp", "tanh", "sigmoid", "erf", "abs", "sin", "cos"):
        case(op, "plain", [plain], getattr(torch, op)(plain))
        if op not in ("sin", "cos"):
            case(op, "extreme", [extreme], getattr(torch, op)(extreme))
    for op in ("log", "sqrt", "rsqrt"):
        case(op, "plain", [above], getattr(torch, op)(above))
    edges = torch.tensor([0.0, -1.0, float("inf")])
    for op in ("log", "sqrt"):
        case(op, "edges", [edges], getattr(torch, op)(edges))
    for op, function in {"gelu": F.gelu, "gelu_tanh": lambda x: F.gelu(x, approximate="tanh"),
                         "gelu_quick": lambda x: x * torch.sigmoid(1.702 * x), "silu": F.silu, "relu": F.relu}.items():
        case(op, "plain", [plain], function(plain))
        case(op, "shape", [x := normal(2, 3, 5)], function(x))


def reductions():
    x = normal(3, 4, 5)
    for name, dims, keep in (("last", [-1], False), ("first_keep", [0], True), ("middle", [1], False), ("two", [0, 2], False),
                             ("two_keep", [1, 2], True), ("all", [0, 1, 2], False)):
        params = dict(dims=dims, keepdim=keep)
        case("sum", name, [x], x.sum(dims, keepdim=keep), **params)
        case("mean", name, [x], x.mean(dims, keepdim=keep), **params)
        case("max", name, [x], x.amax(dims, keepdim=keep), **params)
        case("min", name, [x], x.amin(dims, keepdim=keep), **params)
        case("variance", name, [x], x.var(dims, correction=0, keepdim=keep), correction=0, **params)
        case("variance", name + "_unbiased", [x], x.var(dims, correction=1, keepdim=keep), correction=1, **params)
    ties = torch.tensor([[1.0, 3.0, 3.0], [2.0, 2.0, 0.0]])
    for name, value, dim in (("last", x, -1), ("first", x, 0), ("ties", ties, 1)):
        case("argmax", name, [value], value.argmax(dim), dim=dim)
    case("argmax", "keep", [x], x.argmax(1, keepdim=True), dim=1, keepdim=True)
    case("variance", "large_mean", [y := normal(4, 64) + 1000], y.double().var(-1, correction=0).float(), dims=[-1], keepdim=False, correction=0)
    for name, dim in (("last", -1), ("first", 0), ("middle", 1)):
        case("cumsum", name, [x], x.cumsum(dim), dim=dim)
    case("cumsum", "i64", [i := integers(-5, 5, 3, 6)], i.cumsum(1), dim=1)


def products():
    sizes = {"1x1": ((1, 1), (1, 1)), "7x13x5": ((7, 13), (13, 5)), "33x65x129": ((33, 65), (65, 129)), "row": ((1, 31), (31, 17)),
             "column": ((17, 31), (31, 1)), "vectors": ((19,), (19,)), "matrix_vector": ((7, 13), (13,)), "vector_matrix": ((13,), (13, 5)),
             "batched": ((3, 4, 6), (3, 6, 5)), "broadcast": ((2, 1, 4, 6), (3, 6, 5)), "shared": ((3, 4, 6), (6, 5)),
             "shared_left": ((4, 6), (3, 6, 5)), "batched_vector": ((3, 4, 6), (6,)), "inner0": ((2, 0), (0, 3))}
    for name, (left, right) in sizes.items():
        a, b = normal(*left), normal(*right)
        case("matmul", name, [a, b], a @ b)
    a, b = normal(5, 7), normal(9, 7)
    case("matmul", "view_transposed", [a, b], a @ b.T, view="in1.transposed(0, 1)")
    a, b = normal(2, 5, 3, 4), normal(2, 6, 3, 4)
    case("matmul", "view_heads", [a, b], a.permute(0, 2, 1, 3) @ b.permute(0, 2, 3, 1), view="in0.permuted(0,2,1,3) @ in1.permuted(0,2,3,1)")
    for name, shape, out, bias in (("bias", (4, 9), 6, True), ("plain", (4, 9), 6, False), ("batch", (2, 3, 9), 5, True), ("vector", (9,), 4, True)):
        x, w, b = normal(*shape), normal(out, shape[-1]), normal(out)
        case("linear", name, [x, w] + [b] * bias, F.linear(x, w, b if bias else None))


def convolutions():
    def conv(name, shape, weight, bias=True, **params):
        x, w, b = normal(*shape), normal(*weight, scale=0.3), normal(weight[0])
        case("conv2d", name, [x, w] + [b] * bias, F.conv2d(x, w, b if bias else None, **params), **params)

    conv("plain", (2, 3, 7, 9), (4, 3, 3, 3))
    conv("no_bias", (1, 3, 6, 6), (2, 3, 3, 3), bias=False)
    conv("stride2_pad1", (1, 4, 9, 8), (5, 4, 3, 3), stride=2, padding=1)
    conv("stride2_pad1_groups2", (2, 4, 9, 8), (6, 2, 3, 3), stride=2, padding=1, groups=2)
    conv("dilation2_pad2", (1, 3, 9, 9), (4, 3, 3, 3), dilation=2, padding=2)
    conv("depthwise", (2, 6, 8, 7), (6, 1, 3, 3), padding=1, groups=6)
    conv("depthwise_stride2", (1, 6, 8, 7), (6, 1, 3, 3), padding=1, stride=2, groups=6)
    conv("depthwise_multiplier", (1, 3, 6, 6), (6, 1, 3, 3), padding=1, groups=3)
    conv("pointwise", (2, 8, 5, 6), (5, 8, 1, 1))
    conv("pointwise_stride2", (1, 8, 5, 6), (5, 8, 1, 1), stride=2)
    conv("asymmetrical", (1, 3, 8, 10), (4, 3, 1, 5), stride=(2, 1), padding=(0, 2))
    conv("patches", (2, 3, 16, 24), (10, 3, 8, 8), stride=8)
    conv("stem7x7", (1, 3, 15, 17), (4, 3, 7, 7), stride=2, padding=3)
    for name, shape, params in (("3x3_stride2_pad1", (1, 3, 9, 8), dict(kernel_size=3, stride=2, padding=1)), ("2x2", (2, 2, 6, 5), dict(kernel_size=2, stride=2)),
                                ("1x3", (1, 2, 5, 7), dict(kernel_size=(1, 3), stride=(2, 1), padding=(0, 1)))):
        x = normal(*shape) - 2  # mostly negative, so that a padding of 0 would win wrongly
        case("max_pool2d", name, [x], F.max_pool2d(x, **params), **params)
        case("avg_pool2d", name, [x], F.avg_pool2d(x, **params), count_include_pad=True, **params)
    x = normal(1, 3, 9, 8)
    params = dict(kernel_size=3, stride=2, padding=1, count_include_pad=False)
    case("avg_pool2d", "exclude_pad", [x], F.avg_pool2d(x, **params), **params)


def norms():
    x = normal(3, 4, 5)
    for op in ("softmax", "log_softmax"):
        for name, value, dim in (("last", x, -1), ("first", x, 0), ("middle", x, 1), ("large", x * 200, -1), ("masked", x.masked_fill(x > 0.5, float("-inf")), -1)):
            case(op, name, [value], getattr(torch, op)(value, dim), dim=dim)
    for name, shape, eps in (("plain", (3, 7), 1e-5), ("eps6", (2, 3, 40), 1e-6), ("eps12", (2, 33), 1e-12), ("one", (4, 1), 1e-5)):
        x, w, b = normal(*shape) * 2 + 1, normal(shape[-1]), normal(shape[-1])
        case("layer_norm", name, [x, w, b], F.layer_norm(x, shape[-1:], w, b, eps), eps=eps)
        case("rms_norm", name, [x, w], F.rms_norm(x, shape[-1:], w, eps), eps=eps)
    x = normal(2, 8, 3) * 1e-3
    case("layer_norm", "no_affine", [x], F.layer_norm(x, (3,), None, None, 1e-5), eps=1e-5)
    case("layer_norm", "large_mean", [x := normal(3, 64) + 500], F.layer_norm(x.double(), (64,), None, None, 1e-5).float(), eps=1e-5)
    for name, shape, groups in (("two", (2, 6, 4, 5), 2), ("one", (1, 4, 3, 3), 1), ("each", (2, 4, 7), 4)):
        x, w, b = normal(*shape), normal(shape[1]), normal(shape[1])
        case("group_norm", name, [x, w, b], F.group_norm(x, groups, w, b, 1e-5), groups=groups, eps=1e-5)
    for name, shape in (("nchw", (2, 5, 3, 4)), ("nc", (4, 5))):
        x, mean, var, w, b = normal(*shape), normal(5).detach(), positive(5).detach(), normal(5), normal(5)
        case("batch_norm", name, [x, mean, var, w, b], F.batch_norm(x, mean, var, w, b, False, 0, 1e-5), eps=1e-5)


def attention():
    q, k, v = normal(2, 3, 5, 8), normal(2, 3, 7, 8), normal(2, 3, 7, 8)
    case("attention", "plain", [q, k, v], F.scaled_dot_product_attention(q, k, v))
    mask = normal(2, 1, 5, 7)
    case("attention", "additive", [q, k, v, mask], F.scaled_dot_product_attention(q, k, v, mask), mask="additive")
    keep = torch.rand(2, 1, 5, 7, generator=GENERATOR) > 0.4
    keep[..., 0] = True
    case("attention", "boolean", [q, k, v, keep], F.scaled_dot_product_attention(q, k, v, keep), mask="boolean, true = attend")
    square = normal(2, 3, 7, 8)
    case("attention", "causal", [square, k, v], F.scaled_dot_product_attention(square, k, v, is_causal=True), causal=True)
    case("attention", "scale", [q, k, v], F.scaled_dot_product_attention(q, k, v, scale=0.3), scale=0.3)
    k2, v2, q6 = normal(2, 2, 7, 8), normal(2, 2, 7, 8), normal(2, 6, 5, 8)
    case("attention", "grouped_query", [q6, k2, v2], F.scaled_dot_product_attention(q6, k2, v2, enable_gqa=True), key_heads=2)
    q, k, v = normal(1, 2, 65, 16), normal(1, 2, 65, 16), normal(1, 2, 65, 16)
    case("attention", "longer", [q, k, v], F.scaled_dot_product_attention(q, k, v))


def indexing():
    x = normal(4, 5, 3)
    index = integers(0, 3, 4, 5, 2)
    case("gather", "last", [x, index], x.gather(2, index), dim=2)
    case("gather", "first", [x, i := integers(0, 4, 2, 5, 3)], x.gather(0, i), dim=0)
    case("index_select", "middle", [x, i := torch.tensor([4, 0, 0, 2])], x.index_select(1, i), dim=1)
    case("index_select", "embedding", [w := normal(9, 4), i := integers(0, 9, 6)], w.index_select(0, i), dim=0)
    case("take_along_dim", "broadcast", [x, i := integers(0, 5, 4, 2, 1)], torch.take_along_dim(x, i, 1), dim=1)
    y = torch.tensor([[3.0, 1.0, 3.0, -2.0, 1.0, 0.5], [0.0, -0.0, 5.0, 5.0, 5.0, 1.0]])
    distinct = normal(3, 11)
    for name, value, k, largest in (("largest", distinct, 4, True), ("smallest", distinct, 3, False), ("all", distinct, 11, True)):
        values, places = value.topk(k, -1, largest=largest, sorted=True)
        case("topk", name, [value], [values, places], k=k, dim=-1, largest=largest)
    for name, value, dim, down in (("ties", y, 1, False), ("ties_descending", y, 1, True), ("first", distinct, 0, False)):
        values, places = torch.sort(value, stable=True, dim=dim, descending=down)
        case("sort", name, [value], [values, places], dim=dim, descending=down, stable=True)
        case("argsort", name, [value], places, dim=dim, descending=down, stable=True)
    case("sort", "nan", [n := torch.tensor([2.0, float("nan"), -1.0, float("inf")])], list(torch.sort(n, stable=True)), dim=0, descending=False, stable=True)


def interpolation():
    x = normal(1, 2, 7, 9)
    sizes = {"up": (13, 20), "down": (3, 4), "mixed": (5, 17), "same": (7, 9), "one": (1, 1)}
    for mode in ("bilinear", "bicubic"):
        for corners in (False, True):
            for antialias in (False, True):
                for name, size in sizes.items():
                    params = dict(size=size, mode=mode, align_corners=corners, antialias=antialias)
                    tag = f"{name}_{'corners' if corners else 'half'}{'_antialias' if antialias else ''}"
                    case("interpolate", f"{mode}_{tag}", [x], F.interpolate(x, **params), **params)
    for mode in ("bilinear", "bicubic"):  # a given scale is used for the coordinates, not size / size
        params = dict(scale_factor=(1.55, 0.62), mode=mode, align_corners=False)
        case("interpolate", f"{mode}_scale_factor", [x], F.interpolate(x, **params), **params)


def shapes():
    a, b = normal(2, 3, 4), normal(2, 5, 4)
    case("cat", "middle", [a, b], torch.cat([a, b], 1), dim=1)
    case("cat", "last", [a, c := normal(2, 3, 1)], torch.cat([a, c], -1), dim=-1)
    case("stack", "first", [a, c := normal(2, 3, 4)], torch.stack([a, c]), dim=0)
    case("stack", "last", [a, c], torch.stack([a, c], -1), dim=-1)
    case("split", "equal", [b], b.split(2, 1), size=2, dim=1)
    case("split", "sizes", [b], b.split([1, 4], 1), sizes=[1, 4], dim=1)
    case("pad", "last_two", [a], F.pad(a, (1, 2, 0, 3), value=0.5), pads=[1, 2, 0, 3], value=0.5, order="last dimension first, before then after")
    case("flip", "one", [a], a.flip(1), dims=[1])
    case("flip", "two", [a], a.flip((0, 2)), dims=[0, 2])
    case("roll", "one", [a], a.roll(-1, 1), shifts=[-1], dims=[1])
    case("roll", "two", [a], a.roll((1, 2), (0, 2)), shifts=[1, 2], dims=[0, 2])
    condition = normal(3, 1) > 0
    case("where", "broadcast", [condition, a, c := normal(4)], torch.where(condition, a, c))
    case("clamp", "both", [a], a.clamp(-0.5, 0.7), min=-0.5, max=0.7)
    case("clamp", "min", [a], a.clamp(min=0.1), min=0.1)
    x = normal(2, 4, 5)
    for diagonal in (0, 1, -2):
        case("tril", f"diagonal{diagonal}", [x], x.tril(diagonal), diagonal=diagonal)
    case("one_hot", "plain", [i := integers(0, 6, 3, 2)], F.one_hot(i, 6), classes=6)
    case("permute", "plain", [x], x.permute(2, 0, 1), dims=[2, 0, 1])
    case("transpose", "plain", [x], x.transpose(0, 2), dims=[0, 2])
    case("expand", "plain", [e := normal(3, 1, 2)], e.expand(4, 3, 5, 2), shape=[4, 3, 5, 2])


def views():
    x = normal(4, 5, 6)
    y = x.permute(2, 0, 1)
    view = dict(view="in0.permuted(2, 0, 1)")
    case("softmax", "view_permuted", [x], y.softmax(1), dim=1, **view)
    case("sum", "view_permuted", [x], y.sum([0, 2]), dims=[0, 2], keepdim=False, **view)
    case("reshape", "view_permuted", [x], y.reshape(12, 10), shape=[12, 10], **view)
    case("layer_norm", "view_permuted", [x, w := normal(5), b := normal(5)], F.layer_norm(y, (5,), w, b, 1e-5), eps=1e-5, **view)
    case("exp", "view_sliced", [x], x[1:3, :, 1::2].exp(), view="in0[1..<3, all, stride(from: 1, by: 2)]")
    case("add", "view_transposed", [a := normal(4, 3), b := normal(3, 4)], a.T + b, view="in0.transposed(0, 1)")
    case("cat", "view_transposed", [a, b], torch.cat([a.T, b], 0), dim=0, view="in0.transposed(0, 1)")
    case("conv2d", "view_nhwc", [z := normal(1, 6, 5, 3), w := normal(4, 3, 3, 3)], F.conv2d(z.permute(0, 3, 1, 2), w), view="in0.permuted(0, 3, 1, 2)")


def casts():
    f32 = torch.tensor([0.0, -0.0, 1.0, -1.5, 0.1, 1 / 3, 2049.0, 2051.0, 65504.0, 65519.9, 65520.0, 7e4, -7e4, 1e-4, 6e-5, 6.1e-5, 5.96e-8,
                        2.98e-8, 2.9802326e-8, 3e-8, 1e-10, 1e38, 3.4e38, 1.00390625, 1.01171875, 1.0039063, 257.0, 259.0,
                        float("inf"), float("-inf"), float("nan")])
    case("cast", "f32_f16", [f32], f32.half(), to="f16")
    case("cast", "f32_bf16", [f32], f32.bfloat16(), to="bf16")
    half = torch.arange(0, 65536, 97, dtype=torch.int32).to(torch.uint16).view(torch.float16)
    half = half[~half.isnan()]
    case("cast", "f16_f32", [half], half.float(), to="f32")
    case("cast", "bf16_f32", [h := normal(16).bfloat16()], h.float(), to="f32")
    inside = torch.tensor([0.0, 0.4, 0.5, 0.9, 1.5, -0.4, -0.5, -0.9, -1.5, 126.9, 127.0, -127.5, -128.0])
    case("cast", "f32_i8", [inside], inside.to(torch.int8), to="i8", rounding="towards zero")
    case("cast", "f32_i32", [i := inside * 1000], i.to(torch.int32), to="i32", rounding="towards zero")
    case("cast", "f32_i64", [i], i.to(torch.int64), to="i64", rounding="towards zero")
    case("cast", "f32_u8", [u := inside.abs() * 2], u.to(torch.uint8), to="u8", rounding="towards zero")
    case("cast", "f32_bool", [inside], inside.bool(), to="bool")
    case("cast", "i64_f32", [i := torch.tensor([0, 1, -1, 16777217, 2**31, -(2**40) + 1])], i.float(), to="f32")
    case("cast", "bool_f32", [b := torch.tensor([True, False])], b.float(), to="f32")
    case("cast", "u8_i8", [u := torch.tensor([0, 1, 127], dtype=torch.uint8)], u.to(torch.int8), to="i8")


def main():
    for make in (binary, unary, reductions, products, convolutions, norms, attention, indexing, interpolation, shapes, views, casts):
        make()
    names = [(c["op"], c["case"]) for c in CASES]
    assert len(names) == len(set(names))
    target = ROOT / "Tests" / "TensorsTests" / "golden"
    target.mkdir(parents=True, exist_ok=True)
    save_file(ARRAYS, target / "operations.safetensors", {"cases": json.dumps(CASES), "versions": json.dumps(versions())})
    print(len(CASES), "cases", (target / "operations.safetensors").stat().st_size // 1024, "KB")
    place = ROOT / "Tests" / "AutogradTests" / "golden"
    place.mkdir(parents=True, exist_ok=True)
    save_file(GRADIENTS, place / "gradients.safetensors", {"versions": json.dumps(versions())})
    print(len(GRADIENTS), "arrays of gradients", (place / "gradients.safetensors").stat().st_size // 1024, "KB")


if __name__ == "__main__":
    main()
