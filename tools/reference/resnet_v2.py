"""Pre-activation ResNet (v2) as the ONNX model zoo's resnet18-v2-7 computes it, a Gluon export.

Differences from the usual v2: a BatchNorm on the raw input, and the shortcut of a block that changes
shape starts after the first norm and ReLU, not at the block's input. Every BatchNorm has epsilon 1e-5.
"""
from torch import nn


class Block(nn.Module):
    def __init__(self, inputs, outputs, stride):
        super().__init__()
        self.norm1 = nn.BatchNorm2d(inputs)
        self.conv1 = nn.Conv2d(inputs, outputs, 3, stride, 1, bias=False)
        self.norm2 = nn.BatchNorm2d(outputs)
        self.conv2 = nn.Conv2d(outputs, outputs, 3, 1, 1, bias=False)
        changes = stride != 1 or inputs != outputs
        self.downsample = nn.Conv2d(inputs, outputs, 1, stride, bias=False) if changes else None

    def forward(self, x):
        active = self.norm1(x).relu()
        shortcut = x if self.downsample is None else self.downsample(active)
        return self.conv2(self.norm2(self.conv1(active)).relu()) + shortcut


class ResNetV2(nn.Module):
    def __init__(self, widths=(64, 64, 128, 256, 512), depths=(2, 2, 2, 2), labels=1000):
        super().__init__()
        self.input_norm = nn.BatchNorm2d(3)
        self.stem = nn.ModuleDict({"conv": nn.Conv2d(3, widths[0], 7, 2, 3, bias=False), "norm": nn.BatchNorm2d(widths[0])})
        self.stages = nn.ModuleList()
        for index, depth in enumerate(depths):
            inputs, outputs = widths[index], widths[index + 1]
            first = Block(inputs, outputs, 1 if index == 0 else 2)
            self.stages.append(nn.Sequential(first, *[Block(outputs, outputs, 1) for _ in range(depth - 1)]))
        self.norm = nn.BatchNorm2d(widths[-1])
        self.classifier = nn.Linear(widths[-1], labels)

    def features(self, pixels):
        x = self.stem["norm"](self.stem["conv"](self.input_norm(pixels))).relu()
        x = nn.functional.max_pool2d(x, 3, 2, 1)
        for stage in self.stages:
            x = stage(x)
        return self.norm(x).relu().mean((2, 3))

    def forward(self, pixels):
        return self.classifier(self.features(pixels))
