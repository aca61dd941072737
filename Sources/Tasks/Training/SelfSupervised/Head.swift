import Checkpoints
import Layers
import Tensors

/// The layers of a small network behind an encoder that only training has.
public struct HeadShape: Sendable, Hashable {
    /// Lengths of what goes in and of what each linear layer gives.
    public var widths: [Int]
    public var activation = Activation.relu
    /// Batch norm behind every layer but the last, in the place of its bias.
    public var norms = false
    /// Batch norm behind the last layer, too.
    public var normsLast = false
    /// The result are cosines to so many learnt vectors (DINO's last layer, its weights' lengths fixed at 1).
    public var prototypes: Int?

    public init(_ widths: [Int]) { self.widths = widths }

    func isNormed(_ layer: Int) -> Bool { layer < widths.count - 2 ? norms : normsLast }

    /// Parameters as training begins: weights of deviation 0.02, biases 0, norms 1.
    func parameters(_ prefix: String, using generator: inout RandomGenerator) -> [String: Tensor] {
        var all: [String: Tensor] = [:]
        for layer in 0..<widths.count - 1 {
            let name = "\(prefix)\(layer).", width = widths[layer + 1]
            all[name + "weight"] = .randomNormal([width, widths[layer]], deviation: 0.02, using: &generator)
            if isNormed(layer) {
                all[name + "norm.weight"] = .ones([width])
                all[name + "norm.bias"] = .zeros([width])
            } else {
                all[name + "bias"] = .zeros([width])
            }
        }
        if let prototypes {
            all[prefix + "prototypes"] = .randomNormal([prototypes, widths.last ?? 0], deviation: 0.02, using: &generator)
        }
        return all
    }
}

/// Linear layers with batch norm and activation between them.
struct Head {
    private struct Layer {
        let linear: Linear
        let norm: BatchNorm?
    }

    private let layers: [Layer]
    private let activation: Activation
    private let prototypes: Tensor?

    init(_ weights: Weights, _ shape: HeadShape) {
        layers = (0..<shape.widths.count - 1).map { place in
            let part = weights[place], isNormed = shape.isNormed(place)
            return Layer(
                linear: Linear(part, shape.widths[place], shape.widths[place + 1], bias: !isNormed),
                norm: isNormed ? BatchNorm(part["norm"], shape.widths[place + 1]) : nil)
        }
        activation = shape.activation
        prototypes = shape.prototypes.map { weights.tensor("prototypes", [$0, shape.widths.last ?? 0]) }
    }

    /// `[..., input] -> [..., output]`
    func callAsFunction(_ x: Tensor) throws -> Tensor {
        var y = x
        for (place, layer) in layers.enumerated() {
            let wanted = place < layers.count - 1 ? activation : nil
            if let norm = layer.norm {
                y = try norm(layer.linear(y))
                if let wanted { y = y.activated(wanted) }
            } else {
                y = try layer.linear(y, activation: wanted)
            }
        }
        guard let prototypes else { return y }
        return try y.unitLength().matmul(prototypes.unitLength().transposed())
    }
}

/// Batch norm with the statistics of the batch at hand (Ioffe and Szegedy 2015); what only training has needs no others.
private struct BatchNorm {
    let weight, bias: Tensor

    init(_ weights: Weights, _ width: Int) { (weight, bias) = (weights.tensor("weight", [width]), weights.tensor("bias", [width])) }

    /// `[rows, width]`
    func callAsFunction(_ x: Tensor) throws -> Tensor {
        let spread = try x.variance([0], correction: 0, keepDims: true).adding(1e-5).rsqrt()
        return try (x - x.mean([0], keepDims: true)) * spread * weight + bias
    }
}
