import Checkpoints
import Layers
import Tensors

/// PP-LCNetV4, the backbone of PP-OCRv6's detector and recogniser, with its branches merged as for inference: depthwise and pointwise
/// convolutions in turn (PaddleOCR; the names are those of rapidocr's PyTorch networks).
struct LCNetV4: Sendable {
    private let stem: BranchedStem
    private let stages: [[MixerBlock]]

    /// - Parameter stageNames: where the checkpoint keeps each stage's blocks.
    init(_ weights: Weights, _ config: LCNetV4Config, stem stemName: String, stageNames: [String]) throws(TensorError) {
        stem = BranchedStem(weights[stemName], config.stem)
        var stages: [[MixerBlock]] = [], input = config.stem.output
        for (stage, name) in zip(config.stages, stageNames) {
            var blocks: [MixerBlock] = []
            for (index, block) in stage.blocks.enumerated() {
                let stride = index == 0 ? stage.stride : (1, 1)
                blocks.append(try MixerBlock(weights[name][index], input, block, stride: stride))
                input = block.width
            }
            stages.append(blocks)
        }
        self.stages = stages
    }

    /// What each stage gives, `[n, width, h, w]`, of pixels `[n, 3, h, w]`.
    func callAsFunction(_ pixels: Tensor, tap: String) throws(TensorError) -> [Tensor] {
        var x = try stem(pixels), maps: [Tensor] = []  // [n, stem, h / 4, w / 4]
        Taps.record("\(tap).stem", x)
        for (index, blocks) in stages.enumerated() {
            for block in blocks { x = try block(x) }
            Taps.record("\(tap).stage.\(index)", x)
            maps.append(x)
        }
        return maps
    }
}

/// Two strided convolutions, with a small branch beside a pooling between them (HGNet's stem).
private struct BranchedStem: Sendable {
    private let first, narrow, wide, joined, last: Convolution

    init(_ weights: Weights, _ config: (middle: Int, output: Int)) {
        let (middle, output) = config
        // "Same" padding of an even kernel: nothing above and left, one pixel below and right.
        let even = Window(stride: (1, 1), top: 0, left: 0, bottom: 1, right: 1), halving = Window(stride: (2, 2), padding: (1, 1))
        first = Convolution(weights["stem1.conv"], 3, middle, kernel: (3, 3), window: halving)
        narrow = Convolution(weights["stem2a.conv"], middle, middle / 2, kernel: (2, 2), window: even)
        wide = Convolution(weights["stem2b.conv"], middle / 2, middle, kernel: (2, 2), window: even)
        joined = Convolution(weights["stem3.conv"], 2 * middle, middle, kernel: (3, 3), window: halving)
        last = Convolution(weights["stem4.conv"], middle, output, kernel: (1, 1))
    }

    /// `[n, 3, h, w] -> [n, output, h / 4, w / 4]`
    func callAsFunction(_ pixels: Tensor) throws(TensorError) -> Tensor {
        let x = try first(pixels, activation: .relu)
        let pooled = try x.maxPool2d(kernel: (2, 2), window: Window(stride: (1, 1), top: 0, left: 0, bottom: 1, right: 1))
        let branch = try wide(narrow(x, activation: .relu), activation: .relu)
        return try last(joined(.concatenated([pooled, branch], axis: 1), activation: .relu), activation: .relu)
    }
}

/// A depthwise convolution, for some with a gate, then two pointwise ones; a residual around these where the shape stays.
private struct MixerBlock: Sendable {
    private let depthwise, expand, compress: Convolution
    private let gate: ChannelGate?
    private let isResidual: Bool

    init(_ weights: Weights, _ input: Int, _ config: LCNetV4Config.Block, stride: (Int, Int)) throws(TensorError) {
        isResidual = stride == (1, 1) && input == config.width
        let mixer = weights["token_mixer"], channels = weights["channel_mixer"]
        depthwise = Convolution(
            isResidual ? mixer["rep_dw.reparam_conv"] : mixer["dw_conv"], input, input, kernel: (3, 3),
            window: Window(stride: stride, padding: (1, 1)), groups: input)
        gate = config.isGated ? ChannelGate(mixer["se"], input, slope: 1 / 6) : nil
        expand = Convolution(channels["expand"], input, 2 * input, kernel: (1, 1))
        compress = Convolution(channels["compress"], 2 * input, config.width, kernel: (1, 1))
    }

    /// `[n, input, h, w] -> [n, width, h / stride, w / stride]`
    func callAsFunction(_ x: Tensor) throws(TensorError) -> Tensor {
        var mixed = try depthwise(x)
        if let gate { mixed = try mixed * gate(mixed) }
        return try compress(expand(mixed, activation: .gelu), residual: isResidual ? mixed : nil)
    }
}

/// Squeeze and excitation (Hu et al. 2018): a factor for each channel, by a hard sigmoid.
struct ChannelGate: Sendable {
    private let down, up: Convolution
    private let slope: Float

    init(_ weights: Weights, _ width: Int, slope: Float) {
        down = Convolution(weights["conv1"], width, width / 4, kernel: (1, 1))
        up = Convolution(weights["conv2"], width / 4, width, kernel: (1, 1))
        self.slope = slope
    }

    /// `[n, width, h, w] -> [n, width, 1, 1]`
    func callAsFunction(_ x: Tensor) throws(TensorError) -> Tensor {
        try up(down(x.mean([2, 3], keepDims: true), activation: .relu)).scaled(by: slope).adding(0.5).clamped(0...1)
    }
}
