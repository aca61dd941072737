import CKernels
import Tensors

extension Operation {
    /// The gradients of the operands from that of the result, nil where `wanted` says so.
    /// - Parameter inputs: traces of the operands; shapes of those that are wanted.
    func gradients(_ dy: Tensor, inputs: [Trace?], wanted: [Bool]) throws -> [Tensor?] {
        func shape(_ index: Int) -> [Int] { inputs[index]?.shape ?? [] }
        func when(_ index: Int, _ body: () throws -> Tensor) rethrows -> Tensor? { wanted[index] ? try body() : nil }
        switch self {
        case .unary, .scale, .bound, .powerOf: return [try elementwise(dy)]
        case .add: return try (0..<2).map { index in try when(index) { try dy.summed(to: shape(index)) } }
        case .subtract:
            return [try when(0) { try dy.summed(to: shape(0)) }, try when(1) { try dy.summed(to: shape(1)).negated() }]
        case let .multiply(a, b):
            return [try when(0) { try (dy * b).summed(to: shape(0)) }, try when(1) { try (dy * a).summed(to: shape(1)) }]
        case let .divide(a, b):
            return [
                try when(0) { try (dy / b).summed(to: shape(0)) },
                try when(1) { try (dy * a / (b * b)).negated().summed(to: shape(1)) },
            ]
        case let .extremum(a, b, largest):
            let share = try Tensor.share(a, b, largest: largest)
            return [
                try when(0) { try (dy * share).summed(to: shape(0)) },
                try when(1) { try (dy * share.scaled(by: -1).adding(1)).summed(to: shape(1)) },
            ]
        case let .power(a, b):
            return [
                try when(0) { try (dy * b * a.power(b.adding(-1))).summed(to: shape(0)) },
                try when(1) { try (dy * a.power(b) * a.log()).summed(to: shape(1)) },
            ]
        case let .select(condition):
            let zero = Tensor.zeros([])
            return [
                try when(0) { try dy.selecting(where: condition, else: zero).summed(to: shape(0)) },
                try when(1) { try zero.selecting(where: condition, else: dy).summed(to: shape(1)) },
            ]
        case .matmul, .linear, .attention, .jointAttention, .conv2d: return try product(dy, inputs, wanted)
        case .layerNorm, .rmsNorm, .softmax, .logSoftmax, .unitLength: return try norm(dy, wanted)
        case .sum, .mean, .variance, .extremumOver, .cumulativeSum: return [try reduction(dy, shape(0))]
        case .reshape, .permute, .broadcast, .slice, .concatenate, .gather, .takeAlong, .pad, .triangle:
            return try places(dy, inputs, wanted)
        case .maxPool, .averagePool, .interpolate: return [try window(dy, shape(0))]
        case let .custom(rule): return try rule(dy)
        case .recompute: preconditionFailure("the walk computes it anew")
        }
    }

    private func elementwise(_ dy: Tensor) throws -> Tensor {
        switch self {
        case let .unary(operation, x):
            let dy = dy.contiguous()
            return Tensor.makeFloats(x.shape) {
                if x.dtype == .bf16 {
                    sn_unary_gradient_bfloat(operation, x.bfloatElements, dy.floatElements, $0, x.count)
                } else {
                    sn_unary_gradient_all(operation, x.floatElements, dy.floatElements, $0, x.count)
                }
            }
        case let .scale(factor): return dy.scaled(by: factor)
        case let .bound(value, x, largest):
            let inside = try x.compared(Tensor(value)) { largest ? $0 >= $1 : $0 <= $1 }
            return try dy.selecting(where: inside, else: Tensor.zeros([]))
        case let .powerOf(exponent, x): return try dy * x.power(exponent - 1).scaled(by: exponent)
        default: preconditionFailure("not an element-wise operation")
        }
    }

    private func norm(_ dy: Tensor, _ wanted: [Bool]) throws -> [Tensor?] {
        let dy = dy.contiguous()
        switch self {
        case let .layerNorm(kept, weight, _, epsilon):
            let x = kept.asType(.f32)
            return Tensor.normGradients(x, wanted) { rows, length, dx, dw, db in
                sn_layer_norm_gradient_rows(x.floatElements, weight?.floatElements, epsilon, dy.floatElements, dx, dw, db, rows, length)
            }
        case let .rmsNorm(kept, weight, epsilon):
            let x = kept.asType(.f32)
            return Tensor.normGradients(x, [wanted[0], wanted[1], false]) { rows, length, dx, dw, _ in
                sn_rms_norm_gradient_rows(x.floatElements, weight?.floatElements, epsilon, dy.floatElements, dx, dw, rows, length)
            }
        case let .softmax(y):
            let length = max(y.dim(-1), 1)
            return [
                Tensor.makeFloats(y.shape) { sn_softmax_gradient_rows(y.floatElements, dy.floatElements, $0, y.count / length, length) }
            ]
        case let .logSoftmax(y):
            let length = max(y.dim(-1), 1)
            return [
                Tensor.makeFloats(y.shape) { sn_log_softmax_gradient_rows(y.floatElements, dy.floatElements, $0, y.count / length, length) }
            ]
        case let .unitLength(x, y):
            // d(x/|x|) = (dy - y <y, dy>) / |x|
            let along = try (dy * y).sum([-1], keepDims: true)
            let length = try (x * x).sum([-1], keepDims: true).sqrt()
            let safe = try length.compared(Tensor.zeros([])) { $0 > $1 }
            let inverse = try (Tensor.ones([]) / length).selecting(where: safe, else: Tensor.zeros([]))
            return [try (dy - y * along) * inverse]
        default: preconditionFailure("not a norm")
        }
    }

    private func reduction(_ dy: Tensor, _ shape: [Int]) throws -> Tensor {
        switch self {
        case let .sum(kept): return try dy.reshaped(kept).broadcast(to: shape)
        case let .mean(kept, length): return try dy.reshaped(kept).scaled(by: 1 / Float(length)).broadcast(to: shape)
        case let .variance(x, axes, kept, length, correction):
            let centred = try x - x.mean(axes, keepDims: true)
            return try centred * dy.reshaped(kept).scaled(by: 2 / Float(length - correction))
        case let .extremumOver(x, result, kept):
            let chosen = try x.compared(result.reshaped(kept)) { $0 == $1 }.asType(.f32)
            let axes = kept.indices.filter { kept[$0] != shape[$0] }
            let ties = axes.isEmpty ? chosen : try chosen.sum(axes, keepDims: true)
            return try chosen / ties * dy.reshaped(kept)
        case let .cumulativeSum(axis):
            return try dy.flipped([axis]).cumulativeSum(axis).flipped([axis])
        default: preconditionFailure("not a reduction")
        }
    }
}

extension Tensor {
    /// The gradient of a tensor that was broadcast to this one's shape: the sum over what it was repeated for.
    func summed(to target: [Int]) throws -> Tensor {
        if shape == target { return self }
        let lead = rank - target.count
        if shape.dropFirst(lead).elementsEqual(target) {
            // A bias: one value for each column.
            let source = contiguous(), columns = target.reduce(1, *), rows = columns == 0 ? 0 : count / columns
            return Tensor.makeFloats(target) { sn_sum_columns(source.floatElements, rows, columns, $0) }
        }
        let axes = (0..<rank).filter { $0 < lead || (target[$0 - lead] == 1 && shape[$0] != 1) }
        return try sum(axes, keepDims: true).reshaped(target)
    }

    /// 1 where `a` is the larger (or the smaller), 0 where `b` is, 1/2 where they are equal.
    static func share(_ a: Tensor, _ b: Tensor, largest: Bool) throws -> Tensor {
        let first = try a.compared(b) { largest ? $0 > $1 : $0 < $1 }.asType(.f32)
        return try first + a.compared(b) { $0 == $1 }.asType(.f32).scaled(by: 0.5)
    }

    /// Runs a norm's kernel into as many of the three gradients (input, weight, bias) as are wanted.
    static func normGradients(
        _ x: Tensor, _ wanted: [Bool],
        _ body: (Int, Int, UnsafeMutablePointer<Float>?, UnsafeMutablePointer<Float>?, UnsafeMutablePointer<Float>?) -> Void
    ) -> [Tensor?] {
        let length = x.dim(-1), rows = length == 0 ? 0 : x.count / length
        let dx = wanted[0] ? Tensor.makeFloats(x.shape) { _ in } : nil
        let dw = wanted[1] ? Tensor.makeFloats([length]) { _ in } : nil
        let db = wanted[2] ? Tensor.makeFloats([length]) { _ in } : nil
        body(rows, length, dx?.floatElements, dw?.floatElements, db?.floatElements)
        return [dx, dw, db]
    }
}
