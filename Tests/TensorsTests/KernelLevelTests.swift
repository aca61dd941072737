import CKernels
import Testing

@testable import Tensors

/// Each instruction set that this CPU has against the intrinsic-free reference.
@Suite struct KernelLevelTests {
    static let levels: [String] = ["avx2", "avx512", "neon"].filter { sn_kernels_named($0) != nil }

    private func values(_ count: Int, seed: UInt64, scale: Float = 3) -> [Float] {
        var generator = RandomGenerator(seed: seed)
        return (0..<count).map { _ in generator.normal() * scale }
    }

    private func check(_ a: [Float], _ b: [Float], tolerance: Float, _ what: String) {
        for i in a.indices where abs(a[i] - b[i]) > tolerance * max(1, abs(b[i])) {
            Issue.record("\(what): element \(i) is \(a[i]), the reference gives \(b[i])")
            return
        }
    }

    @Test(arguments: levels) func elementwise(level: String) {
        let fast = sn_kernels_named(level)!, plain = sn_kernels_named("scalar")!
        for count in [0, 1, 3, 4, 7, 15, 16, 17, 33, 100] {
            let x = values(count, seed: UInt64(count)) + [0, -0.0, 1e-30, -30, 30, 90, -110].map(Float.init)
            for code in 0..<SN_UNARY_COUNT.rawValue {
                let operation = sn_unary(code)
                let input = [SN_LOG, SN_SQRT, SN_RSQRT].contains(operation) ? x.map { abs($0) + 1e-3 } : x
                var a = [Float](repeating: 0, count: input.count), b = a
                fast.pointee.unary(operation, input, &a, input.count)
                plain.pointee.unary(operation, input, &b, input.count)
                check(a, b, tolerance: 2e-6, "unary \(code) of \(count) at \(level)")
            }
            var pair: [Float] = [.nan, -1]
            fast.pointee.unary(SN_RELU, pair, &pair, 2)
            #expect(pair[0].isNaN && pair[1] == 0)
            let y = values(x.count, seed: 99).map { $0 + ($0 < 0 ? -0.5 : 0.5) }
            for code in 0..<SN_BINARY_COUNT.rawValue where sn_binary(code) != SN_POW {
                for (aStep, bStep) in [(1, 1), (0, 1), (1, 0)] {
                    var a = [Float](repeating: 0, count: x.count), b = a
                    fast.pointee.binary(sn_binary(code), x, aStep, y, bStep, &a, x.count)
                    plain.pointee.binary(sn_binary(code), x, aStep, y, bStep, &b, x.count)
                    check(a, b, tolerance: 1e-6, "binary \(code) of \(count) at \(level)")
                }
            }
        }
    }

    @Test(arguments: levels) func depthwiseRows(level: String) {
        let fast = sn_kernels_named(level)!.pointee, plain = sn_kernels_named("scalar")!.pointee
        for (height, width, dilation) in [(1, 1, 1), (3, 3, 1), (3, 3, 2), (5, 4, 1), (2, 7, 3)] {
            for count in [1, 7, 8, 16, 33, 100] {
                let reach = count + (width - 1) * dilation
                let x = values(height * reach, seed: 8), weight = values(height * width, seed: 9)
                var a = [Float](repeating: 0, count: count), b = a
                x.withUnsafeBufferPointer { x in
                    let rows = (0..<height).map { x.baseAddress! + $0 * reach }
                    fast.depthwise_row(rows, height, width, dilation, weight, 0.5, &a, count)
                    plain.depthwise_row(rows, height, width, dilation, weight, 0.5, &b, count)
                }
                check(a, b, tolerance: 1e-4, "depthwise row of \(count) under \(height)x\(width)")
            }
        }
    }

    @Test(arguments: levels) func reductions(level: String) {
        let fast = sn_kernels_named(level)!.pointee, plain = sn_kernels_named("scalar")!.pointee
        for count in [1, 2, 15, 16, 31, 64, 100, 769] {
            let x = values(count, seed: 5), w = values(count, seed: 6), b = values(count, seed: 7)
            check(
                [fast.sum(x, count), fast.max(x, count), fast.dot(x, w, count)],
                [plain.sum(x, count), plain.max(x, count), plain.dot(x, w, count)], tolerance: 1e-4, "sum, max, dot of \(count)")
            var p = [Float](repeating: 0, count: count), q = p
            check([fast.softmax_exp(x, 0.3, &p, count)], [plain.softmax_exp(x, 0.3, &q, count)], tolerance: 1e-5, "softmax total")
            check(p, q, tolerance: 1e-6, "softmax of \(count)")
            fast.layer_norm(x, w, b, 1e-5, &p, count)
            plain.layer_norm(x, w, b, 1e-5, &q, count)
            check(p, q, tolerance: 1e-5, "layer norm of \(count)")
            fast.rms_norm(x, w, 1e-6, &p, count)
            plain.rms_norm(x, w, 1e-6, &q, count)
            check(p, q, tolerance: 1e-5, "rms norm of \(count)")
        }
    }

    @Test(arguments: levels) func everyHalfAndBfloat(level: String) {
        let fast = sn_kernels_named(level)!.pointee, plain = sn_kernels_named("scalar")!.pointee
        let all = (0..<65536).map { UInt16($0) }
        var a = [Float](repeating: 0, count: all.count), b = a
        fast.from_half(all, &a, all.count)
        plain.from_half(all, &b, all.count)
        #expect(zip(a, b).allSatisfy { $0 == $1 || ($0.isNaN && $1.isNaN) })
        var halves = [UInt16](repeating: 0, count: all.count), again = halves
        fast.to_half(a, &halves, all.count)
        plain.to_half(b, &again, all.count)
        #expect(zip(all, again).allSatisfy { original, back in original == back || Float(Float16(bitPattern: original)).isNaN })
        #expect(zip(halves, again).allSatisfy { $0 == $1 || ($0 & 0x7c00 == 0x7c00 && $1 & 0x7c00 == 0x7c00) })
        let between = values(5000, seed: 3, scale: 1000) + values(5000, seed: 4, scale: 1e-5)
        var x = [UInt16](repeating: 0, count: between.count), y = x
        fast.to_half(between, &x, between.count)
        plain.to_half(between, &y, between.count)
        #expect(x == y)
        fast.from_bfloat(all, &a, all.count)
        plain.from_bfloat(all, &b, all.count)
        #expect(zip(a, b).allSatisfy { $0 == $1 || ($0.isNaN && $1.isNaN) })
        // Halfway cases go to the even neighbour, what is too large to infinity, NaN stays.
        let special: [Float] = [1.00390625, 1.01171875, 3.4e38, -.infinity, .nan, -0.0, Float(bitPattern: 0x116c2)],
            wide = between + special
        x = [UInt16](repeating: 0, count: wide.count)
        y = x
        fast.to_bfloat(wide, &x, wide.count)
        plain.to_bfloat(wide, &y, wide.count)
        #expect(x == y)
        #expect(y.suffix(7) == [0x3f80, 0x3f82, 0x7f80, 0xff80, 0x7fc0, 0x8000, 0x0001])
        plain.to_bfloat(b, &halves, all.count)
        #expect(zip(all, halves).allSatisfy { $0 == $1 || ($0 & 0x7f80 == 0x7f80 && $0 & 0x7f != 0) })
    }

    /// All tile heights and widths, continued sums, dot products and transposes.
    @Test(arguments: levels + ["scalar"]) func tiles(level: String) {
        let f = sn_kernels_named(level)!.pointee
        let vw = Int(f.vw), lda = 41
        for rows in 1...Int(f.mr) {
            for vectors in 1...Int(f.nr / f.vw) {
                for k in [1, 2, 37] {
                    let nr = vectors * vw
                    let a = values(rows * lda, seed: 1, scale: 1), b = values(nr * k, seed: 2, scale: 1)
                    var c = [Float](repeating: 1, count: rows * nr)
                    f.gemm_tile(Int32(rows), Int32(vectors), k, a, lda, b, &c, nr, true)
                    for i in 0..<rows {
                        for j in 0..<nr {
                            let exact = (0..<k).reduce(1.0) { $0 + Double(a[i * lda + $1]) * Double(b[$1 * nr + j]) }
                            #expect(abs(Double(c[i * nr + j]) - exact) < 1e-4)
                        }
                    }
                }
            }
        }
    }

    @Test(arguments: levels + ["scalar"]) func dotsOfRows(level: String) {
        let f = sn_kernels_named(level)!.pointee
        for (rows, k) in [(1, 1), (4, 16), (7, 37), (48, 64)] {
            for count in 1...Int(f.dots) {
                let a = values(rows * (k + 3), seed: 1, scale: 1), b = values(count * (k + 5), seed: 2, scale: 1)
                var out = [Float](repeating: 0, count: count * rows)
                f.gemm_dots(Int32(rows), Int32(count), k, a, k + 3, b, k + 5, &out, rows)
                for t in 0..<count {
                    for i in 0..<rows {
                        let exact = (0..<k).reduce(0.0) { $0 + Double(a[i * (k + 3) + $1]) * Double(b[t * (k + 5) + $1]) }
                        #expect(abs(Double(out[t * rows + i]) - exact) < 1e-4)
                    }
                }
            }
        }
    }

    @Test(arguments: levels + ["scalar"]) func transposesAndColumns(level: String) {
        let f = sn_kernels_named(level)!.pointee, plain = sn_kernels_named("scalar")!.pointee
        for (rows, columns) in [(1, 1), (16, 16), (17, 33), (48, 40)] {
            let x = values(rows * (columns + 2), seed: 1), add = values(columns * (rows + 1), seed: 2)
            var to = [Float](repeating: 0, count: columns * (rows + 4))
            f.transpose(x, columns + 2, rows, columns, add, rows + 1, &to, rows + 4)
            for i in 0..<rows {
                for j in 0..<columns { #expect(to[j * (rows + 4) + i] == x[i * (columns + 2) + j] + add[j * (rows + 1) + i]) }
            }
        }
        let width = Int(f.nr), rows = 37
        var a = values(rows * width, seed: 3), b = a, top = [Float](repeating: -.infinity, count: width), total = top.map { _ in Float(0) }
        var factor = total, others = (top, total, total)
        for _ in 0..<2 {
            f.softmax_columns(&a, rows, width, &top, &total, &factor)
            plain.softmax_columns(&b, rows, width, &others.0, &others.1, &others.2)
            check(a + total + factor, b + others.1 + others.2, tolerance: 1e-5, "softmax of columns")
        }
        f.scale_columns(&a, rows, width, factor)
        plain.scale_columns(&b, rows, width, factor)
        let bias = values(rows, seed: 4)
        f.scale_rows(&a, rows, width, 0.5, bias, bias)
        plain.scale_rows(&b, rows, width, 0.5, bias, bias)
        check(a, b, tolerance: 1e-6, "scaled rows and columns")
    }

    @Test(arguments: levels + ["scalar"]) func finishedRows(level: String) {
        let f = sn_kernels_named(level)!.pointee, plain = sn_kernels_named("scalar")!.pointee
        let rows = 5, width = 2 * Int(f.nr), c = values(rows * width, seed: 1)
        for columns in [1, width / 2, width - 1, width] {
            let bias = values(columns, seed: 2), scale = values(columns, seed: 3), residual = values(rows * (columns + 1), seed: 4)
            for (withBias, withScale, withResidual) in [
                (false, false, false), (true, false, true), (false, true, false), (true, true, true),
            ] {
                var found = [Float](repeating: 7, count: rows * (columns + 3)), expected = found
                for (table, write) in [(f, true), (plain, false)] {
                    bias.withUnsafeBufferPointer { bias in
                        scale.withUnsafeBufferPointer { scale in
                            residual.withUnsafeBufferPointer { residual in
                                func finish(_ y: UnsafeMutablePointer<Float>) {
                                    table.finish_rows(
                                        c, rows, width, columns, 0.5, withBias ? bias.baseAddress : nil,
                                        withScale ? scale.baseAddress : nil,
                                        withResidual ? residual.baseAddress : nil, columns + 1, y, columns + 3)
                                }
                                if write { finish(&found) } else { finish(&expected) }
                            }
                        }
                    }
                }
                check(found, expected, tolerance: 1e-6, "finished rows of \(columns)")
            }
        }
    }
}
