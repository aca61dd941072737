import CKernels

/// A weight matrix `[out, in]`, read where it lies: a matrix of a memory-mapped checkpoint stays in its file.
public struct WeightMatrix: Sendable {
    public let rows: Int
    public let columns: Int
    private let matrix: Tensor

    /// - Precondition: `matrix` is `[out, in]`; other types than f32 are converted.
    public init(_ matrix: Tensor) {
        precondition(matrix.rank == 2, "WeightMatrix needs [out, in], found \(matrix.shape)")
        rows = matrix.shape[0]
        columns = matrix.shape[1]
        self.matrix = matrix.asType(.f32).contiguous()
    }

    /// `activation(x W^T + bias) + residual` for `x` `[..., in]`.
    public func apply(
        _ x: Tensor, bias: Tensor? = nil, activation: Activation? = nil, residual: Tensor? = nil
    ) throws(TensorError) -> Tensor {
        guard x.rank > 0, x.dim(-1) == columns else {
            throw .shape(operation: "linear", shapes: [x.shape, [rows, columns]], expected: "a last axis of \(columns)")
        }
        let shape = Array(x.shape.dropLast()) + [rows]
        if let bias, bias.shape != [rows] { throw .shape(operation: "linear bias", shapes: [bias.shape], expected: "[\(rows)]") }
        if let residual, residual.shape != shape {
            throw .shape(operation: "linear residual", shapes: [residual.shape, shape], expected: "the result's shape")
        }
        let source = x.asType(.f32).contiguous(), m = columns == 0 ? 0 : source.count / columns
        let biasValues = bias?.asType(.f32).contiguous(), added = residual?.asType(.f32).contiguous()
        return Tensor.makeFloats(shape) { out in
            var epilogue = sn_epilogue(alpha: 1, bias: nil, activation: -1, residual: nil, residual_stride: rows)
            if let biasValues { epilogue.bias = UnsafePointer(biasValues.floatPointer) }
            if let activation { epilogue.activation = Int32(bitPattern: activation.kernel.rawValue) }
            if let added { epilogue.residual = UnsafePointer(added.floatPointer) }
            withExtendedLifetime((biasValues, added)) {
                sn_linear(m, rows, columns, source.floatPointer, columns, matrix.floatPointer, columns, out, rows, &epilogue)
            }
        }
    }
}
