"""A tiny PP-OCR model and its outputs from rapidocr's PyTorch networks.

Run: python reference.py            (environment: tools/reference/README.md; only this needs rapidocr)

Detector, line reader and classifier of turned lines lie in one folder, merged as for inference: branches into one convolution, and in
the detector's head norms into convolutions.
"""
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[4] / "tools" / "reference"))

import torch
from rapidocr.inference_engine.pytorch.networks.architectures.base_model import BaseModel
from rapidocr.inference_engine.pytorch.networks.backbones import rec_lcnetv4 as lcnet
from rapidocr.inference_engine.pytorch.networks.backbones import rec_mobilenet_v3 as mobilenet
from rapidocr.inference_engine.pytorch.networks.heads.cls_head import ClsHead
from safetensors.torch import save_file
from torch import nn

from golden import Golden, fresh, randomise, write_json

CHARACTERS = "ab的一 ₂𠀋\"\\"

DETECTOR = [("blocks_s1", [8, 8], [1, 0], [1, 1]), ("blocks_s2", [12], [0], [2, 2]), ("blocks_s3", [16, 16], [0, 1], [2, 2]),
            ("blocks_s4", [16], [0], [2, 2])]
RECOGNIZER = [("blocks2", [8], [1], [1, 1]), ("blocks3", [12, 12], [0, 0], [1, 1]), ("blocks4", [16, 16], [0, 1], [2, 1]),
              ("blocks5", [24], [0], [2, 1])]
DIRECTION = dict(stem=8, kernels=[3, 5, 5], hidden=[8, 16, 16], widths=[8, 12, 12], strides=[2, 2, 1], gated=[1, 0, 1],
                 hard_swish=[0, 1, 1], output=16)


def lcnet_config(stem, stages):
    """In the reference's own form: kernel, input, output, stride, gate."""
    config, width = {"stem": stem, "stem_type": "branch"}, stem[1]
    for name, widths, gated, stride in stages:
        config[name] = []
        for index, (output, gate) in enumerate(zip(widths, gated)):
            first = stride if index == 0 else [1, 1]
            config[name].append([3, width, output, 1 if first == [1, 1] else tuple(first), bool(gate)])
            width = output
    return config


def json_config(stem, stages):
    return {"stem": stem, "stages": [{"widths": widths, "gated": gated, "stride": stride} for _, widths, gated, stride in stages]}


def fold(convolution, norm, outputs):
    """A norm into the convolution before it, whose outputs lie on this axis."""
    scale = norm.weight / (norm.running_var + norm.eps).sqrt()
    shape = [1] * 4
    shape[outputs] = -1
    bias = 0 if convolution.bias is None else convolution.bias
    convolution.weight.mul_(scale.reshape(shape))
    convolution.bias = nn.Parameter(norm.bias + (bias - norm.running_mean) * scale)


def merged(model, sample):
    """With branches merged; the reference's merge forgets the stem's "same" padding, so that the outputs are compared."""
    before = model.eval()(sample)
    for module in model.modules():
        if hasattr(module, "rep"):
            module.rep()
        if isinstance(module, lcnet.StemBlock):
            module.stem2a.conv.padding = module.stem2b.conv.padding = "same"
    assert torch.allclose(model(sample), before, atol=1e-5)
    return model


def detector():
    lcnet.NET_CONFIG_DET["micro"] = lcnet_config([4, 8], DETECTOR)
    model = BaseModel({
        "model_type": "det", "algorithm": "DB", "Transform": None, "Backbone": {"name": "PPLCNetV4", "det": True, "model_size": "micro"},
        "Neck": {"name": "RepLKFPN", "out_channels": 16, "dilated_kernel_size": 7, "shortcut": True}, "Head": {"name": "DBHead", "k": 50}})
    head = merged(randomise(model, 71), torch.rand(1, 3, 64, 64)).head.binarize
    fold(head.conv1, head.conv_bn1, 0)
    fold(head.conv2, head.conv_bn2, 1)
    head.conv_bn1, head.conv_bn2 = nn.Identity(), nn.Identity()
    del model.head.thresh
    return model


def recognizer():
    lcnet.NET_CONFIG_REC["micro"] = lcnet_config([4, 8], RECOGNIZER)
    classes = len(CHARACTERS) + 2
    model = BaseModel({
        "model_type": "rec", "algorithm": "SVTR_LCNet", "Transform": None, "Backbone": {"name": "PPLCNetV4", "model_size": "micro"},
        "Head": {"name": "MultiHead", "out_channels_list": {"CTCLabelDecode": classes}, "head_list": [
            {"CTCHead": {"Neck": {"name": "lightsvtr", "dims": 16, "depth": 2, "mlp_ratio": 2.0, "local_kernel": 7},
                         "Head": {"fc_decay": 0.00001}}},
            {"NRTRHead": {"nrtr_dim": 384, "max_text_length": 25}}]}})
    return merged(randomise(model, 72), torch.rand(1, 3, 48, 64))


class Direction(nn.Module):
    """The reference's MobileNetV3 has no size this small: its parts, put together as it does."""

    def __init__(self):
        super().__init__()
        d, width = DIRECTION, DIRECTION["stem"]
        backbone = nn.Module()
        backbone.conv1 = mobilenet.ConvBNLayer(3, width, 3, 2, 1, if_act=True, act="hard_swish")
        blocks = []
        for kernel, hidden, output, stride, gate, swish in zip(d["kernels"], d["hidden"], d["widths"], d["strides"], d["gated"], d["hard_swish"]):
            step = 1 if stride == 1 else (stride, 1)
            blocks.append(mobilenet.ResidualUnit(width, hidden, output, kernel, step, bool(gate), act="hard_swish" if swish else "relu"))
            width = output
        backbone.blocks = nn.Sequential(*blocks)
        backbone.conv2 = mobilenet.ConvBNLayer(width, d["output"], 1, 1, 0, if_act=True, act="hard_swish")
        backbone.pool = nn.MaxPool2d(2, 2)
        self.backbone, self.head = backbone, ClsHead(d["output"], 2)

    def forward(self, x):
        b = self.backbone
        return self.head(b.pool(b.conv2(b.blocks(b.conv1(x)))))


def main():
    folder = fresh(__file__, "tiny")
    models = {"detector": detector(), "recognizer": recognizer(), "direction": randomise(Direction(), 73)}
    state = {f"{part}.{name}": tensor.contiguous() for part, model in models.items() for name, tensor in model.state_dict().items()
             if not name.endswith("num_batches_tracked")}
    save_file(state, folder / "model.safetensors", {"format": "pt"})
    write_json(folder / "config.json", {
        "model_type": "ppocr",
        "detector": {"backbone": json_config([4, 8], DETECTOR), "neck_width": 16, "neck_kernel": 7},
        "recognizer": {"backbone": json_config([4, 8], RECOGNIZER), "line_height": 48, "neck_width": 16, "neck_depth": 2, "neck_heads": 8,
                       "neck_hidden": 32, "neck_kernel": 7, "characters": CHARACTERS},
        "direction": {"line_height": 48, "line_width": 64, **DIRECTION}})
    golden = Golden(folder, reference="rapidocr's PyTorch networks: PPLCNetV4 with RepLKFPN and DBHead, with EncoderWithLightSVTR and "
                    "CTCHead, MobileNetV3 with ClsHead")
    random = torch.Generator().manual_seed(74)
    pixels = torch.rand(2, 3, 64, 96, generator=random) * 2 - 1
    lines = torch.rand(2, 3, 48, 104, generator=random) * 2 - 1
    turned = torch.rand(2, 3, 48, 64, generator=random) * 2 - 1
    for index, stage in enumerate(["blocks_s1", "blocks_s2", "blocks_s3", "blocks_s4"]):
        golden.tap(getattr(models["detector"].backbone, stage), f"tap.detector.stage.{index}")
    for index, stage in enumerate(["blocks2", "blocks3", "blocks4", "blocks5"]):
        golden.tap(getattr(models["recognizer"].backbone, stage), f"tap.recognizer.stage.{index}")
    golden.tap(models["detector"].neck, "tap.detector.fused")
    softmax = torch.nn.functional.softmax
    for name, model, given in [("probabilities", models["detector"], pixels), ("line_probabilities", models["recognizer"], lines),
                               ("direction_probabilities", models["direction"], turned)]:
        found = model(given)
        if name == "line_probabilities" and not torch.allclose(found.sum(-1), torch.ones(())):
            found = softmax(found, -1)
        golden.add(name + "_input", given)
        golden.add(name, found)
    golden.save(packages=["rapidocr"])


if __name__ == "__main__":
    main()
