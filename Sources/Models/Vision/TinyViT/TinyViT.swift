import Checkpoints
import Imaging
import Layers
import ModelKit
import Tensors

/// TinyViT (Wu et al. 2022) as timm computes it: a stage of convolutions, then three of attention within windows. Embedding: the
/// mean over space of the last stage, then a layer norm.
public struct TinyViT: FixedSizeImageEncoder, ImageClassifier {
    public let transform: ImageTransform
    public let labels: [String]
    public let dimension: Int
    private let stem: [Convolution]
    private let convolutional: [ExpandedConvolution]
    private let stages: [TinyViTStage]
    private let norm: LayerNorm
    private let classifier: Linear?

    init(_ weights: Weights, _ config: TinyViTConfig, transform: ImageTransform, labels: [String]) throws {
        self.transform = transform
        self.labels = labels
        let width = config.widths[0], last = config.widths[3], halving = Window(stride: (2, 2), padding: (1, 1))
        dimension = last
        stem = [
            try .normed(weights["patch_embed.conv1"], 3, width / 2, kernel: 3, window: halving),
            try .normed(weights["patch_embed.conv2"], width / 2, width, kernel: 3, window: halving),
        ]
        let hidden = Int(Double(width) * config.expandRatio)
        var convolutional: [ExpandedConvolution] = []
        for block in 0..<config.depths[0] {
            convolutional.append(try ExpandedConvolution(weights["stages.0.blocks"][block], width, hidden: hidden, width, stride: 1))
        }
        self.convolutional = convolutional
        var stages: [TinyViTStage] = []
        for stage in 1..<4 { stages.append(try TinyViTStage(weights["stages"][stage], config, stage)) }
        self.stages = stages
        norm = LayerNorm(weights["head.norm"], last, epsilon: 1e-5)
        classifier = config.classes.map { Linear(weights["head.fc"], last, $0) }
    }

    /// Maps of the last stage, `[batch, dimension, height, width]`; any picture size.
    public func maps(pixels: Tensor) throws -> Tensor {
        var x = try stem[1](stem[0](pixels, activation: .gelu))
        Taps.record("vision.embeddings", x)
        for block in convolutional { x = try block(x, residual: x, activation: .gelu) }
        Taps.record("vision.layer.0", x)
        for (index, stage) in stages.enumerated() {
            x = try stage(x)
            Taps.record("vision.layer.\(index + 1)", x)
        }
        return x
    }

    public func embed(pixels: Tensor) throws -> Tensor { try norm(maps(pixels: pixels).mean([2, 3])) }

    public func logits(_ prepared: [Tensor]) throws -> Tensor {
        guard let classifier else { throw RoleError(model: "TinyViT", role: "classifier", reason: "the checkpoint has no head.fc.weight") }
        return try classifier(embed(pixels: Tensor.stacked(prepared)))
    }
}

extension Convolution {
    /// timm's ConvNorm at `conv` and `bn`; exporters fold the norm, and then `conv` has a bias and `bn` isn't there.
    fileprivate static func normed(
        _ weights: Weights, _ input: Int, _ output: Int, kernel: Int, window: Window = Window(), groups: Int = 1
    )
        throws(TensorError) -> Convolution
    {
        let kernel = (kernel, kernel)
        if weights.has("conv.bias") { return Convolution(weights["conv"], input, output, kernel: kernel, window: window, groups: groups) }
        return try Convolution(weights["conv"], norm: weights["bn"], input, output, kernel: kernel, window: window, groups: groups)
    }
}

/// 1x1, 3x3 of each channel apart, 1x1: the block of the first stage (MBConv), and with a stride what stands between stages.
private struct ExpandedConvolution: Sendable {
    private let first, second, third: Convolution

    init(_ weights: Weights, _ input: Int, hidden: Int, _ output: Int, stride: Int) throws(TensorError) {
        first = try .normed(weights["conv1"], input, hidden, kernel: 1)
        second = try .normed(
            weights["conv2"], hidden, hidden, kernel: 3, window: Window(stride: (stride, stride), padding: (1, 1)), groups: hidden)
        third = try .normed(weights["conv3"], hidden, output, kernel: 1)
    }

    /// `[batch, input, h, w] -> [batch, output, h / stride, w / stride]`
    func callAsFunction(_ x: Tensor, residual: Tensor? = nil, activation: Activation? = nil) throws(TensorError) -> Tensor {
        try third(second(first(x, activation: .gelu), activation: .gelu), residual: residual, activation: activation)
    }
}

/// Halves the maps, then blocks of attention.
private struct TinyViTStage: Sendable {
    private let downsample: ExpandedConvolution
    private let blocks: [TinyViTBlock]

    init(_ weights: Weights, _ config: TinyViTConfig, _ stage: Int) throws(TensorError) {
        let width = config.widths[stage]
        downsample = try ExpandedConvolution(weights["downsample"], config.widths[stage - 1], hidden: width, width, stride: 2)
        var blocks: [TinyViTBlock] = []
        for block in 0..<config.depths[stage] { blocks.append(try TinyViTBlock(weights["blocks"][block], config, stage)) }
        self.blocks = blocks
    }

    /// `[batch, input, h, w] -> [batch, width, h / 2, w / 2]`, odd sizes rounded up.
    func callAsFunction(_ x: Tensor) throws(TensorError) -> Tensor {
        var y = try downsample(x).permuted([0, 2, 3, 1]).contiguous()  // [batch, h / 2, w / 2, width]
        for block in blocks { y = try block(y) }
        return try y.permuted([0, 3, 1, 2]).contiguous()
    }
}

/// Attention within windows, a 3x3 convolution of each channel apart, a feed-forward network.
private struct TinyViTBlock: Sendable {
    private let attention: WindowAttention
    private let local: Convolution
    private let norm: LayerNorm
    private let up, down: Linear

    init(_ weights: Weights, _ config: TinyViTConfig, _ stage: Int) throws(TensorError) {
        let width = config.widths[stage], hidden = Int(Double(width) * config.mlpRatio), kernel = config.localKernel
        attention = try WindowAttention(weights["attn"], width, heads: config.heads[stage], side: config.windows[stage])
        local = try .normed(
            weights["local_conv"], width, width, kernel: kernel, window: Window(padding: (kernel / 2, kernel / 2)), groups: width)
        norm = LayerNorm(weights["mlp.norm"], width, epsilon: 1e-5)
        up = Linear(weights["mlp.fc1"], width, hidden)
        down = Linear(weights["mlp.fc2"], hidden, width)
    }

    /// `[batch, h, w, width]`
    func callAsFunction(_ x: Tensor) throws(TensorError) -> Tensor {
        let y = try local(attention(x).permuted([0, 3, 1, 2])).permuted([0, 2, 3, 1]).contiguous()
        return try down(up(norm(y), activation: .gelu), residual: y)
    }
}
