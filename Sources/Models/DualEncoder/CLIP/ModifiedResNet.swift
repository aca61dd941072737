import Checkpoints
import Imaging
import Layers
import ModelKit
import Tensors

/// Sizes of CLIP's ResNet towers, read off the tensors.
struct ModifiedResNetConfig: Sendable, Hashable {
    /// Channels of the first stage's bottleneck.
    var width: Int
    var layers: [Int]
    var image, heads, projection: Int

    /// `prefix` stands before `visual`.
    init(_ folder: ModelFolder, prefix: String, headWidth: Int) throws {
        let root = prefix + "visual."
        guard let first = folder.shape(root + "layer1.0.conv1.weight")?.first,
            let places = folder.shape(root + "attnpool.positional_embedding")?.first,
            let out = folder.shape(root + "attnpool.c_proj.weight")?.first
        else {
            throw CheckpointError.unreadable(
                file: folder.path,
                reason: "visual.layer1.0.conv1, visual.attnpool.positional_embedding or visual.attnpool.c_proj is missing")
        }
        let grid = Int(Double(max(places - 1, 0)).squareRoot().rounded())
        guard grid > 0, grid * grid == places - 1, headWidth > 0, first * 32 % headWidth == 0 else {
            throw CheckpointError.unreadable(
                file: folder.path, reason: "visual.attnpool.positional_embedding of \(places) rows doesn't fit a square picture")
        }
        width = first
        layers = (1...4).map { folder.layerCount("\(root)layer\($0).") }
        (image, heads, projection) = (grid * 32, max(first * 32 / headWidth, 1), out)
    }
}

/// CLIP's ResNet: a stem of three convolutions, average pooling before strides, attention pooling (Radford et al. 2021, 2.4).
struct ModifiedResNet: FixedSizeImageEncoder {
    let transform: ImageTransform
    let dimension: Int
    private let config: ModifiedResNetConfig
    private let stem: [Convolution]
    private let stages: [[Bottleneck]]
    private let pool: AttentionPool

    /// `weights` at `visual`.
    init(_ weights: Weights, _ config: ModifiedResNetConfig, transform: ImageTransform) throws {
        self.config = config
        self.transform = transform
        dimension = config.projection
        let width = config.width, same = Window(padding: (1, 1))
        stem = [
            try Convolution(
                weights["conv1"], norm: weights["bn1"], 3, width / 2, kernel: (3, 3), window: Window(stride: (2, 2), padding: (1, 1))),
            try Convolution(weights["conv2"], norm: weights["bn2"], width / 2, width / 2, kernel: (3, 3), window: same),
            try Convolution(weights["conv3"], norm: weights["bn3"], width / 2, width, kernel: (3, 3), window: same),
        ]
        var stages: [[Bottleneck]] = [], channels = width
        for (stage, count) in config.layers.enumerated() {
            var blocks: [Bottleneck] = []
            for block in 0..<count {
                blocks.append(
                    try Bottleneck(weights["layer\(stage + 1)"][block], channels, width << stage, stride: stage > 0 && block == 0 ? 2 : 1))
                channels = (width << stage) * 4
            }
            stages.append(blocks)
        }
        self.stages = stages
        pool = try AttentionPool(
            weights["attnpool"], width: width * 32, side: config.image / 32, heads: config.heads, output: config.projection)
    }

    func embed(pixels: Tensor) throws -> Tensor {
        guard pixels.rank == 4, pixels.dim(2) == config.image, pixels.dim(3) == config.image else {
            throw TensorError.shape(
                operation: "CLIP ResNet tower", shapes: [pixels.shape], expected: "[batch, 3, \(config.image), \(config.image)]")
        }
        var x = pixels
        for layer in stem { x = try layer(x, activation: .relu) }
        x = try x.averagePool2d(kernel: (2, 2), window: Window(stride: (2, 2)))
        for (index, blocks) in stages.enumerated() {
            for block in blocks { x = try block(x) }
            Taps.record("vision.layer.\(index)", x)
        }
        return try pool(x)
    }
}

/// 1x1, 3x3, average pooling for the stride, 1x1 to four times the channels.
private struct Bottleneck: Sendable {
    private let first, second, third: Convolution
    private let shortcut: Convolution?
    private let stride: Int

    init(_ weights: Weights, _ input: Int, _ channels: Int, stride: Int) throws {
        first = try Convolution(weights["conv1"], norm: weights["bn1"], input, channels, kernel: (1, 1))
        second = try Convolution(
            weights["conv2"], norm: weights["bn2"], channels, channels, kernel: (3, 3), window: Window(padding: (1, 1)))
        third = try Convolution(weights["conv3"], norm: weights["bn3"], channels, channels * 4, kernel: (1, 1))
        shortcut =
            stride > 1 || input != channels * 4
            ? try Convolution(weights["downsample.0"], norm: weights["downsample.1"], input, channels * 4, kernel: (1, 1)) : nil
        self.stride = stride
    }

    func callAsFunction(_ x: Tensor) throws(TensorError) -> Tensor {
        var y = try second(first(x, activation: .relu), activation: .relu), identity = x
        if stride > 1 {
            let window = Window(stride: (stride, stride))
            y = try y.averagePool2d(kernel: (stride, stride), window: window)
            identity = try x.averagePool2d(kernel: (stride, stride), window: window)
        }
        if let shortcut { identity = try shortcut(identity) }
        return try (third(y) + identity).relu()
    }
}

/// One query, the mean of all places, attends to every place.
private struct AttentionPool: Sendable {
    private let query, key, value, output: Linear
    private let positions: Tensor
    private let width, heads: Int

    init(_ weights: Weights, width: Int, side: Int, heads: Int, output: Int) throws {
        (self.width, self.heads) = (width, heads)
        positions = weights.tensor("positional_embedding", [side * side + 1, width])
        query = Linear(weights["q_proj"], width, width)
        key = Linear(weights["k_proj"], width, width)
        value = Linear(weights["v_proj"], width, width)
        self.output = Linear(weights["c_proj"], width, output)
    }

    /// `[batch, width, side, side] -> [batch, output]`
    func callAsFunction(_ x: Tensor) throws(TensorError) -> Tensor {
        let places = try x.flattened(from: 2).transposed().contiguous()  // [batch, side * side, width]
        let tokens = try Tensor.concatenated([places.mean([1], keepDims: true), places], axis: 1) + positions
        func split(_ y: Tensor) throws(TensorError) -> Tensor { try y.splitAxis(2, into: [heads, width / heads]).permuted([0, 2, 1, 3]) }
        let mixed = try Tensor.attention(
            queries: split(query(tokens.sliced(1, 0..<1))), keys: split(key(tokens)), values: split(value(tokens)))
        return try output(mixed.reshaped([x.dim(0), width]))
    }
}
