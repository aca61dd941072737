import Checkpoints
import Imaging
import Layers
import ModelKit
import Tensors

/// Pre-activation ResNet (He et al. 2016b) as the ONNX model zoo's resnet18-v2-7 has it: a norm on the pixels, and the shortcut
/// of a block that changes shape starts after the first norm. Embedding: the mean over space after the last norm and ReLU.
public struct ResNetV2: FixedSizeImageEncoder, ImageClassifier {
    public let transform: ImageTransform
    public let labels: [String]
    public let dimension: Int
    private let inputNorm, norm: BatchNorm
    private let stem: Convolution
    private let stages: [[PreActivationBlock]]
    private let classifier: Linear?

    init(_ weights: Weights, _ config: ResNetConfig, transform: ImageTransform, labels: [String]) throws {
        self.transform = transform
        self.labels = labels
        let width = config.widths[config.widths.count - 1]
        dimension = width
        inputNorm = BatchNorm(weights["input_norm"], config.channels, epsilon: config.epsilon)
        stem = try Convolution(
            weights["stem.conv"], norm: weights["stem.norm"], config.channels, config.stem, kernel: (7, 7),
            window: Window(stride: (2, 2), padding: (3, 3)), epsilon: config.epsilon)
        var stages: [[PreActivationBlock]] = [], input = config.stem
        for (stage, output) in config.widths.enumerated() {
            var blocks: [PreActivationBlock] = []
            for block in 0..<config.depths[stage] {
                let stride = stage > 0 && block == 0 ? 2 : 1
                blocks.append(
                    try PreActivationBlock(weights["stages"][stage][block], input, output, stride: stride, epsilon: config.epsilon))
                input = output
            }
            stages.append(blocks)
        }
        self.stages = stages
        norm = BatchNorm(weights["norm"], width, epsilon: config.epsilon)
        classifier = config.classes.map { Linear(weights["classifier"], width, $0) }
    }

    public func embed(pixels: Tensor) throws -> Tensor {
        // The norm can't be folded into the stem: its zero padding comes after it.
        var x = try stem(inputNorm(pixels), activation: .relu)
        x = try x.maxPool2d(kernel: (3, 3), window: Window(stride: (2, 2), padding: (1, 1)))
        Taps.record("vision.embeddings", x)
        for (index, blocks) in stages.enumerated() {
            for block in blocks { x = try block(x) }
            Taps.record("vision.layer.\(index)", x)
        }
        let pooled = try norm(x).relu().mean([2, 3])
        Taps.record("vision.pooled", pooled)
        return pooled
    }

    public func logits(_ prepared: [Tensor]) throws -> Tensor {
        guard let classifier else {
            throw RoleError(model: "ResNet v2", role: "classifier", reason: "the checkpoint has no classifier.weight")
        }
        return try classifier(embed(pixels: Tensor.stacked(prepared)))
    }
}

/// Norm, ReLU, 3x3, norm, ReLU, 3x3; the second norm folded into the first convolution.
private struct PreActivationBlock: Sendable {
    private let norm: BatchNorm
    private let first, second: Convolution
    private let downsample: Convolution?

    init(_ weights: Weights, _ input: Int, _ output: Int, stride: Int, epsilon: Float) throws(TensorError) {
        norm = BatchNorm(weights["norm1"], input, epsilon: epsilon)
        first = try Convolution(
            weights["conv1"], norm: weights["norm2"], input, output, kernel: (3, 3),
            window: Window(stride: (stride, stride), padding: (1, 1)), epsilon: epsilon)
        second = Convolution(weights["conv2"], output, output, kernel: (3, 3), window: Window(padding: (1, 1)), bias: false)
        downsample =
            input == output && stride == 1
            ? nil : Convolution(weights["downsample"], input, output, kernel: (1, 1), window: Window(stride: (stride, stride)), bias: false)
    }

    /// `[batch, input, h, w] -> [batch, output, h / stride, w / stride]`
    func callAsFunction(_ x: Tensor) throws(TensorError) -> Tensor {
        let active = try norm(x).relu()
        return try second(first(active, activation: .relu), residual: downsample?(active) ?? x)
    }
}
