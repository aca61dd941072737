import Checkpoints
import Layers
import ModelKit
import Tensors

/// PP-OCRv6's text detector: PP-LCNetV4, a feature pyramid with large depthwise kernels, and the probability map of differentiable
/// binarisation (Liao et al. 2020).
struct PPOCRDetector: TextDetector {
    private let backbone: LCNetV4
    private let lateral: [Convolution]
    private let lateralGates: [ChannelGate]
    private let spatial, narrow: [Convolution]
    private let narrowGates: [ChannelGate]
    private let first: Convolution
    private let second, third: DoublingConvolution

    let sideMultiple = 32

    init(_ weights: Weights, _ config: PPOCRConfig.Detector) throws {
        backbone = try LCNetV4(
            weights["backbone"], config.backbone, stem: "stem", stageNames: (1...4).map { "blocks_s\($0)" })
        let neck = weights["neck"], width = config.width, quarter = width / 4, kernel = config.kernel
        let inputs = config.backbone.stages.map { $0.width }
        lateral = inputs.indices.map { Convolution(neck["ins_conv"][$0]["in_conv"], inputs[$0], width, kernel: (1, 1), bias: false) }
        lateralGates = inputs.indices.map { ChannelGate(neck["ins_conv"][$0]["se_block"], width, slope: 0.2) }
        spatial = inputs.indices.map {
            Convolution(
                neck["inp_conv_dw"][$0]["lk_origin"], width, width, kernel: (kernel, kernel),
                window: Window(padding: (kernel / 2, kernel / 2)), groups: width)
        }
        narrow = inputs.indices.map { Convolution(neck["inp_conv_pw"][$0], width, quarter, kernel: (1, 1), bias: false) }
        narrowGates = inputs.indices.map { ChannelGate(neck["inp_conv_se"][$0], quarter, slope: 0.2) }
        let head = weights["head.binarize"]
        first = Convolution(head["conv1"], width, quarter, kernel: (3, 3), window: Window(padding: (1, 1)))
        second = try DoublingConvolution(head["conv2"], quarter, quarter)
        third = try DoublingConvolution(head["conv3"], quarter, 1)
    }

    func probabilities(pixels: Tensor) throws -> Tensor {
        let maps = try backbone(pixels, tap: "detector")  // sides of 1/4, 1/8, 1/16 and 1/32
        var levels: [Tensor] = []
        for index in maps.indices {
            let x = try lateral[index](maps[index])
            levels.append(try x * lateralGates[index](x).adding(1))
        }
        for index in levels.indices.dropLast().reversed() {
            levels[index] = try levels[index] + Self.enlarged(levels[index + 1], 2)
        }
        var parts: [Tensor] = []
        for index in levels.indices.reversed() {
            let x = try narrow[index](spatial[index](levels[index]))
            parts.append(try Self.enlarged(x * narrowGates[index](x).adding(1), 1 << index))
        }
        let fused = try Tensor.concatenated(parts, axis: 1)  // [n, width, h / 4, w / 4]
        Taps.record("detector.fused", fused)
        return try third(second(first(fused, activation: .relu), activation: .relu), activation: .sigmoid)
    }

    private static func enlarged(_ x: Tensor, _ factor: Int) throws(TensorError) -> Tensor {
        factor == 1 ? x : try x.interpolated(height: x.dim(2) * factor, width: x.dim(3) * factor, .nearest)
    }
}

/// A transposed convolution of 2 x 2 with stride 2: each pixel becomes four, so it is a pointwise convolution and a rearrangement.
private struct DoublingConvolution: Sendable {
    private let weight, bias: Tensor
    private let output: Int

    init(_ weights: Weights, _ input: Int, _ output: Int) throws(TensorError) {
        self.output = output
        let stored = weights.tensor("weight", [input, output, 2, 2])
        weight = try stored.reshaped([input, output * 4]).transposed().contiguous().reshaped([output * 4, input, 1, 1])
        bias = try weights.tensor("bias", [output]).expandedDim(1).broadcast(to: [output, 4]).contiguous().reshaped([output * 4])
    }

    /// `[n, input, h, w] -> [n, output, 2 h, 2 w]`
    func callAsFunction(_ x: Tensor, activation: Activation) throws(TensorError) -> Tensor {
        let (n, h, w) = (x.dim(0), x.dim(2), x.dim(3))
        let parts = try x.conv2d(weight: weight, bias: bias, activation: activation).reshaped([n, output, 2, 2, h, w])
        return try parts.permuted([0, 1, 4, 2, 5, 3]).contiguous().reshaped([n, output, 2 * h, 2 * w])
    }
}
