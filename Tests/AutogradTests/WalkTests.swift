import Autograd
import Synchronization
import Tensors
import Testing

@Suite struct WalkTests {
    private func variable(_ values: [Float], _ shape: [Int]? = nil) throws -> Tensor {
        try Tensor(values, shape ?? [values.count]).traced()
    }

    @Test func sharedValuesAddTheirGradients() throws {
        let x = try variable([2, -3])
        let y = try x * x
        let z = try (y * x + y).sum()  // x^3 + x^2
        let gradients = try z.gradients()
        #expect(gradients[x]?.floats() == [16, 21])
    }

    @Test func constantsHaveNoGradient() throws {
        let x = try variable([1, 2]), c = try Tensor([3, 4] as [Float], [2])
        let loss = try (x.detached() * x + c).sum()
        let gradients = try loss.gradients()
        #expect(gradients[x]?.floats() == [1, 2])
        #expect(gradients[c] == nil)
        let hidden = try Tensor.withoutRecording { () throws(TensorError) in try (x * x).sum() }
        #expect(hidden.trace == nil)
        #expect(try hidden.gradients()[x] == nil)
    }

    @Test func aGraphIsWalkedOnce() throws {
        let x = try variable([1, 2])
        let loss = try (x * x).sum()
        _ = try loss.gradients()
        #expect(throws: TensorError.self) { try loss.gradients() }
    }

    @Test func onlyAScalarNeedsNoSeed() throws {
        let x = try variable([1, 2])
        #expect(throws: TensorError.self) { try x.scaled(by: 2).gradients() }
        #expect(throws: TensorError.self) { try x.scaled(by: 2).gradients(seed: Tensor.ones([3])) }
        #expect(try x.scaled(by: 2).gradients(seed: Tensor([1, 3] as [Float], [2]))[x]?.floats() == [2, 6])
    }

    @Test func recomputingGivesTheSameGradients() throws {
        var generator = RandomGenerator(seed: 3)
        let x = Tensor.randomNormal([4, 8], using: &generator).traced(), w = Tensor.randomNormal([8, 8], using: &generator).traced()
        func block(_ input: Tensor) throws -> Tensor { try input.matmul(w).gelu() + input }
        let plain = try block(block(block(x))).sum().gradients()
        let runs = Mutex(0)
        let middle = try block(x)
        let again = try Tensor.recomputed {
            runs.withLock { $0 += 1 }
            return try middle.matmul(w).gelu() + middle
        }
        #expect(runs.withLock { $0 } == 1)
        let second = try block(again).sum().gradients()
        #expect(runs.withLock { $0 } == 2)
        #expect(plain[x]?.floats() == second[x]?.floats())
        let (a, b) = (try #require(plain[w]).floats(), try #require(second[w]).floats())
        for (one, other) in zip(a, b) { #expect(abs(one - other) <= 1e-5 * max(1, abs(one))) }
    }

    @Test func memoryIsFreedOnTheWay() throws {
        // A chain of 40 results of 1 MB: after the walk only the variable's gradient is left, and on the way never twice the chain.
        let x = Tensor.full([262_144], 0.5).traced()
        var y = x
        for _ in 0..<40 { y = y.sigmoid() }
        let before = BufferPool.used
        let loss = try y.sum()
        y = loss.detached()
        let (gradients, peak) = try BufferPool.peak { try loss.gradients() }
        #expect(gradients[x] != nil)
        #expect(peak < 8 << 20, "\(peak) bytes more while walking")
        #expect(BufferPool.used < before - (30 << 20))
    }

    @Test func theSameBitsWhateverTheThreads() throws {
        var generator = RandomGenerator(seed: 5)
        let x = Tensor.randomNormal([64, 96], using: &generator), w = Tensor.randomNormal([80, 96], using: &generator)
        let b = Tensor.randomNormal([80], using: &generator)
        func gradients() throws -> [[Float]] {
            let (x, w, b) = (x.traced(), w.traced(), b.traced())
            let y = try WeightMatrix(w).apply(x, bias: b, activation: .gelu).layerNorm(epsilon: 1e-5).softmax()
            let found = try (y * y).sum().gradients()
            return [x, w, b].map { found[$0]!.floats() }
        }
        let all = try gradients()
        let threads = ThreadPool.threadCount
        ThreadPool.limit(to: 1)
        defer { ThreadPool.limit(to: threads) }
        let one = try gradients()
        #expect(all == one)
    }
}
