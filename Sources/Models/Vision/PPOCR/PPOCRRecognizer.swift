import Checkpoints
import Layers
import ModelKit
import Tensors

/// PP-OCRv6's line reader: PP-LCNetV4, a light SVTR neck (Du et al. 2022) and one score for each character at each step.
struct PPOCRRecognizer: TextRecognizer {
    let characters: [String]
    let lineHeight: Int
    private let backbone: LCNetV4
    private let reduce, local, skip: Convolution
    private let blocks: [SVTRBlock]
    private let norm: LayerNorm
    private let classes: Linear

    init(_ weights: Weights, _ config: PPOCRConfig.Recognizer) throws {
        characters = config.characters
        lineHeight = config.lineHeight
        backbone = try LCNetV4(weights["backbone"], config.backbone, stem: "conv1", stageNames: (2...5).map { "blocks\($0)" })
        let neck = weights["head.ctc_encoder.encoder"], width = config.width, kernel = config.kernel
        let input = config.backbone.stages[config.backbone.stages.count - 1].width
        reduce = try .normed(neck["conv_reduce"], input, width)
        skip = try .normed(neck["skip_conv"], input, width)
        local = try Convolution(
            neck["local_conv.0"], norm: neck["local_conv.1"], width, width, kernel: (1, kernel),
            window: Window(padding: (0, kernel / 2)), groups: width)
        blocks = (0..<config.depth).map { SVTRBlock(neck["svtr_block"][$0], width, heads: config.heads, hidden: config.hidden) }
        norm = LayerNorm(neck["norm"], width, epsilon: 1e-6)
        classes = Linear(weights["head.ctc_head.fc"], width, config.characters.count)
    }

    func features(pixels: Tensor) throws -> Tensor {
        let maps = try backbone(pixels, tap: "recognizer")
        let x = try maps[maps.count - 1].averagePool2d(kernel: (3, 2), window: Window(stride: (3, 2)))  // [n, input, 1, w / 8]
        let reduced = try reduce(x, activation: .silu)
        let mixed = try reduced + local(reduced, activation: .silu)
        var steps = try mixed.squeezed(2).transposed().contiguous()  // [n, steps, width]
        for block in blocks { steps = try block(steps) }
        let skipped = try skip(x, activation: .silu).squeezed(2).transposed().contiguous()
        let features = try norm(steps) + skipped
        Taps.record("recognizer.features", features)
        return features
    }

    func logits(features: Tensor) throws -> Tensor { try classes(features) }
}

extension Convolution {
    /// A pointwise convolution named `conv` with a norm named `norm`.
    fileprivate static func normed(_ weights: Weights, _ input: Int, _ output: Int) throws(TensorError) -> Convolution {
        try Convolution(weights["conv"], norm: weights["norm"], input, output, kernel: (1, 1))
    }
}

/// Self-attention over the steps of a line and a feed-forward network, norms before both.
private struct SVTRBlock: Sendable {
    private let firstNorm, secondNorm: LayerNorm
    private let joint, output, up, down: Linear
    private let heads: Int

    init(_ weights: Weights, _ width: Int, heads: Int, hidden: Int) {
        firstNorm = LayerNorm(weights["norm1"], width, epsilon: 1e-5)
        secondNorm = LayerNorm(weights["norm2"], width, epsilon: 1e-5)
        joint = Linear(weights["mixer.qkv"], width, 3 * width)
        output = Linear(weights["mixer.proj"], width, width)
        up = Linear(weights["mlp.fc1"], width, hidden)
        down = Linear(weights["mlp.fc2"], hidden, width)
        self.heads = heads
    }

    /// `[n, steps, width]`
    func callAsFunction(_ x: Tensor) throws(TensorError) -> Tensor {
        let (n, steps, width) = (x.dim(0), x.dim(1), x.dim(2))
        let parts = try joint(firstNorm(x)).reshaped([n, steps, 3, heads, width / heads])
        let y = try output(Tensor.attention(joint: parts).reshaped([n, steps, width]), residual: x)
        return try down(up(secondNorm(y), activation: .silu), residual: y)
    }
}
