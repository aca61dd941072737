import Autograd
import Tensors
import Testing

/// What the graph keeps for the way back: nothing that it can compute again at little cost, and bf16 where products are of bf16.
@Suite struct KeptValuesTests {
    private static func random(_ shape: [Int], seed: UInt64) -> Tensor {
        var generator = RandomGenerator(seed: seed)
        return Tensor.randomNormal(shape, using: &generator)
    }

    private struct Network {
        var x = random([48, 64], seed: 1), weight = random([64], seed: 2), bias = random([64], seed: 3)
        var up = random([256, 64], seed: 4), down = random([64, 256], seed: 5)

        var all: [Tensor] { [x, weight, bias, up, down] }
        func traced() -> Network {
            Network(x: x.traced(), weight: weight.traced(), bias: bias.traced(), up: up.traced(), down: down.traced())
        }

        func callAsFunction() throws -> Tensor {
            let inner = try WeightMatrix(up).apply(x.layerNorm(weight: weight, bias: bias, epsilon: 1e-5), activation: .gelu)
            return try WeightMatrix(down).apply(inner, residual: x)
        }

        /// The same of operations that are recorded one by one, with products of matrices.
        func plain() throws -> Tensor {
            let normed = try x.layerNorm(epsilon: 1e-5) * weight + bias
            return try normed.matmul(up.transposed()).activated(.gelu).matmul(down.transposed()) + x
        }
    }

    private static func gradients(_ network: Network, _ run: (Network) throws -> Tensor) throws -> [[Float]] {
        let traced = network.traced(), y = try run(traced)
        let found = try y.gradients(seed: random(y.shape, seed: 9))
        return try traced.all.map { try #require(found[$0]).floats() }
    }

    /// The largest difference, of the largest element.
    private func difference(_ a: [Float], _ b: [Float]) -> Float {
        zip(a, b).map { abs($0 - $1) }.max()! / b.map { abs($0) }.max()!
    }

    @Test func whatIsComputedAgainHasTheSameGradients() throws {
        let found = try Self.gradients(Network()) { try $0() }, expected = try Self.gradients(Network()) { try $0.plain() }
        for (a, b) in zip(found, expected) { #expect(difference(a, b) < 1e-5) }
    }

    @Test func productsOfBfloatHaveNearGradients() throws {
        let exact = try Self.gradients(Network()) { try $0() }
        let found = try Self.gradients(Network()) { network in try Tensor.computing(in: .bf16) { try network() } }
        for (a, b) in zip(found, exact) {
            // Every operand is off by up to 2^-9 of itself; sums of 64 to 256 of them, of which many cancel, and two layers in a row.
            #expect(difference(a, b) < 5e-2)
            #expect(a != b)
        }
        let threads = ThreadPool.threadCount
        ThreadPool.limit(to: 1)
        defer { ThreadPool.limit(to: threads) }
        #expect(try Self.gradients(Network()) { network in try Tensor.computing(in: .bf16) { try network() } } == found)
    }

    /// Operands that bf16 holds exactly have the gradients of f32.
    @Test func roundingIsTheOnlyDifference() throws {
        func rounded(_ shape: [Int], seed: UInt64) -> Tensor { Self.random(shape, seed: seed).asType(.bf16).asType(.f32) }
        func run(_ precision: ProductPrecision) throws -> [[Float]] {
            let x = rounded([7, 33], seed: 1).traced(), w = rounded([20, 33], seed: 2).traced(), b = rounded([20], seed: 3).traced()
            let y = try Tensor.computing(in: precision) { try WeightMatrix([StoredRows(w), StoredRows(w)]).apply(x, bias: nil) }
            let z = try Tensor.computing(in: precision) { try WeightMatrix(w).apply(x, bias: b) }
            let found = try Tensor.concatenated([y, z], axis: 1).gradients(seed: rounded([7, 60], seed: 4))
            return [y.floats(), z.floats()] + [x, w, b].map { found[$0]!.floats() }
        }
        for (a, b) in zip(try run(.bf16), try run(.f32)) { #expect(difference(a, b) < 1e-5) }
    }

    @Test func jointAttentionIsAttention() throws {
        let joint = Self.random([2, 9, 3, 4, 8], seed: 1), mask = Self.random([2, 1, 1, 9], seed: 2),
            seed = Self.random([2, 9, 4, 8], seed: 3)
        for (mask, causal) in [(nil, false), (nil, true), (mask, false)] as [(Tensor?, Bool)] {
            func parts(_ x: Tensor) throws -> Tensor {
                let heads = try x.permuted([2, 0, 3, 1, 4])
                return try .attention(
                    queries: heads.selected(0, 0), keys: heads.selected(0, 1), values: heads.selected(0, 2), mask: mask, causal: causal)
            }
            for precision in ProductPrecision.allCases {
                let (a, b) = (joint.traced(), joint.traced())
                let found = try Tensor.computing(in: precision) { try Tensor.attention(joint: a, mask: mask, causal: causal) }
                let expected = try Tensor.computing(in: precision) { try parts(b) }
                #expect(found.floats() == expected.floats())
                #expect(try found.gradients(seed: seed)[a]?.floats() == expected.gradients(seed: seed)[b]?.floats())
            }
        }
    }

    @Test func aShiftedActivationIsNotTheActivation() throws {
        let x = Self.random([3, 4], seed: 1), w = Self.random([5, 4], seed: 2).traced()
        let shifted = x.traced().sigmoid().adding(1)
        let found = try WeightMatrix(w).apply(shifted).sum().gradients()
        let expected = try shifted.detached().sum([0]).floats()
        #expect(
            zip(try #require(found[w]).floats(), expected + expected + expected + expected + expected).allSatisfy { abs($0 - $1) < 1e-5 })
    }

    @Test func recomputedPartsKeepTheirPrecision() throws {
        let network = Network().traced()
        let direct = try Self.gradients(Network()) { network in try Tensor.computing(in: .bf16) { try network() } }
        let y = try Tensor.computing(in: .bf16) { try Tensor.recomputed { try network() } }
        let found = try y.gradients(seed: Self.random(y.shape, seed: 9))
        #expect(network.all.map { found[$0]!.floats() } == direct)
    }

    private final class Watch {
        weak var storage: Storage?
        init(_ storage: Storage) { self.storage = storage }
    }

    /// Whether the graph of what `use` gives holds the elements of what `make` gave.
    private func isKept(_ make: () throws -> Tensor, _ use: (Tensor) throws -> Tensor) throws -> Bool {
        func used() throws -> (result: Tensor, watch: Watch) {
            let value = try make()
            return (try use(value), Watch(value.storage))
        }
        let (result, watch) = try used()
        return withExtendedLifetime(result) { watch.storage != nil }
    }

    @Test func littleIsKept() throws {
        let network = Network().traced(), down = WeightMatrix(network.down), up = WeightMatrix(network.up)
        for precision in ProductPrecision.allCases {
            try Tensor.computing(in: precision) {
                let wide = try up.apply(network.x)
                #expect(try !isKept({ wide.activated(.gelu) }, { try down.apply($0) }))
                #expect(try !isKept({ try network.x.layerNorm(weight: network.weight, epsilon: 1e-5) }, { try up.apply($0) }))
                #expect(try !isKept({ try network.x.rmsNorm(weight: network.weight, epsilon: 1e-5) }, { try up.apply($0) }))
                // A sum can't be had again: kept as it is, or rounded.
                #expect(try isKept({ try network.x + network.x }, { try up.apply($0) }) == (precision == .f32))
                #expect(try isKept({ try network.x + network.x }, { try $0.layerNorm(epsilon: 1e-5) }) == (precision == .f32))
                let joint = Self.random([2, 4, 3, 2, 8], seed: 3).traced()
                #expect(try isKept({ try joint + joint }, { try .attention(joint: $0) }) == (precision == .f32))
            }
        }
    }
}
