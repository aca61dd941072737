import Synchronization
import Tensors

/// Noise that training adds inside a model: dropout (Srivastava et al. 2014) behind each branch of a transformer block, and pictures'
/// tokens left out (FLIP, Li et al. 2023). Outside `TrainingNoise.active` a model has none, at the cost of a task-local read a block.
/// The same seed gives the same noise.
public final class TrainingNoise: Sendable {
    @TaskLocal static var current: TrainingNoise?

    private let dropout, dropped, adapterDropout: Float
    private let generator: Mutex<RandomGenerator>
    private let asked = Mutex(false)

    private init(dropout: Float, droppedTokens: Float, adapterDropout: Float, seed: UInt64) {
        (self.dropout, dropped, self.adapterDropout) = (dropout, droppedTokens, adapterDropout)
        generator = Mutex(RandomGenerator(seed: seed))
    }

    /// - Parameters:
    ///   - dropout: the share of elements set to zero; the others grow so that the mean stays.
    ///   - droppedTokens: the share of a picture's patches left out, at random, in each picture of its own.
    ///   - adapterDropout: the share of a linear layer's input that its adapter doesn't see.
    public static func active<Result>(
        dropout: Float = 0, droppedTokens: Float = 0, adapterDropout: Float = 0, seed: UInt64, _ body: () throws -> Result
    ) rethrows -> Result {
        guard dropout > 0 || droppedTokens > 0 || adapterDropout > 0 else { return try body() }
        let noise = TrainingNoise(
            dropout: min(dropout, 0.99), droppedTokens: min(droppedTokens, 0.99), adapterDropout: min(adapterDropout, 0.99), seed: seed)
        return try $current.withValue(noise) { try body() }
    }

    var drops: Bool { dropout > 0 }

    /// Whether tokens are to be left out and nothing has asked `keepingTokens` for it: the model doesn't know how.
    public static var isIgnored: Bool { current.map { noise in noise.dropped > 0 && !noise.asked.withLock { $0 } } ?? false }

    /// `x` with elements dropped.
    func dropping(_ x: Tensor) throws(TensorError) -> Tensor { try dropping(dropout, of: x) }

    private func dropping(_ dropout: Float, of x: Tensor) throws(TensorError) -> Tensor {
        guard dropout > 0 else { return x }
        // One draw for the whole tensor, spread by a hash of the place: a number each would cost more than the layer.
        let seed = generator.withLock { $0.next() }, keep = 1 - dropout, bound = UInt64(Double(keep) * 0x1p32), scale = 1 / keep
        let mask = Tensor.makeFloats(x.shape) { out in
            let target = Address(out)
            ThreadPool.parallelFor(x.count, grain: 16384) { range in
                for i in range {
                    var z = (UInt64(truncatingIfNeeded: i) &+ seed) &* 0x9E37_79B9_7F4A_7C15
                    z ^= z >> 32
                    z = z &* 0xBF58_476D_1CE4_E5B9
                    target.floats[i] = z >> 32 < bound ? scale : 0
                }
            }
        }
        return try x * mask
    }

    /// What an adapter sees of a layer's input.
    static func adapterInput(_ x: Tensor) throws(TensorError) -> Tensor {
        guard let current else { return x }
        return try current.dropping(current.adapterDropout, of: x)
    }

    /// `[batch, tokens, width]` with as many patches left out as are asked for; the first `leading` tokens stay.
    public static func keepingTokens(_ x: Tensor, leading: Int) throws(TensorError) -> Tensor {
        guard let current, current.dropped > 0 else { return x }
        current.asked.withLock { $0 = true }
        let (batch, tokens) = (x.dim(0), x.dim(1)), patches = tokens - leading
        let kept = max(1, Int((Float(patches) * (1 - current.dropped)).rounded()))
        guard patches > 0, kept < patches else { return x }
        var rows: [Int64] = []
        current.generator.withLock { generator in
            for picture in 0..<batch {
                let chosen = (0..<patches).shuffled(using: &generator).prefix(kept).sorted()
                rows += (0..<leading).map { Int64(picture * tokens + $0) } + chosen.map { Int64(picture * tokens + leading + $0) }
            }
        }
        let flat = try x.reshaped([batch * tokens, x.dim(2)])
        return try flat.gathered(Tensor(rows, [batch, leading + kept]))
    }
}

extension Tensor {
    /// Elements dropped where training asks for it.
    public func dropout() throws(TensorError) -> Tensor { try TrainingNoise.current?.dropping(self) ?? self }
}
