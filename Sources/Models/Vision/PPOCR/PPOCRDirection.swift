import Checkpoints
import Layers
import ModelKit
import Tensors

/// PP-OCR's classifier of lines on their heads: MobileNetV3 (Howard et al. 2019) whose strides are vertical, so that a line keeps its length.
struct PPOCRDirection: TextDirectionClassifier {
    let lineHeight, lineWidth: Int
    private let first, last: Convolution
    private let blocks: [InvertedResidual]
    private let classes: Linear

    init(_ weights: Weights, _ config: PPOCRConfig.Direction) throws {
        (lineHeight, lineWidth) = (config.lineHeight, config.lineWidth)
        let backbone = weights["backbone"]
        first = try .normed(backbone["conv1"], 3, config.stem, kernel: 3, stride: (2, 2))
        var blocks: [InvertedResidual] = [], input = config.stem
        for (index, block) in config.blocks.enumerated() {
            blocks.append(try InvertedResidual(backbone["blocks"][index], input, block))
            input = block.width
        }
        self.blocks = blocks
        last = try .normed(backbone["conv2"], input, config.output, kernel: 1)
        classes = Linear(weights["head.fc"], config.output, 2)
    }

    func logits(pixels: Tensor) throws -> Tensor {
        var x = try first(pixels).hardSwish()
        for block in blocks { x = try block(x) }
        let pooled = try last(x).hardSwish().maxPool2d(kernel: (2, 2), window: Window(stride: (2, 2))).mean([2, 3])  // [n, output]
        Taps.record("direction.pooled", pooled)
        return try classes(pooled)
    }
}

/// Wider, depthwise, perhaps a gate, narrower again.
private struct InvertedResidual: Sendable {
    private let expand, depthwise, narrow: Convolution
    private let gate: ChannelGate?
    private let isResidual, swishes: Bool

    init(_ weights: Weights, _ input: Int, _ config: PPOCRConfig.Direction.Block) throws(TensorError) {
        expand = try .normed(weights["expand_conv"], input, config.hidden, kernel: 1)
        depthwise = try .normed(
            weights["bottleneck_conv"], config.hidden, config.hidden, kernel: config.kernel, stride: (config.stride, 1),
            groups: config.hidden)
        gate = config.isGated ? ChannelGate(weights["mid_se"], config.hidden, slope: 0.2) : nil
        narrow = try .normed(weights["linear_conv"], config.hidden, config.width, kernel: 1)
        isResidual = config.stride == 1 && input == config.width
        swishes = config.swishes
    }

    /// `[n, input, h, w] -> [n, width, h / stride, w]`
    func callAsFunction(_ x: Tensor) throws(TensorError) -> Tensor {
        var y = try active(depthwise(active(expand(x))))
        if let gate { y = try y * gate(y) }
        return try narrow(y, residual: isResidual ? x : nil)
    }

    private func active(_ x: Tensor) throws(TensorError) -> Tensor { swishes ? try x.hardSwish() : x.relu() }
}

extension Convolution {
    /// Convolution and norm as rapidocr's networks name them.
    fileprivate static func normed(
        _ weights: Weights, _ input: Int, _ output: Int, kernel: Int, stride: (Int, Int) = (1, 1), groups: Int = 1
    ) throws(TensorError) -> Convolution {
        try Convolution(
            weights["conv"], norm: weights["bn"], input, output, kernel: (kernel, kernel),
            window: Window(stride: stride, padding: (kernel / 2, kernel / 2)), groups: groups)
    }
}

extension Tensor {
    /// `x clamp(x + 3, 0, 6) / 6`
    fileprivate func hardSwish() throws(TensorError) -> Tensor { try self * adding(3).clamped(0...6).scaled(by: 1 / 6) }
}
