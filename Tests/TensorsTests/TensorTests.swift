import CKernels
import Foundation
import Testing

@testable import Tensors

@Suite struct TensorTests {
    @Test func wrongShapesSayWhatIsWrong() throws {
        let a = Tensor.zeros([2, 3]), b = Tensor.zeros([4, 5])
        #expect(throws: TensorError.shape(operation: "add", shapes: [[2, 3], [4, 5]], expected: "shapes that broadcast")) { try a + b }
        #expect(throws: TensorError.shape(operation: "matmul", shapes: [[2, 3], [4, 5]], expected: "3 rows on the right")) {
            try a.matmul(b)
        }
        #expect(throws: TensorError.self) { try a.reshaped([7]) }
        #expect(throws: TensorError.self) { try a.reshaped([-1, 0]) }
        #expect(throws: TensorError.self) { try a.gathered(Tensor([Int64(2)], [1])) }
        #expect(throws: TensorError.self) { try Tensor([Float(1)], [2]) }
        #expect(throws: TensorError.self) { try Tensor(mapping: Storage(byteCount: 16), byteOffset: 8, shape: [Int.max, 2], dtype: .f32) }
        #expect(throws: TensorError.self) { try Tensor(mapping: Storage(byteCount: 16), byteOffset: 2, shape: [1], dtype: .f32) }
    }

    @Test func viewsShareStorageAndCopiesDoNot() throws {
        let base = try Tensor((0..<24).map(Float.init), [2, 3, 4])
        let view = try base.permuted([2, 0, 1]).sliced(0, 1..<4, step: 2)
        #expect(view.storage === base.storage)
        #expect(view.shape == [2, 2, 3])
        #expect(view.floats() == [1, 5, 9, 13, 17, 21, 3, 7, 11, 15, 19, 23])
        #expect(view.contiguous().storage !== base.storage)
        var copy = base
        copy.makeUnique()
        #expect(copy.storage !== base.storage)
        #expect(copy.floats() == base.floats())
    }

    /// Large products go over several blocks and threads; the small exact ones are among the stored operations.
    @Test(arguments: [(1, 700, 300), (197, 300, 700), (400, 33, 513), (13, 1, 1000), (5, 1000, 1)])
    func largeProducts(m: Int, n: Int, k: Int) throws {
        var generator = RandomGenerator(seed: 11)
        let a = Tensor.randomNormal([m, k], using: &generator), b = Tensor.randomNormal([n, k], using: &generator)
        let bias = Tensor.randomNormal([n], using: &generator), residual = Tensor.randomNormal([m, n], using: &generator)
        let plain = try a.matmul(b.transposed()), packed = WeightMatrix(b)
        let (x, y) = (a.floats(), b.floats())
        for (i, j) in [(0, 0), (m - 1, n - 1), (m / 2, n / 3)] {
            let exact = (0..<k).reduce(0.0) { $0 + Double(x[i * k + $1]) * Double(y[j * k + $1]) }
            #expect(abs(Double(try plain.selected(0, i).selected(0, j).scalar) - exact) < 1e-3)
        }
        let scale = Tensor.randomNormal([n], using: &generator)
        let expected = try ((plain + bias) * scale).activated(.gelu) + residual
        let fused = try packed.apply(a, bias: bias, scale: scale, activation: .gelu, residual: residual)
        let worst = zip(fused.floats(), expected.floats()).map { abs($0 - $1) }.max() ?? 0
        #expect(worst < 1e-3)
    }

    /// Every way that a product takes: dot products, panels of one and two vectors, rows read in place, copied (the width 1024) and
    /// widened; several matrices and some of their rows.
    @Test(arguments: [DType.f32, .f16, .bf16]) func storedMatrices(_ type: DType) throws {
        var generator = RandomGenerator(seed: 12)
        for k in [1, 37, 300, 1024] {
            let first = Tensor.randomNormal([60, k], using: &generator).asType(type)
            let second = Tensor.randomNormal([43, k], using: &generator).asType(type)
            let matrix = WeightMatrix([StoredRows(first), StoredRows(second)])
            let whole = try Tensor.concatenated([first.asType(.f32), second.asType(.f32)])
            for m in [1, 5, 12, 13, 17, 33, 46, 197] {
                let x = Tensor.randomNormal([m, k], using: &generator)
                for range in [0..<103, 7..<103, 61..<80] {
                    let expected = try x.matmul(whole.sliced(0, range).transposed())
                    let found = try matrix.sliced(range).apply(x)
                    let worst = zip(found.floats(), expected.floats()).map { abs($0 - $1) }.max() ?? 0
                    #expect(worst < 1e-3, "\(type), \(m) x \(range) x \(k)")
                }
            }
        }
    }

    /// Matrices of a file that have met enough rows are packed; the products stay the same.
    @Test func packedMatrices() throws {
        var generator = RandomGenerator(seed: 13)
        for (k, first, second) in [(1, 1, 2), (37, 60, 43), (300, 32, 64), (1024, 33, 7), (1700, 5, 40)] {
            let values = Tensor.randomNormal([first + second, k], using: &generator)
            let file = FileManager.default.temporaryDirectory.appendingPathComponent("sensorium-packed-\(UUID().uuidString)")
            defer { try? FileManager.default.removeItem(at: file) }
            try values.floats().withUnsafeBytes { Data($0) }.write(to: file)
            let storage = try Storage.mapping(path: file.path)
            let parts = [
                try StoredRows(storage, byteOffset: 0, format: .f32, rows: first, columns: k),
                try StoredRows(storage, byteOffset: first * k * 4, format: .f32, rows: second, columns: k),
            ]
            let matrix = WeightMatrix(parts), n = first + second
            let bias = Tensor.randomNormal([n], using: &generator), scale = Tensor.randomNormal([n], using: &generator)
            let packing = try #require(PackedWeights(parts))
            for _ in 0..<2 {
                #expect(packing.panels(meeting: PackedWeights.worthwhile / 2) == nil)
                _ = try matrix.apply(Tensor.randomNormal([PackedWeights.worthwhile / 2, k], using: &generator))
            }
            #expect(Tensor.readingWeightsInPlace { packing.panels(meeting: 100) } == nil)
            // Single rows are bound by memory: they don't make the copy.
            #expect(packing.panels(meeting: 1) == nil && packing.panels(meeting: 100) != nil && packing.panels(meeting: 1) != nil)
            for m in [197, 1, 5, 12, 13, 46, 400] {
                let x = Tensor.randomNormal([m, k], using: &generator), residual = Tensor.randomNormal([m, n], using: &generator)
                func all() throws -> [Tensor] {
                    [
                        try matrix.apply(x), try matrix.apply(x, bias: bias, residual: residual), try matrix.apply(x, activation: .relu),
                        try matrix.apply(x, bias: bias, scale: scale, activation: .gelu, residual: residual),
                    ]
                }
                for (found, expected) in zip(try all(), try Tensor.readingWeightsInPlace { try all() }) {
                    let worst = zip(found.floats(), expected.floats()).map { abs($0 - $1) }.max() ?? 0
                    #expect(worst < 1e-3, "\(m) x \(n) x \(k)")
                }
            }
        }
    }

    @Test func resultsDoNotDependOnThreads() throws {
        var generator = RandomGenerator(seed: 2)
        let x = Tensor.randomNormal([1, 16, 40, 40], using: &generator), w = Tensor.randomNormal([24, 16, 3, 3], using: &generator)
        let a = Tensor.randomNormal([150, 300], using: &generator), b = Tensor.randomNormal([300, 200], using: &generator)
        @Sendable func all() throws -> [Float] {
            try x.conv2d(weight: w, window: Window(padding: (1, 1))).floats() + a.matmul(b).floats() + a.layerNorm(epsilon: 1e-5).floats()
        }
        let many = try all()
        // A nested call runs on its own thread alone.
        nonisolated(unsafe) var one: [Float] = []
        ThreadPool.parallelFor(2, grain: 1) { range in if range.contains(0) { one = (try? all()) ?? [] } }
        #expect(one == many)
    }

    /// One kernel for each channel against the same kernels as the diagonal of a dense convolution.
    @Test(arguments: [(3, 1, 1, 1), (3, 2, 1, 1), (3, 3, 0, 1), (5, 2, 2, 1), (4, 3, 1, 1), (3, 1, 2, 2), (1, 2, 0, 1), (7, 1, 3, 1)])
    func depthwiseEqualsDense(kernel: Int, stride: Int, padding: Int, dilation: Int) throws {
        var generator = RandomGenerator(seed: 3)
        let channels = 3, x = Tensor.randomNormal([2, channels, 13, 22], using: &generator)
        let weight = Tensor.randomNormal([channels, 1, kernel, kernel], using: &generator),
            bias = Tensor.randomNormal([channels], using: &generator)
        var dense = [Float](repeating: 0, count: channels * channels * kernel * kernel)
        for (index, value) in weight.floats().enumerated() {
            let channel = index / (kernel * kernel)
            dense[(channel * channels + channel) * kernel * kernel + index % (kernel * kernel)] = value
        }
        let window = Window(stride: (stride, stride), padding: (padding, padding), dilation: (dilation, dilation))
        let plain = try x.conv2d(weight: Tensor(dense, [channels, channels, kernel, kernel]), bias: bias, window: window)
        let residual = Tensor.randomNormal(plain.shape, using: &generator)
        let expected = try (plain + residual).relu().floats()
        let apart = try x.conv2d(weight: weight, bias: bias, residual: residual, window: window, groups: channels, activation: .relu)
        #expect(apart.shape == plain.shape)
        for (a, b) in zip(apart.floats(), expected) { #expect(abs(a - b) < 1e-4) }
    }

    @Test func residualsAreAddedBeforeTheActivation() throws {
        var generator = RandomGenerator(seed: 4)
        let x = Tensor.randomNormal([2, 4, 9, 11], using: &generator), w = Tensor.randomNormal([6, 4, 3, 3], using: &generator)
        let window = Window(padding: (1, 1)), residual = Tensor.randomNormal([2, 6, 9, 11], using: &generator)
        let expected = try (x.conv2d(weight: w, window: window) + residual).gelu().floats()
        let fused = try x.conv2d(weight: w, residual: residual, window: window, activation: .gelu).floats()
        for (a, b) in zip(fused, expected) { #expect(abs(a - b) < 1e-5) }
        #expect(throws: TensorError.self) { try x.conv2d(weight: w, residual: x, window: window) }
    }

    @Test func concurrentTasksShareThePool() async throws {
        var generator = RandomGenerator(seed: 2)
        let a = Tensor.randomNormal([200, 300], using: &generator), b = Tensor.randomNormal([300, 200], using: &generator)
        let expected = try a.matmul(b).floats()
        try await withThrowingTaskGroup(of: [Float].self) { group in
            for _ in 0..<16 { group.addTask { try a.matmul(b).floats() } }
            for try await result in group { #expect(result == expected) }
        }
    }

    @Test func randomNumbersRepeat() {
        var a = RandomGenerator(seed: 7), b = RandomGenerator(seed: 7)
        let x = Tensor.randomNormal([1000], using: &a).floats()
        #expect(x == Tensor.randomNormal([1000], using: &b).floats())
        let mean = x.reduce(0, +) / 1000
        #expect(abs(mean) < 0.15)
    }
}
