import CKernels
import Tensors

extension Operation {
    func product(_ dy: Tensor, _ inputs: [Trace?], _ wanted: [Bool]) throws -> [Tensor?] {
        switch self {
        case let .matmul(a, b): return try matmulGradients(dy, a, b, inputs, wanted)
        case let .linear(x, weights): return try linearGradients(dy, x, weights, wanted)
        case let .attention(queries, keys, values, scale, mask, causal):
            return try attentionGradients(dy, queries, keys, values, scale, mask, causal, inputs, wanted)
        case let .conv2d(x, weight, window, groups):
            let dy = dy.contiguous(), kernel = (weight.dim(2), weight.dim(3))
            var shape = window.shape(of: x.shape, kernel: kernel, channels: weight.dim(0), output: (dy.dim(2), dy.dim(3)), groups: groups)
            let dx = wanted[0] ? Tensor.makeFloats(x.shape) { _ in } : nil
            let dw = wanted[1] ? Tensor.makeFloats(weight.shape) { _ in } : nil
            let db = wanted[2] ? Tensor.makeFloats([weight.dim(0)]) { _ in } : nil
            sn_conv2d_gradient(
                x.floatElements, weight.floatElements, dy.floatElements, dx?.floatElements, dw?.floatElements, db?.floatElements, &shape)
            return [dx, dw, db]
        default: preconditionFailure("not a product")
        }
    }

    private func matmulGradients(
        _ dy: Tensor, _ a: Tensor, _ b: Tensor, _ inputs: [Trace?], _ wanted: [Bool]
    ) throws -> [Tensor?] {
        // Vectors become a row and a column, as in the product itself.
        let left = a.rank == 1 ? try a.expandedDim(0) : a, right = b.rank == 1 ? try b.expandedDim(1) : b
        var dy = dy
        if b.rank == 1 { dy = try dy.expandedDim(-1) }
        if a.rank == 1 { dy = try dy.expandedDim(-2) }
        var da: Tensor?, db: Tensor?
        if wanted[0] { da = try dy.matmul(right.transposed()).summed(to: left.shape).reshaped(a.shape) }
        if wanted[1] {
            if right.rank == 2, left.rank > 2 {
                // One matrix for all: the rows of every product are one sum.
                let rows = try left.reshaped([-1, left.dim(-1)]), given = try dy.reshaped([-1, dy.dim(-1)])
                db = try rows.transposed().matmul(given).reshaped(b.shape)
            } else {
                db = try left.transposed().matmul(dy).summed(to: right.shape).reshaped(b.shape)
            }
        }
        return [da, db]
    }

    private func linearGradients(_ dy: Tensor, _ x: Tensor, _ weights: WeightMatrix, _ wanted: [Bool]) throws -> [Tensor?] {
        let (n, k) = (weights.rows, weights.columns)
        let given = try dy.reshaped([-1, n]), rows = try x.reshaped([-1, k])  // [m, n], [m, k]
        var result: [Tensor?] = [nil, nil]
        if wanted[0] {
            let parts = weights.parts.map { $0.values() }
            let matrix = parts.count == 1 ? parts[0] : try Tensor.concatenated(parts)
            result[0] = try given.matmul(matrix).reshaped(x.shape)
        }
        if wanted[1] { result[1] = try given.summed(to: [n]) }
        guard wanted.dropFirst(2).contains(true) else { return result + weights.parts.map { _ in nil } }
        let all = try given.transposed().matmul(rows)  // [n, k]
        var first = 0
        for (part, wanted) in zip(weights.parts, wanted.dropFirst(2)) {
            result.append(wanted ? try all.sliced(0, first..<first + part.rows) : nil)
            first += part.rows
        }
        return result
    }

    private func attentionGradients(
        _ dy: Tensor, _ q: Tensor, _ k: Tensor, _ v: Tensor, _ scale: Float, _ mask: Tensor?, _ causal: Bool, _ inputs: [Trace?],
        _ wanted: [Bool]
    ) throws -> [Tensor?] {
        let given = dy.contiguous()  // [batch, n, heads, value width]
        var shape = Tensor.attentionShape(q, k, v, scale: scale, mask: mask, causal: causal)
        let dq = Tensor.makeFloats(q.shape) { _ in }, dk = Tensor.makeFloats(k.shape) { _ in }, dv = Tensor.makeFloats(v.shape) { _ in }
        withExtendedLifetime(mask) {
            sn_attention_gradient(
                q.firstFloat, k.firstFloat, v.firstFloat, given.floatElements, dq.floatElements, dk.floatElements, dv.floatElements, &shape)
        }
        return zip([dq, dk, dv], wanted).map { $1 ? $0 : nil }
    }
}
