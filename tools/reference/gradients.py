"""Stored PyTorch gradients and optimiser steps: Tests/TensorsTests/golden/gradients.safetensors.

Arrays: `op.case.in0`, `in1`, ... and the expected `op.case.out0`, `out1`, ...
Metadata `cases`: [{"op", "case", "params"}].
"""
import json

import torch
import torch.nn.functional as F

from golden import ROOT, save_file, versions

torch.set_grad_enabled(True)
GENERATOR = torch.Generator().manual_seed(2026)
ARRAYS, CASES = {}, []


def normal(*shape, scale=1.0):
    return torch.randn(shape, generator=GENERATOR) * scale


def case(op, name, inputs, outputs, **params):
    for kind, tensors in (("in", inputs), ("out", outputs)):
        for index, tensor in enumerate(tensors):
            ARRAYS[f"{op}.{name}.{kind}{index}"] = tensor.detach().contiguous().clone()
    CASES.append({"op": op, "case": name, "params": params})


def gradients(function, inputs, dy):
    """Of sum(function(inputs) * dy) in each input, computed in f64."""
    wide = [tensor.double().requires_grad_() for tensor in inputs]
    return [gradient.float() for gradient in torch.autograd.grad(function(*wide), wide, dy.double())]


def unary():
    activations = {"gelu": F.gelu, "gelu_tanh": lambda x: F.gelu(x, approximate="tanh"), "gelu_quick": lambda x: x * torch.sigmoid(1.702 * x),
                   "silu": F.silu, "relu": F.relu, "tanh": torch.tanh, "sigmoid": torch.sigmoid, "erf": torch.erf, "exp": torch.exp,
                   "abs": torch.abs, "sin": torch.sin, "cos": torch.cos}
    x, dy = torch.cat([normal(33, scale=2), torch.tensor([0.0, -0.0, 15.0, -15.0])]), normal(37)
    for op, function in activations.items():
        case("unary", op, [x, dy], gradients(function, [x], dy))


def norms():
    for name, (rows, n) in {"small": (3, 5), "rows": (37, 40), "wide": (2, 300)}.items():
        x, weight, bias, dy = normal(rows, n) + 0.5, normal(n), normal(n), normal(rows, n)
        case("layer_norm", name, [x, weight, dy], gradients(lambda x, w, b: F.layer_norm(x, (n,), w, b, 1e-5), [x, weight, bias], dy))
        case("rms_norm", name, [x, weight, dy], gradients(lambda x, w: F.rms_norm(x, (n,), w, 1e-6), [x, weight], dy))
        y = torch.softmax(x.double(), -1).float()
        case("softmax", name, [y, dy], gradients(lambda x: torch.softmax(x, -1), [x], dy))
        y = torch.log_softmax(x.double(), -1).float()
        case("log_softmax", name, [x, dy], [y] + gradients(lambda x: torch.log_softmax(x, -1), [x], dy))


def attention():
    shapes = {"plain": (2, 2, 2, 5, 5, 8, 8), "grouped": (1, 4, 2, 7, 9, 8, 4), "causal": (1, 2, 1, 37, 37, 8, 8),
              "later": (1, 1, 1, 3, 8, 4, 4), "mask": (1, 2, 2, 6, 10, 4, 8), "long": (1, 1, 1, 140, 40, 4, 4)}
    for name, (batch, heads, key_heads, queries, keys, width, value_width) in shapes.items():
        q, k = normal(batch, queries, heads, width), normal(batch, keys, key_heads, width)
        v, dy = normal(batch, keys, key_heads, value_width), normal(batch, queries, heads, value_width)
        causal, mask = name in ("causal", "later"), torch.zeros(queries, keys)
        if name == "mask":
            mask = normal(queries, keys)
            mask[:, ::3] = float("-inf")

        def attend(q, k, v):
            hidden = torch.ones(queries, keys).triu(1 + keys - queries).bool() & causal
            k, v = (t.repeat_interleave(heads // key_heads, 2).transpose(1, 2) for t in (k, v))
            biases = (mask + torch.zeros(queries, keys).masked_fill(hidden, float("-inf"))).double()
            return F.scaled_dot_product_attention(q.transpose(1, 2), k, v, attn_mask=biases).transpose(1, 2)

        outputs = [gradient.transpose(1, 2) for gradient in gradients(attend, [q, k, v], dy)]
        case("attention", name, [q, k, v, dy] + [mask] * (name == "mask"), outputs, causal=causal)


def convolutions():
    settings = {"plain": (2, 3, 4, 1, 3, 1, 1, 1), "stride": (1, 3, 8, 1, 3, 2, 1, 1), "dilation": (1, 2, 8, 1, 3, 1, 2, 2),
                "groups": (1, 4, 16, 2, 3, 2, 1, 1), "depthwise": (2, 4, 4, 4, 3, 1, 1, 1), "depthwise_stride": (1, 4, 4, 4, 3, 2, 1, 1),
                "pointwise": (2, 8, 12, 1, 1, 1, 0, 1), "patches": (1, 3, 8, 1, 4, 4, 0, 1)}
    for name, (batch, inputs, outputs, groups, kernel, stride, padding, dilation) in settings.items():
        x, weight, bias = normal(batch, inputs, 9, 8), normal(outputs, inputs // groups, kernel, kernel), normal(outputs)
        options = {"stride": stride, "padding": padding, "dilation": dilation, "groups": groups}
        dy = normal(*F.conv2d(x, weight, **options).shape)
        case("conv2d", name, [x, weight, dy], gradients(lambda x, w, b: F.conv2d(x, w, b, **options), [x, weight, bias], dy), **options)


def pools():
    x = normal(2, 3, 9, 7)
    repeated = (x * 2).round() / 2  # equal values under one window
    for name, (kernel, stride, padding, dilation, ceil) in {"plain": (2, 2, 0, 1, False), "overlap": (3, 2, 1, 1, False), "ceil": (3, 2, 0, 1, True),
                                                            "dilation": (2, 1, 1, 3, False)}.items():
        options = {"stride": stride, "padding": padding}
        pooled = F.max_pool2d(repeated, kernel, dilation=dilation, ceil_mode=ceil, **options)
        dy = normal(*pooled.shape)
        case("max_pool2d", name, [repeated, dy],
             gradients(lambda x: F.max_pool2d(x, kernel, dilation=dilation, ceil_mode=ceil, **options), [repeated], dy),
             kernel=kernel, dilation=dilation, **options)
        if dilation != 1:
            continue
        for counted in (True, False):
            case("mean_pool2d", f"{name}_{'padded' if counted else 'inside'}", [x, dy],
                 gradients(lambda x: F.avg_pool2d(x, kernel, ceil_mode=ceil, count_include_pad=counted, **options), [x], dy),
                 kernel=kernel, dilation=1, count_padding=counted, **options)


def scatters():
    index, dy = torch.randint(0, 7, (40,), generator=GENERATOR), normal(40, 5)
    case("scatter", "rows", [index, dy], [torch.zeros(9, 5).index_add(0, index, dy)])


def steps(op, name, make, **params):
    """Ten steps of one optimiser from one start, gradients scaled by a half."""
    start, slopes = normal(37), normal(10, 37)
    w = start.clone().double().requires_grad_()
    optimiser = make([w])
    for slope in slopes:
        w.grad = slope.double() * 0.5
        optimiser.step()
    case(op, name, [start, slopes], [w.float()], **params)


class Lion(torch.optim.Optimizer):
    """Chen et al. 2023, "Symbolic Discovery of Optimization Algorithms", program 1."""

    def step(self):
        for group in self.param_groups:
            for w in group["params"]:
                m = self.state[w].setdefault("m", torch.zeros_like(w))
                update = torch.sign(group["beta1"] * m + (1 - group["beta1"]) * w.grad)
                m.mul_(group["beta2"]).add_(w.grad, alpha=1 - group["beta2"])
                with torch.no_grad():
                    w.sub_(group["rate"] * (update + group["decay"] * w))


class Lamb(torch.optim.Optimizer):
    """You et al. 2020, "Large Batch Optimization for Deep Learning", algorithm 2, with phi the identity."""

    def step(self):
        for group in self.param_groups:
            for w in group["params"]:
                state = self.state[w]
                m, v = (state.setdefault(name, torch.zeros_like(w)) for name in "mv")
                state["t"] = t = state.get("t", 0) + 1
                m.mul_(group["beta1"]).add_(w.grad, alpha=1 - group["beta1"])
                v.mul_(group["beta2"]).add_(w.grad**2, alpha=1 - group["beta2"])
                with torch.no_grad():
                    first, second = m / (1 - group["beta1"] ** t), v / (1 - group["beta2"] ** t)
                    direction = first / (second.sqrt() + group["epsilon"]) + group["decay"] * w
                    w.sub_(group["rate"] * w.norm() / direction.norm() * direction)


def optimisers():
    for name, (momentum, dampening, nesterov, decay) in {"plain": (0.0, 0.0, False, 0.1), "momentum": (0.9, 0.3, False, 0.0),
                                                         "nesterov": (0.9, 0.0, True, 0.01)}.items():
        options = {"momentum": momentum, "dampening": dampening, "nesterov": nesterov}
        steps("sgd", name, lambda w: torch.optim.SGD(w, lr=0.1, weight_decay=decay, **options), rate=0.1, decay=decay, **options)
    betas = {"beta1": 0.9, "beta2": 0.99}
    steps("adamw", "decay", lambda w: torch.optim.AdamW(w, lr=0.01, betas=(0.9, 0.99), eps=1e-8, weight_decay=0.1), rate=0.01, decay=0.1,
          epsilon=1e-8, **betas)
    steps("lion", "decay", lambda w: Lion(w, dict(rate=0.01, decay=0.1, **betas)), rate=0.01, decay=0.1, **betas)
    steps("lamb", "decay", lambda w: Lamb(w, dict(rate=0.01, decay=0.1, epsilon=1e-6, **betas)), rate=0.01, decay=0.1, epsilon=1e-6, **betas)


def main():
    for make in (unary, norms, attention, convolutions, pools, scatters, optimisers):
        make()
    names = [(c["op"], c["case"]) for c in CASES]
    assert len(names) == len(set(names))
    target = ROOT / "Tests" / "TensorsTests" / "golden" / "gradients.safetensors"
    save_file(ARRAYS, target, {"cases": json.dumps(CASES), "versions": json.dumps(versions())})
    print(len(CASES), "cases", target.stat().st_size // 1024, "KB")


if __name__ == "__main__":
    main()
