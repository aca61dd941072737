import CKernels
import Tensors

extension Operation {
    func product(_ dy: Tensor, _ inputs: [Trace?], _ wanted: [Bool]) throws -> [Tensor?] {
        switch self {
        case let .matmul(a, b): return try matmulGradients(dy, a, b, inputs, wanted)
        case let .linear(x, weights, precision):
            return try linearGradients(dy, weights, precision, inputs, wanted) { try x ?? inputs[0]?.again() }
        case let .attention(queries, keys, values, scale, mask, causal):
            let made = [queries, keys, values].map { Tensor.makeFloats($0.shape) { _ in } }
            Tensor.attentionGradients(dy, (queries, keys, values), scale, mask, causal, into: (made[0], made[1], made[2]))
            return zip(made, wanted).map { $1 ? $0 : nil }
        case let .jointAttention(joint, scale, mask, causal):
            let made = Tensor.makeFloats(joint.shape) { _ in }
            Tensor.attentionGradients(dy, try joint.heads(), scale, mask, causal, into: try made.heads())
            return [made]
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

    /// - Parameter kept: the layer's input; asked for where the weights' gradient is.
    private func linearGradients(
        _ dy: Tensor, _ weights: WeightMatrix, _ precision: ProductPrecision, _ inputs: [Trace?], _ wanted: [Bool],
        kept: () throws -> Tensor?
    ) throws -> [Tensor?] {
        let (n, k) = (weights.rows, weights.columns)
        let whole = try dy.reshaped([-1, n])  // [m, n]
        let given = precision == .bf16 ? whole.asType(.bf16) : whole
        var result: [Tensor?] = [nil, nil]
        if let input = inputs[0] {
            switch precision {
            case .bf16: result[0] = Tensor.roundedProduct(StoredRows(given), weights.parts, shape: input.shape)
            case .f32:
                let parts = weights.parts.map { $0.values() }
                result[0] = try given.matmul(parts.count == 1 ? parts[0] : Tensor.concatenated(parts)).reshaped(input.shape)
            }
        }
        if wanted[1] { result[1] = try whole.summed(to: [n]) }
        guard wanted.dropFirst(2).contains(true) else { return result + weights.parts.map { _ in nil } }
        guard let x = try kept() else { throw TensorError.walked(shape: dy.shape) }
        let rows = try x.reshaped([-1, k])  // [m, k]
        let all =
            switch precision {  // [n, k]
            case .bf16: Tensor.roundedProduct(StoredRows(given), leftTurned: true, [StoredRows(rows)], shape: [n, k])
            case .f32: try given.transposed().matmul(rows)
            }
        var first = 0
        for (part, wanted) in zip(weights.parts, wanted.dropFirst(2)) {
            result.append(wanted ? try all.sliced(0, first..<first + part.rows) : nil)
            first += part.rows
        }
        return result
    }
}

extension Tensor {
    /// Writes the gradients of queries, keys and values, each where a new tensor's view lies.
    fileprivate static func attentionGradients(
        _ dy: Tensor, _ operands: (Tensor, Tensor, Tensor), _ scale: Float, _ mask: Tensor?, _ causal: Bool,
        into result: (Tensor, Tensor, Tensor)
    ) {
        let given = dy.contiguous()  // [batch, n, heads, value width]
        let (q, k, v) = (operands.0.rowsAdjacent(), operands.1.rowsAdjacent(), operands.2.rowsAdjacent())
        var shape = attentionShape(q, k, v, scale: scale, mask: mask, causal: causal)
        var places = attentionShape(result.0, result.1, result.2, scale: scale, mask: nil, causal: causal)
        withExtendedLifetime((q, k, v, mask, result)) {
            sn_attention_gradient(
                q.firstFloat, k.firstFloat, v.firstFloat, given.floatElements, result.0.firstFloat, result.1.firstFloat,
                result.2.firstFloat, &shape, &places)
        }
    }
}
