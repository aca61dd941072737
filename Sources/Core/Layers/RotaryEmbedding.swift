import Foundation
import Tensors

/// Rotary position embedding (Su et al. 2021): pairs of a head's elements turn by an angle that grows with the position.
public struct RotaryEmbedding: Sendable {
    /// Which elements form a pair.
    public enum Pairing: Sendable, Hashable {
        /// Element i and element i + half: checkpoints of Hugging Face, GPT-NeoX.
        case halves
        /// Elements 2i and 2i + 1: the original Llama, whose row order GGUF files keep.
        case neighbours
    }

    /// How frequencies are changed for contexts longer than those of training.
    public enum Scaling: Sendable, Hashable {
        case none
        /// Positions divided by a factor (Chen et al. 2023).
        case linear(Float)
        /// Llama 3.1's: low frequencies divided, high ones kept, a ramp between.
        case llama3(factor: Float, low: Float, high: Float, original: Float)
        /// A divisor of each frequency, as GGUF's `rope_freqs.weight`.
        case divisors([Float])
    }

    private let pairing: Pairing
    /// Angle per position of each pair.
    public let frequencies: [Float]

    /// - Parameter width: elements of a head that turn, an even number; those beyond it stay as they are.
    public init(width: Int, base: Float, pairing: Pairing, scaling: Scaling = .none) {
        precondition(width >= 0 && width % 2 == 0, "rotary embedding needs an even width, found \(width)")
        self.pairing = pairing
        frequencies = (0..<width / 2).map { pair in
            let plain = 1 / pow(Double(base), Double(2 * pair) / Double(width))
            return Float(Self.scaled(plain, pair, scaling))
        }
    }

    private static func scaled(_ frequency: Double, _ pair: Int, _ scaling: Scaling) -> Double {
        switch scaling {
        case .none: return frequency
        case let .linear(factor): return frequency / Double(factor)
        case let .divisors(divisors): return divisors.indices.contains(pair) ? frequency / Double(divisors[pair]) : frequency
        case let .llama3(factor, low, high, original):
            let turns = Double(original) * frequency / (2 * .pi)
            if turns < Double(low) { return frequency / Double(factor) }
            if turns > Double(high) { return frequency }
            let ramp = (turns - Double(low)) / Double(high - low)
            return (1 - ramp) * frequency / Double(factor) + ramp * frequency
        }
    }

    /// Cosines and sines of `count` positions from `start` on, `[count, 2, pairs]`; all layers of a pass share them.
    public func angles(from start: Int, count: Int) -> Tensor {
        let pairs = frequencies.count
        return Tensor.makeFloats([count, 2, pairs]) { out in
            for position in 0..<count {
                let row = out + position * 2 * pairs
                for pair in 0..<pairs {
                    let angle = Float(start + position) * frequencies[pair]
                    row[pair] = cos(angle)
                    row[pairs + pair] = sin(angle)
                }
            }
        }
    }

    /// `[batch, tokens, heads, head width]` turned by `angles` of as many tokens.
    public func callAsFunction(_ x: Tensor, _ angles: Tensor) throws(TensorError) -> Tensor {
        let pairs = frequencies.count
        guard x.rank == 4, angles.shape == [x.dim(1), 2, pairs], x.dim(3) >= 2 * pairs else {
            throw .shape(
                operation: "rotary embedding", shapes: [x.shape, angles.shape],
                expected: "[batch, tokens, heads, at least \(2 * pairs)] and [tokens, 2, \(pairs)]")
        }
        return turned(x, angles).recorded(inputs: [x], .custom { [turned($0, angles, back: true)] })
    }

    private func turned(_ x: Tensor, _ angles: Tensor, back: Bool = false) -> Tensor {
        let pairs = frequencies.count, (tokens, heads, width) = (x.dim(1), x.dim(2), x.dim(3)), sign: Float = back ? -1 : 1
        return x.asType(.f32).withElements(Float.self) { source in
            angles.withElements(Float.self) { table in
                Tensor.makeFloats(x.shape) { out in
                    guard let first = source.baseAddress, let turns = table.baseAddress else { return }
                    let (input, turn, output) = (
                        Address(UnsafeMutablePointer(mutating: first)), Address(UnsafeMutablePointer(mutating: turns)), Address(out)
                    )
                    ThreadPool.parallelFor(x.dim(0) * tokens, grain: 16) { range in
                        for token in range {
                            let cosines = turn.floats + token % tokens * 2 * pairs
                            for head in 0..<heads {
                                let place = (token * heads + head) * width
                                turnHead(input.floats + place, cosines, sign, output.floats + place, width)
                            }
                        }
                    }
                }
            }
        }
    }

    @inline(__always)
    private func turnHead(
        _ x: UnsafePointer<Float>, _ cosines: UnsafePointer<Float>, _ sign: Float, _ y: UnsafeMutablePointer<Float>, _ width: Int
    ) {
        let pairs = frequencies.count, sines = cosines + pairs
        switch pairing {
        case .halves:
            for i in 0..<pairs {
                let (a, b, sine) = (x[i], x[i + pairs], sign * sines[i])
                y[i] = a * cosines[i] - b * sine
                y[i + pairs] = b * cosines[i] + a * sine
            }
        case .neighbours:
            for i in 0..<pairs {
                let (a, b, sine) = (x[2 * i], x[2 * i + 1], sign * sines[i])
                y[2 * i] = a * cosines[i] - b * sine
                y[2 * i + 1] = b * cosines[i] + a * sine
            }
        }
        for i in 2 * pairs..<width { y[i] = x[i] }
    }
}
