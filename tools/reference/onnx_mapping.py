"""From the initializers of four published ONNX graphs to the parameter names of the families here."""
import re

import numpy as np
import onnx
import torch
from onnx import helper, numpy_helper


def arrays(graph):
    return {tensor.name: numpy_helper.to_array(tensor) for tensor in graph.initializer}


def node_path(node):
    """/blocks.0/attn/qkv/MatMul -> blocks.0.attn.qkv: the module that a node was traced from."""
    parts = node.name.strip("/").split("/")[:-1]
    kept = [part for i, part in enumerate(parts) if i + 1 == len(parts) or not parts[i + 1].startswith(part + ".")]
    return ".".join(kept)


def tensor(array):
    return torch.from_numpy(np.array(array, dtype=np.float32, order="C"))


def dequantise(values, scale, zero_point):
    """One scale and zero point for each output column of a [inputs, outputs] matrix."""
    return (values.astype(np.float32) - zero_point.astype(np.float32)) * scale


def clip_weights(model):
    """transformers CLIPVisionModelWithProjection names."""
    held = arrays(model.graph)
    weights = {name: tensor(value) for name, value in held.items() if name.startswith("vision_model.")}
    for node in model.graph.node:
        if node.op_type == "MatMulInteger":
            base = node.input[1].removesuffix("_quantized")
            matrix = dequantise(held[node.input[1]], held[base + "_scale"], held[base + "_zero_point"])
            weights[node_path(node) + ".weight"] = tensor(matrix.T)
    return weights


def clip_in_float(model):
    """The same graph with every dynamically quantised product replaced by a float MatMul."""
    graph = model.graph
    held = arrays(graph)
    source = {node.output[0]: node.input[0] for node in graph.node if node.op_type == "DynamicQuantizeLinear"}
    renamed, nodes, added, dropped = {}, [], [], set()
    for node in graph.node:
        if node.op_type == "MatMulInteger":
            base = node.input[1].removesuffix("_quantized")
            name = base + "_float"
            matrix = dequantise(held[node.input[1]], held[base + "_scale"], held[base + "_zero_point"])
            added.append(numpy_helper.from_array(np.ascontiguousarray(matrix), name))
            output = node.name.removesuffix("_quant") + "_float_output"
            nodes.append(helper.make_node("MatMul", [source[node.input[0]], name], [output], node.name))
            renamed[node.name + "_output_scale_mul"] = output
            dropped |= {node.input[1], base + "_scale", base + "_zero_point"}
    for node in graph.node:
        if node.name in renamed:
            nodes.append(helper.make_node("Identity", [renamed[node.name]], list(node.output), node.name))
        elif not (node.op_type in ("MatMulInteger", "DynamicQuantizeLinear") or node.name.endswith(("_quant_scales_mul", "_quantized_cast"))):
            nodes.append(node)
    result = onnx.ModelProto()
    result.CopyFrom(model)
    del result.graph.node[:], result.graph.initializer[:]
    result.graph.node.extend(in_order(nodes, graph))
    result.graph.initializer.extend([t for t in graph.initializer if t.name not in dropped] + added)
    return result


def in_order(nodes, graph):
    """ONNX wants every node after those whose outputs it reads."""
    known = {tensor.name for tensor in graph.initializer} | {value.name for value in graph.input} | {""}
    known |= {node.input[1].removesuffix("_quantized") + "_float" for node in graph.node if node.op_type == "MatMulInteger"}
    waiting, ordered = list(nodes), []
    while waiting:
        ready = [node for node in waiting if all(name in known for name in node.input)]
        if not ready:
            raise SystemExit("the graph has a cycle or an unknown input")
        for node in ready:
            known.update(node.output)
        ordered += ready
        taken = {id(node) for node in ready}
        waiting = [node for node in waiting if id(node) not in taken]
    return ordered


def with_outputs(model, names):
    """Inner values of a graph as further outputs."""
    result = onnx.ModelProto()
    result.CopyFrom(model)
    for name in names:
        result.graph.output.append(helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, None))
    return result


def dinov2_weights(model, grid=16, stretch=(16 + 0.1) / 37):
    """transformers Dinov2Model names, positions already interpolated to the graph's 16 x 16 patches.

    The export resizes the 37 x 37 table bilinearly without antialiasing, by a scale of 16.1 / 37 (not by
    size); transformers resizes bicubically by size. The baked table keeps the graph's own numbers.
    """
    held = arrays(model.graph)
    weights = {}
    for name, value in held.items():
        if name.startswith("model.") and name not in ("model.cls_token",) and ".attn.qkv." not in name:
            weights[dinov2_name(name.removeprefix("model."))] = tensor(value)
    for node in model.graph.node:
        if node.op_type == "MatMul" and node.input[1] in held:
            weights[dinov2_name(node_path(node) + ".weight")] = tensor(held[node.input[1]].T)
    for layer in range(12):
        bias = tensor(held[f"model.blocks.{layer}.attn.qkv.bias"])
        weight = weights.pop(f"blocks.{layer}.attn.qkv.weight")
        for part, w, b in zip(("query", "key", "value"), weight.chunk(3), bias.chunk(3)):
            weights[f"encoder.layer.{layer}.attention.attention.{part}.weight"] = w.clone()
            weights[f"encoder.layer.{layer}.attention.attention.{part}.bias"] = b.clone()
    weights["embeddings.cls_token"] = tensor(held["model.cls_token"])
    # The graph reads the class token for the class position too: the exporter stores equal tensors once.
    table = next(value for value in held.values() if value.shape == (1, 1369, 384))
    positions = bilinear_by_scale(table.reshape(37, 37, 384), grid, stretch).reshape(1, grid * grid, 384)
    weights["embeddings.position_embeddings"] = tensor(np.concatenate([held["model.cls_token"], positions], 1))
    weights["embeddings.mask_token"] = torch.zeros(1, 384)
    return weights


def bilinear_by_scale(table, size, scale):
    """ONNX Resize: linear, half_pixel, edges repeated, source = (i + 0.5) / scale - 0.5."""
    scale = np.float32(scale)

    def taps():
        source = np.clip((np.arange(size, dtype=np.float32) + np.float32(0.5)) / scale - np.float32(0.5), 0, len(table) - 1)
        low = np.floor(source).astype(int)
        return low, np.minimum(low + 1, len(table) - 1), (source - low).astype(np.float32)

    low, high, part = taps()
    rows = table[low] * (1 - part)[:, None, None] + table[high] * part[:, None, None]
    return rows[:, low] * (1 - part)[None, :, None] + rows[:, high] * part[None, :, None]


DINOV2_RULES = [
    (r"^patch_embed\.proj", "embeddings.patch_embeddings.projection"),
    (r"^norm\.", "layernorm."),
    (r"^blocks\.(\d+)\.attn\.proj", r"encoder.layer.\1.attention.output.dense"),
    (r"^blocks\.(\d+)\.ls(\d)\.gamma", r"encoder.layer.\1.layer_scale\2.lambda1"),
    (r"^blocks\.(\d+)\.(norm\d|mlp)", r"encoder.layer.\1.\2"),
]


def dinov2_name(name):
    for pattern, replacement in DINOV2_RULES:
        name = re.sub(pattern, replacement, name)
    return name


def tiny_vit_weights(model):
    """timm names; the BatchNorms are folded into convolutions, so each `conv` gains a bias and `bn` is gone."""
    held = arrays(model.graph)
    weights = {name: tensor(value) for name, value in held.items() if not name.startswith("onnx::")}
    for node in model.graph.node:
        if node.op_type == "Conv":
            weights[node_path(node) + ".weight"] = tensor(held[node.input[1]])
            weights[node_path(node) + ".bias"] = tensor(held[node.input[2]])
        elif node.op_type == "MatMul" and node.input[1] in held:
            weights[node_path(node) + ".weight"] = tensor(held[node.input[1]].T)
    return weights


def resnet_v2_weights(model):
    """Names of resnet_v2.ResNetV2."""
    held = {name.removeprefix("resnetv22_"): value for name, value in arrays(model.graph).items()}
    weights = {"classifier.weight": tensor(held["dense0_weight"]), "classifier.bias": tensor(held["dense0_bias"]),
               "stem.conv.weight": tensor(held["conv0_weight"])}

    def norm(target, source):
        for ours, theirs in (("weight", "gamma"), ("bias", "beta"), ("running_mean",) * 2, ("running_var",) * 2):
            weights[f"{target}.{ours}"] = tensor(held[f"{source}_{theirs}"])

    for target, source in (("input_norm", "batchnorm0"), ("stem.norm", "batchnorm1"), ("norm", "batchnorm2")):
        norm(target, source)
    for stage in range(4):
        # Gluon numbers convolutions in order of creation; the shortcut of a first block is made third.
        convolutions = ["0.conv1", "0.conv2"] + (["0.downsample"] if stage else []) + ["1.conv1", "1.conv2"]
        for index, name in enumerate(convolutions):
            weights[f"stages.{stage}.{name}.weight"] = tensor(held[f"stage{stage + 1}_conv{index}_weight"])
        for index in range(4):
            norm(f"stages.{stage}.{index // 2}.norm{index % 2 + 1}", f"stage{stage + 1}_batchnorm{index}")
    return weights
