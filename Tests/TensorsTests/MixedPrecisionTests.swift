import CKernels
import Testing

@testable import Tensors

/// Products of operands rounded to bf16: each instruction set against the intrinsic-free reference, that against sums in f64.
@Suite struct MixedPrecisionTests {
    static let levels: [String] = ["scalar", "avx2", "avx512", "avx512bf16", "neon"].filter { sn_bfloat_named($0) != nil }

    private func values(_ count: Int, seed: UInt64) -> [Float] {
        var generator = RandomGenerator(seed: seed)
        return (0..<count).map { _ in generator.normal() }
    }

    private func rounded(_ x: [Float]) -> [Float] {
        var bits = [UInt16](repeating: 0, count: x.count)
        sn_kernels_named("scalar")!.pointee.to_bfloat(x, &bits, x.count)
        return bits.map { Float(bitPattern: UInt32($0) << 16) }
    }

    @Test(arguments: levels) func pairs(level: String) {
        let fast = sn_bfloat_named(level)!.pointee, plain = sn_bfloat_named("scalar")!.pointee
        for count in [1, 7, 16, 33] {
            let even = values(count, seed: 1), odd = values(count, seed: 2).map { $0 * 1e-3 }
            var a = [UInt32](repeating: 0, count: count), b = a
            fast.pairs(even, odd, &a, count)
            plain.pairs(even, odd, &b, count)
            #expect(a == b)
            #expect(a.map { Float(bitPattern: $0 << 16) } == rounded(even))
            #expect(a.map { Float(bitPattern: $0 & 0xffff_0000) } == rounded(odd))
            let narrow = a.map { UInt16(truncatingIfNeeded: $0) }
            fast.bfloat_pairs(narrow, nil, &a, count)
            #expect(a == narrow.map(UInt32.init))
            fast.pairs(even, nil, &a, count)
            #expect(a == narrow.map(UInt32.init))
        }
    }

    /// All tile heights and widths, continued sums.
    @Test(arguments: levels) func tiles(level: String) {
        let fast = sn_bfloat_named(level)!.pointee
        let lda = 41
        for rows in 1...Int(fast.mr) {
            for vectors in 1...Int(fast.nr / fast.vw) {
                for pairs in [1, 2, 37] {
                    let nr = vectors * Int(fast.vw)
                    let left = (values(rows * lda, seed: 1), values(rows * lda, seed: 2))
                    let right = (values(nr * pairs, seed: 3), values(nr * pairs, seed: 4))
                    var a = [UInt32](repeating: 0, count: rows * lda), b = [UInt32](repeating: 0, count: nr * pairs)
                    fast.pairs(left.0, left.1, &a, a.count)
                    fast.pairs(right.0, right.1, &b, b.count)
                    var c = [Float](repeating: 1, count: rows * nr)
                    fast.tile(Int32(rows), Int32(vectors), pairs, a, lda, b, &c, nr, true)
                    let (x, y) = ((rounded(left.0), rounded(left.1)), (rounded(right.0), rounded(right.1)))
                    for i in 0..<rows {
                        for j in 0..<nr {
                            let exact = (0..<pairs).reduce(1.0) {
                                $0 + Double(x.0[i * lda + $1]) * Double(y.0[$1 * nr + j]) + Double(x.1[i * lda + $1])
                                    * Double(y.1[$1 * nr + j])
                            }
                            #expect(abs(Double(c[i * nr + j]) - exact) < 2e-5)
                        }
                    }
                }
            }
        }
    }

    /// Every way that operands can lie and be stored: against the f32 product of rounded operands; the same bits for any threads.
    @Test(arguments: levels) func products(level: String) throws {
        let table = sn_bfloat_named(level)!, threads = ThreadPool.threadCount
        var generator = RandomGenerator(seed: 8)
        for (m, n, k) in [(1, 1, 1), (5, 3, 2), (50, 33, 49), (70, 90, 401), (3, 64, 800), (1300, 40, 34)] {
            let a = Tensor.randomNormal([m, k], using: &generator), b = Tensor.randomNormal([k, n], using: &generator)
            let bias = Tensor.randomNormal([n], using: &generator)
            let exact = try a.asType(.bf16).asType(.f32).matmul(b.asType(.bf16).asType(.f32)) + bias
            let left = [(a, false), (try a.transposed().contiguous(), true), (a.asType(.bf16), false)]
            let halves = k > 2 ? [try b.sliced(0, 0..<k / 3), try b.sliced(0, k / 3..<k).asType(.bf16)] : [b]
            let right = [([b], false), ([try b.transposed().contiguous().asType(.bf16)], true), (halves, false)]
            for (x, turned) in left {
                for (parts, rightTurned) in right {
                    func product(_ type: DType) -> Tensor {
                        .roundedProduct(
                            StoredRows(x), leftTurned: turned, parts.map { StoredRows($0) }, rightTurned: rightTurned, bias: bias,
                            shape: [m, n],
                            type, level: table)
                    }
                    let found = product(.f32), scale = Float(k).squareRoot()
                    for (one, other) in zip(found.floats(), exact.floats()) {
                        #expect(abs(one - other) <= 4e-6 * scale * max(1, abs(other)))
                    }
                    #expect(product(.bf16).floats() == found.asType(.bf16).floats())
                    ThreadPool.limit(to: 1)
                    #expect(product(.f32).floats() == found.floats())
                    ThreadPool.limit(to: threads)
                }
            }
        }
    }

    @Test func elementsOfBfloat() throws {
        var generator = RandomGenerator(seed: 4)
        let x = Tensor.randomNormal([3, 5000], using: &generator).asType(.bf16), dy = Tensor.randomNormal([3, 5000], using: &generator)
        let wide = x.asType(.f32)
        #expect(x.applying(SN_GELU).floats() == wide.applying(SN_GELU).asType(.bf16).floats())
        var found = [Float](repeating: 0, count: x.count), expected = found
        sn_unary_gradient_bfloat(SN_GELU, x.bfloatElements, dy.floatElements, &found, x.count)
        sn_unary_gradient_all(SN_GELU, wide.floatElements, dy.floatElements, &expected, x.count)
        #expect(found == expected)
    }
}
