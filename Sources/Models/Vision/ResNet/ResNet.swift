import Checkpoints
import Imaging
import Layers
import ModelKit
import Tensors

/// Residual network (He et al. 2016) as transformers' ResNetModel computes it. Embedding: the mean over space of the last stage.
public struct ResNet: FixedSizeImageEncoder, ImageClassifier {
    public let transform: ImageTransform
    public let labels: [String]
    public let dimension: Int
    private let config: ResNetConfig
    private let stem: Convolution
    private let stages: [[ResNetBlock]]
    private let classifier: Linear?

    init(_ weights: Weights, _ config: ResNetConfig, transform: ImageTransform, labels: [String]) throws {
        self.config = config
        self.transform = transform
        self.labels = labels
        dimension = config.widths[config.widths.count - 1]
        let root = weights.has("resnet") ? weights["resnet"] : weights
        stem = try Convolution(
            root["embedder.embedder.convolution"], norm: root["embedder.embedder.normalization"], config.channels, config.stem,
            kernel: (7, 7), window: Window(stride: (2, 2), padding: (3, 3)), epsilon: config.epsilon)
        var stages: [[ResNetBlock]] = [], input = config.stem
        for (stage, width) in config.widths.enumerated() {
            var blocks: [ResNetBlock] = []
            for block in 0..<config.depths[stage] {
                let halves = block == 0 && (stage > 0 || config.firstStageHalves)
                blocks.append(
                    try ResNetBlock(root["encoder.stages.\(stage).layers.\(block)"], config, input, width, stride: halves ? 2 : 1))
                input = width
            }
            stages.append(blocks)
        }
        self.stages = stages
        let width = dimension
        classifier = config.classes.map { Linear(weights["classifier.1"], width, $0) }
    }

    /// Maps of the last stage, `[batch, dimension, height, width]`; any picture size.
    public func maps(pixels: Tensor) throws -> Tensor {
        var x = try stem(pixels, activation: config.activation)
        x = try x.maxPool2d(kernel: (3, 3), window: Window(stride: (2, 2), padding: (1, 1)))
        Taps.record("vision.embeddings", x)
        for (index, blocks) in stages.enumerated() {
            for block in blocks { x = try block(x) }
            Taps.record("vision.layer.\(index)", x)
        }
        return x
    }

    public func embed(pixels: Tensor) throws -> Tensor {
        let pooled = try maps(pixels: pixels).mean([2, 3])
        Taps.record("vision.pooled", pooled)
        return pooled
    }

    public func logits(_ prepared: [Tensor]) throws -> Tensor {
        guard let classifier else {
            throw RoleError(model: "ResNet", role: "classifier", reason: "the checkpoint has no classifier.1.weight")
        }
        return try classifier(embed(pixels: Tensor.stacked(prepared)))
    }
}

/// Two or three convolutions and a shortcut, which is a 1x1 convolution where the shape changes.
struct ResNetBlock: Sendable {
    /// How many times fewer channels the middle of a bottleneck has.
    static let reduction = 4
    private let layers: [Convolution]
    private let shortcut: Convolution?
    private let activation: Activation

    init(_ weights: Weights, _ config: ResNetConfig, _ input: Int, _ output: Int, stride: Int) throws(TensorError) {
        func layer(_ index: Int, _ from: Int, _ to: Int, kernel: Int, stride: Int) throws(TensorError) -> Convolution {
            try Convolution(
                weights["layer.\(index).convolution"], norm: weights["layer.\(index).normalization"], from, to, kernel: (kernel, kernel),
                window: Window(stride: (stride, stride), padding: (kernel / 2, kernel / 2)), epsilon: config.epsilon)
        }
        if config.bottleneck {
            let middle = output / Self.reduction
            layers = [
                try layer(0, input, middle, kernel: 1, stride: config.strideFirst ? stride : 1),
                try layer(1, middle, middle, kernel: 3, stride: config.strideFirst ? 1 : stride),
                try layer(2, middle, output, kernel: 1, stride: 1),
            ]
        } else {
            layers = [try layer(0, input, output, kernel: 3, stride: stride), try layer(1, output, output, kernel: 3, stride: 1)]
        }
        shortcut =
            input == output && stride == 1
            ? nil
            : try Convolution(
                weights["shortcut.convolution"], norm: weights["shortcut.normalization"], input, output, kernel: (1, 1),
                window: Window(stride: (stride, stride)), epsilon: config.epsilon)
        activation = config.activation
    }

    /// `[batch, input, h, w] -> [batch, output, h / stride, w / stride]`
    func callAsFunction(_ x: Tensor) throws(TensorError) -> Tensor {
        var y = x
        for layer in layers.dropLast() { y = try layer(y, activation: activation) }
        return try layers[layers.count - 1](y, residual: shortcut?(x) ?? x, activation: activation)
    }
}
