import CKernels

extension Tensor {
    /// Matrix product over the last two axes, leading axes broadcast; a vector on either side is a row or a column.
    /// `[..., m, k] x [..., k, n] -> [..., m, n]`
    public func matmul(_ other: Tensor) throws(TensorError) -> Tensor {
        guard rank > 0, other.rank > 0 else {
            throw .shape(operation: "matmul", shapes: [shape, other.shape], expected: "at least one axis each")
        }
        if rank == 1 { return try expandedDim(0).matmul(other).squeezed(other.rank == 1 ? 0 : -2) }
        if other.rank == 1 { return try matmul(other.expandedDim(1)).squeezed(-1) }
        let m = dim(-2), k = dim(-1), n = other.dim(-1)
        guard other.dim(-2) == k else {
            throw .shape(operation: "matmul", shapes: [shape, other.shape], expected: "\(k) rows on the right")
        }
        let lead = try Tensor.broadcastShape(Array(shape.dropLast(2)), Array(other.shape.dropLast(2)), "matmul")
        let a = try asType(.f32).broadcast(to: lead + [m, k]), b = try other.asType(.f32).broadcast(to: lead + [k, n])
        let batch = lead.reduce(1, *), axes = lead.count
        guard batch * m * n > 0 else { return Tensor.zeros(lead + [m, n]) }
        if k == 0 { return Tensor.zeros(lead + [m, n]) }
        return Tensor.makeFloats(lead + [m, n]) { out in
            func strides(_ tensor: Tensor, _ index: Int) -> Int {
                var rest = index, place = 0
                for axis in stride(from: axes - 1, through: 0, by: -1) {
                    place += rest % lead[axis] * tensor.strides[axis]
                    rest /= lead[axis]
                }
                return place
            }
            // Runs of products whose operands lie evenly spaced go to the kernel at once.
            var start = 0
            while start < batch {
                let (a0, b0) = (strides(a, start), strides(b, start))
                var run = 1, aStep = 0, bStep = 0
                while start + run < batch {
                    let (x, y) = (strides(a, start + run) - a0, strides(b, start + run) - b0)
                    if run == 1 { (aStep, bStep) = (x, y) } else if x != aStep * run || y != bStep * run { break }
                    run += 1
                }
                sn_gemm_batched(
                    run, m, n, k, a.floatPointer + a0, aStep, a.strides[axes], a.strides[axes + 1],
                    b.floatPointer + b0, bStep, b.strides[axes], b.strides[axes + 1], out + start * m * n, m * n, n)
                start += run
            }
        }
    }
}

/// A weight matrix `[out, in]` packed once for fast products.
public struct PackedMatrix: Sendable {
    public let rows: Int
    public let columns: Int
    private let panels: Tensor
    private let level: String

    /// - Precondition: `matrix` is `[out, in]`; other types than f32 are converted.
    public init(_ matrix: Tensor) {
        precondition(matrix.rank == 2, "PackedMatrix needs [out, in], found \(matrix.shape)")
        let source = matrix.asType(.f32)
        rows = matrix.shape[0]
        columns = matrix.shape[1]
        let (n, k) = (rows, columns)
        level = String(cString: sn_kernels().pointee.name)
        panels = Tensor.makeFloats([Swift.max(sn_packed_size(n, k), 1)]) {
            sn_pack_right(source.floatPointer, n, k, source.strides[0], source.strides[1], $0)
        }
    }

    /// `activation(x W^T + bias) + residual` for `x` `[..., in]`.
    public func apply(
        _ x: Tensor, bias: Tensor? = nil, activation: Activation? = nil, residual: Tensor? = nil
    ) throws(TensorError) -> Tensor {
        guard x.rank > 0, x.dim(-1) == columns else {
            throw .shape(operation: "linear", shapes: [x.shape, [rows, columns]], expected: "a last axis of \(columns)")
        }
        precondition(level == String(cString: sn_kernels().pointee.name), "weights packed for another instruction set")
        let shape = Array(x.shape.dropLast()) + [rows]
        if let bias, bias.shape != [rows] { throw .shape(operation: "linear bias", shapes: [bias.shape], expected: "[\(rows)]") }
        if let residual, residual.shape != shape {
            throw .shape(operation: "linear residual", shapes: [residual.shape, shape], expected: "the result's shape")
        }
        let source = x.asType(.f32).contiguous(), m = columns == 0 ? 0 : source.count / columns
        let biasValues = bias?.asType(.f32).contiguous(), added = residual?.asType(.f32).contiguous()
        return Tensor.makeFloats(shape) { out in
            var epilogue = sn_epilogue(bias: nil, row_bias: nil, activation: -1, residual: nil, residual_stride: rows, alpha: 1)
            if let biasValues { epilogue.bias = UnsafePointer(biasValues.floatPointer) }
            if let activation { epilogue.activation = Int32(bitPattern: activation.kernel.rawValue) }
            if let added { epilogue.residual = UnsafePointer(added.floatPointer) }
            withExtendedLifetime((biasValues, added)) {
                sn_gemm_packed(m, rows, columns, source.floatPointer, columns, 1, panels.floatPointer, out, rows, &epilogue)
            }
        }
    }
}
