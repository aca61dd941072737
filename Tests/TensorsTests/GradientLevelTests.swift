import CKernels
import Testing

@testable import Tensors

/// The gradients' kernels of each instruction set against the intrinsic-free reference, and that against differences of functions.
@Suite struct GradientLevelTests {
    static let levels = KernelLevelTests.levels
    static var plain: sn_gradient_table { sn_gradients_named("scalar")!.pointee }
    static let counts = [1, 3, 7, 8, 15, 16, 17, 33, 100, 769]

    private func values(_ count: Int, seed: UInt64, scale: Float = 1) -> [Float] {
        var generator = RandomGenerator(seed: seed)
        return (0..<count).map { _ in generator.normal() * scale }
    }

    private func check(_ a: [Float], _ b: [Float], tolerance: Float, _ what: String) {
        for i in a.indices where !(abs(a[i] - b[i]) <= tolerance * max(1, abs(b[i]))) {
            Issue.record("\(what): element \(i) is \(a[i]), the reference gives \(b[i])")
            return
        }
    }

    private static func needsPositive(_ operation: sn_unary) -> Bool { [SN_LOG, SN_SQRT, SN_RSQRT].contains(operation) }

    @Test(arguments: levels) func unary(level: String) {
        let fast = sn_gradients_named(level)!.pointee
        for count in Self.counts {
            let all = values(count, seed: UInt64(count), scale: 3) + [0, -0.0, 1e-30, -30, 30, 80, -80]
            let dy = values(all.count, seed: 5)
            for code in 0..<SN_UNARY_COUNT.rawValue {
                let x = Self.needsPositive(sn_unary(code)) ? all.map { abs($0) + 0.01 } : all
                var a = [Float](repeating: 9, count: x.count), b = a
                fast.unary_gradient(sn_unary(code), x, dy, &a, x.count)
                Self.plain.unary_gradient(sn_unary(code), x, dy, &b, x.count)
                check(a, b, tolerance: 3e-6, "gradient of unary \(code) of \(count) at \(level)")
            }
        }
    }

    /// Where a function has a slope, it is that of the reference's kernel. Steps of 1/64 are exact; the error is of second order.
    @Test func slopesAreThoseOfTheFunctions() {
        let forward = sn_kernels_named("scalar")!.pointee
        for code in 0..<SN_UNARY_COUNT.rawValue {
            let positive = Self.needsPositive(sn_unary(code)), step: Float = 1 / 64
            // Away from the whole and half numbers where abs, relu, floor, ceil and round bend or jump.
            let first: Float = positive ? 0.6 : -2.4
            let x: [Float] = (0..<40).map { place in first + Float(place % 4) * 0.08 + Float(place / 4) * 0.5 }
            let ones = [Float](repeating: 1, count: x.count)
            var slope = ones, above = ones, below = ones
            Self.plain.unary_gradient(sn_unary(code), x, ones, &slope, x.count)
            forward.unary(sn_unary(code), x.map { $0 + step }, &above, x.count)
            forward.unary(sn_unary(code), x.map { $0 - step }, &below, x.count)
            let difference = x.indices.map { (above[$0] - below[$0]) / (2 * step) }
            check(slope, difference, tolerance: 2e-3, "slope of unary \(code)")
        }
    }

    @Test(arguments: levels) func rows(level: String) {
        let fast = sn_gradients_named(level)!.pointee, plain = Self.plain
        for n in Self.counts where n > 1 {
            let x = values(n, seed: 1), w = values(n, seed: 2), dy = values(n, seed: 3), start = values(n, seed: 4)
            var (a, b) = (start, start), sums = (start, start), others = (start, start)
            fast.layer_norm_gradient(x, w, 1e-5, dy, &a, &sums.0, &sums.1, n)
            plain.layer_norm_gradient(x, w, 1e-5, dy, &b, &others.0, &others.1, n)
            check(a + sums.0 + sums.1, b + others.0 + others.1, tolerance: 2e-5, "gradient of layer norm of \(n)")
            fast.rms_norm_gradient(x, w, 1e-6, dy, &a, &sums.0, n)
            plain.rms_norm_gradient(x, w, 1e-6, dy, &b, &others.0, n)
            check(a + sums.0, b + others.0, tolerance: 2e-5, "gradient of RMS norm of \(n)")
            fast.layer_norm_gradient(x, nil, 1e-5, dy, &a, nil, nil, n)
            plain.layer_norm_gradient(x, nil, 1e-5, dy, &b, nil, nil, n)
            check(a, b, tolerance: 2e-5, "gradient of layer norm without weights of \(n)")
            fast.log_softmax(x, &a, n)
            plain.log_softmax(x, &b, n)
            check(a, b, tolerance: 1e-5, "log softmax of \(n)")
            let logarithms = b
            fast.log_softmax_gradient(logarithms, dy, &a, n)
            plain.log_softmax_gradient(logarithms, dy, &b, n)
            check(a, b, tolerance: 1e-5, "gradient of log softmax of \(n)")
            let shares = values(n, seed: 6).map { $0 * $0 / Float(n) }
            fast.softmax_gradient(shares, dy, &a, n)
            plain.softmax_gradient(shares, dy, &b, n)
            check(a, b, tolerance: 1e-5, "gradient of softmax of \(n)")
        }
    }

    @Test(arguments: levels) func columnsAndSums(level: String) {
        let fast = sn_gradients_named(level)!.pointee, plain = Self.plain
        let width = Int(sn_kernels_named(level)!.pointee.nr)
        var p = values(37 * width, seed: 1), q = p, dp = values(37 * width, seed: 2), dq = dp
        fast.softmax_gradient_columns(&p, &dp, 37, width, values(width, seed: 3))
        plain.softmax_gradient_columns(&q, &dq, 37, width, values(width, seed: 3))
        check(p + dp, q + dq, tolerance: 2e-5, "gradient of softmax of columns")
        for n in Self.counts {
            let x = values(7 * (n + 2), seed: 4)
            var a = values(n, seed: 5), b = a
            fast.add_rows(x, 7, n + 2, &a, n)
            plain.add_rows(x, 7, n + 2, &b, n)
            fast.add_scaled(&a, x, 0.3, n)
            plain.add_scaled(&b, x, 0.3, n)
            check(a, b, tolerance: 2e-6, "sums of \(n)")
            #expect(abs(fast.sum_of_squares(x, n) - plain.sum_of_squares(x, n)) < 1e-9)
            let broken = x.enumerated().map { $0 % 5 == 2 ? .nan : $0 % 7 == 3 ? -.infinity : $1 }
            #expect(fast.count_not_finite(broken, n) == plain.count_not_finite(broken, n))
            #expect(plain.count_not_finite(broken, n) == broken.prefix(n).filter { !$0.isFinite }.count)
        }
    }

    @Test(arguments: levels) func optimisers(level: String) {
        let fast = sn_gradients_named(level)!.pointee, plain = Self.plain
        for n in Self.counts {
            var step = sn_step()
            (step.rate, step.beta1, step.beta2, step.epsilon, step.decay, step.gradient_scale) = (0.1, 0.9, 0.99, 1e-6, 0.1, 0.5)
            (step.correction1, step.correction2, step.momentum, step.dampening) = (0.19, 0.0199, 0.9, 0.2)
            let g = values(n, seed: 1)
            var w = values(n, seed: 2), m = values(n, seed: 3), v = values(n, seed: 4).map { $0 * $0 + 0.1 }, direction = w
            var others = (w, m, v, w)
            for nesterov in [0, 1] as [Int32] {
                step.nesterov = nesterov
                step.first_step = 1 - nesterov
                fast.sgd(&w, g, &m, n, &step)
                plain.sgd(&others.0, g, &others.1, n, &step)
            }
            fast.sgd(&w, g, nil, n, &step)
            plain.sgd(&others.0, g, nil, n, &step)
            fast.adamw(&w, g, &m, &v, n, &step)
            plain.adamw(&others.0, g, &others.1, &others.2, n, &step)
            fast.lion(&w, g, &m, n, &step)
            plain.lion(&others.0, g, &others.1, n, &step)
            fast.lamb_direction(w, g, &m, &v, &direction, n, &step)
            plain.lamb_direction(others.0, g, &others.1, &others.2, &others.3, n, &step)
            check(w + m + v + direction, others.0 + others.1 + others.2 + others.3, tolerance: 1e-5, "steps of \(n) at \(level)")
        }
    }
}
