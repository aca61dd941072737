import CKernels

extension Tensor {
    /// Scaled dot-product attention without a stored score matrix.
    /// - Parameters:
    ///   - queries: `[batch, heads, n, width]`; keys `[batch, keyHeads, m, width]`; values `[batch, keyHeads, m, valueWidth]`.
    ///     Heads may be views (a transposed projection). `keyHeads` divides `heads` (grouped queries).
    ///   - scale: `1 / sqrt(width)` where nil.
    ///   - mask: added to the scores, broadcast to `[batch, heads, n, m]`; a bool mask keeps where it is true.
    ///   - causal: query i sees keys up to `i + m - n`.
    /// - Returns: `[batch, n, heads, valueWidth]`, ready to be flattened for the output projection.
    public static func attention(
        queries: Tensor, keys: Tensor, values: Tensor, scale: Float? = nil, mask: Tensor? = nil, causal: Bool = false
    ) throws(TensorError) -> Tensor {
        guard queries.rank == 4, keys.rank == 4, values.rank == 4, queries.shape[0] == keys.shape[0], keys.shape[0] == values.shape[0],
            keys.shape[1] == values.shape[1], keys.shape[1] > 0, queries.shape[1] % keys.shape[1] == 0,
            keys.shape[2] == values.shape[2], queries.shape[3] == keys.shape[3]
        else {
            throw .shape(
                operation: "attention", shapes: [queries.shape, keys.shape, values.shape],
                expected: "[batch, heads, n, width], [batch, keyHeads, m, width], [batch, keyHeads, m, valueWidth]")
        }
        if let mask, mask.trace != nil, Trace.isRecording { return try scored(queries, keys, values, scale, mask, causal) }
        let (q, k, v) = (queries.inProductPrecision(), keys.inProductPrecision(), values.inProductPrecision())
        let additive = try mask.map { (mask: Tensor) throws(TensorError) in
            try mask.additiveMask(to: [q.shape[0], q.shape[1], q.shape[2], k.shape[2]])
        }
        let factor = scale ?? 1 / Float(q.shape[3]).squareRoot()
        return attended(q.rowsAdjacent(), k.rowsAdjacent(), v.rowsAdjacent(), factor, additive, causal).recorded(
            queries, keys, values,
            .attention(
                queries: q.detached(), keys: k.detached(), values: v.detached(), scale: factor, mask: additive?.detached(),
                causal: causal))
    }

    /// The same of queries, keys and values side by side, as one projection gives them: `joint` `[batch, n, 3, heads, width]`.
    public static func attention(joint: Tensor, mask: Tensor? = nil, causal: Bool = false) throws(TensorError) -> Tensor {
        guard joint.rank == 5, joint.shape[2] == 3 else {
            throw .shape(operation: "attention", shapes: [joint.shape], expected: "[batch, n, 3, heads, width]")
        }
        if let mask, mask.trace != nil, Trace.isRecording {
            let parts = try joint.permuted([2, 0, 3, 1, 4])
            return try scored(parts.selected(0, 0), parts.selected(0, 1), parts.selected(0, 2), nil, mask, causal)
        }
        let kept = joint.inProductPrecision().contiguous().detached(), (q, k, v) = try kept.heads()
        let additive = try mask.map { (mask: Tensor) throws(TensorError) in
            try mask.additiveMask(to: [q.shape[0], q.shape[1], q.shape[2], q.shape[2]])
        }
        let factor = 1 / Float(joint.shape[4]).squareRoot()
        return attended(q, k, v, factor, additive, causal)
            .recorded(joint, .jointAttention(kept, scale: factor, mask: additive?.detached(), causal: causal))
    }

    /// Queries, keys and values `[batch, heads, n, width]` of `[batch, n, 3, heads, width]`, in f32.
    package func heads() throws(TensorError) -> (Tensor, Tensor, Tensor) {
        let parts = try asType(.f32).permuted([2, 0, 3, 1, 4])
        return (try parts.selected(0, 0), try parts.selected(0, 1), try parts.selected(0, 2))
    }

    /// Of f32 with adjacent elements along the last axis.
    private static func attended(
        _ q: Tensor, _ k: Tensor, _ v: Tensor, _ scale: Float, _ mask: Tensor?, _ causal: Bool
    ) -> Tensor {
        Tensor.makeFloats([q.shape[0], q.shape[2], q.shape[1], v.shape[3]]) { out in
            var shape = attentionShape(q, k, v, scale: scale, mask: mask, causal: causal)
            withExtendedLifetime((q, k, v, mask)) { sn_attention(q.floatPointer, k.floatPointer, v.floatPointer, out, &shape) }
        }
    }

    /// What the kernels want to know of an attention and of its gradient. The result is `[batch, n, heads, value width]`, row-major; the
    /// mask must be kept alive while the shape is used.
    package static func attentionShape(
        _ q: Tensor, _ k: Tensor, _ v: Tensor, scale: Float, mask: Tensor?, causal: Bool
    ) -> sn_attention_shape {
        var shape = sn_attention_shape()
        let (heads, n, valueWidth) = (q.shape[1], q.shape[2], v.shape[3])
        (shape.batch, shape.heads, shape.key_heads, shape.queries, shape.keys) = (q.shape[0], heads, k.shape[1], n, k.shape[2])
        (shape.width, shape.value_width) = (q.shape[3], valueWidth)
        (shape.q_batch, shape.q_head, shape.q_row) = (q.strides[0], q.strides[1], q.strides[2])
        (shape.k_batch, shape.k_head, shape.k_row) = (k.strides[0], k.strides[1], k.strides[2])
        (shape.v_batch, shape.v_head, shape.v_row) = (v.strides[0], v.strides[1], v.strides[2])
        (shape.o_batch, shape.o_head, shape.o_row) = (n * heads * valueWidth, valueWidth, heads * valueWidth)
        (shape.scale, shape.causal) = (scale, causal)
        if let mask {
            shape.mask = UnsafePointer(mask.floatPointer)
            (shape.mask_batch, shape.mask_head, shape.mask_row) = (mask.strides[0], mask.strides[1], mask.strides[2])
        }
        return shape
    }

    /// The same with a matrix of scores, for masks that are learnt.
    private static func scored(
        _ queries: Tensor, _ keys: Tensor, _ values: Tensor, _ scale: Float?, _ mask: Tensor, _ causal: Bool
    ) throws(TensorError) -> Tensor {
        let (batch, heads, shared) = (queries.shape[0], queries.shape[1], keys.shape[1]), (n, m) = (queries.shape[2], keys.shape[2])
        func repeated(_ x: Tensor) throws(TensorError) -> Tensor {  // [batch, heads, m, width]
            let wide = try x.expandedDim(2).broadcast(to: [batch, shared, heads / shared, m, x.shape[3]])
            return try wide.reshaped([batch, heads, m, x.shape[3]])
        }
        var scores = try queries.matmul(repeated(keys).transposed()).scaled(by: scale ?? 1 / Float(queries.shape[3]).squareRoot()) + mask
        if causal {
            let ahead = try Tensor.full([n, m], -.infinity).selecting(
                where: Tensor.ones([n, m]).upperTriangle(1 + m - n).asType(.bool), else: Tensor.zeros([n, m]))
            scores = try scores + ahead
        }
        return try scores.softmax().matmul(repeated(values)).permuted([0, 2, 1, 3])
    }

    /// f32 with adjacent elements along the last axis.
    package func rowsAdjacent() -> Tensor {
        let floats = asType(.f32)
        return floats.strides[rank - 1] == 1 || shape[rank - 1] <= 1 ? floats : floats.contiguous()
    }

    /// The mask as f32 to add: false of a bool mask becomes -inf. Broadcast by strides, but for the last axis.
    private func additiveMask(to shape: [Int]) throws(TensorError) -> Tensor {
        var floats = self
        if dtype == .bool {
            floats = try Tensor.zeros(self.shape).selecting(where: self, else: Tensor.full([], -.infinity))
        }
        floats = floats.asType(.f32)
        if floats.rank == 0 || floats.dim(-1) != shape[3] {
            floats = try floats.broadcast(to: Array(floats.shape.dropLast()) + [shape[3]]).contiguous()
        }
        return try floats.contiguous().broadcast(to: shape)
    }
}
