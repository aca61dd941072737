import CKernels

/// The weights of a linear layer, `[out, in]`: the rows of one or several stored matrices, read where they lie. A matrix of a
/// memory-mapped checkpoint stays in its file, shared with other processes, until it has met so many inputs that a packed copy in its
/// place is worth it (`PackedWeights`).
public struct WeightMatrix: Sendable {
    public let rows: Int
    public let columns: Int
    package let parts: [StoredRows]
    private let packed: PackedWeights?

    /// - Precondition: `matrix` is `[out, in]`.
    public init(_ matrix: Tensor) { self.init([StoredRows(matrix)]) }

    /// Matrices of equal width, their rows one after another.
    public init(_ parts: [StoredRows]) {
        precondition(!parts.isEmpty && parts.allSatisfy { $0.columns == parts[0].columns }, "parts of one width")
        (self.parts, columns) = (parts, parts[0].columns)
        rows = parts.reduce(0) { $0 + $1.rows }
        packed = PackedWeights(parts)
    }

    /// Some of the rows, where they lie.
    public func sliced(_ range: Range<Int>) -> WeightMatrix {
        var first = 0, kept: [StoredRows] = []
        for part in parts {
            let inside = range.clamped(to: first..<first + part.rows)
            if !inside.isEmpty { kept.append(part.sliced(inside.lowerBound - first..<inside.upperBound - first)) }
            first += part.rows
        }
        return WeightMatrix(kept.isEmpty ? [parts[0].sliced(0..<0)] : kept)
    }

    /// `activation((x W^T + bias) scale) + residual` for `x` `[..., in]`; `bias` and `scale` `[out]`.
    public func apply(
        _ x: Tensor, bias: Tensor? = nil, scale: Tensor? = nil, activation: Activation? = nil, residual: Tensor? = nil
    ) throws(TensorError) -> Tensor {
        guard x.rank > 0, x.dim(-1) == columns else {
            throw .shape(operation: "linear", shapes: [x.shape, [rows, columns]], expected: "a last axis of \(columns)")
        }
        let shape = Array(x.shape.dropLast()) + [rows]
        for (name, values) in [("bias", bias), ("scale", scale)] {
            if let values, values.shape != [rows] {
                throw .shape(operation: "linear \(name)", shapes: [values.shape], expected: "[\(rows)]")
            }
        }
        if let residual, residual.shape != shape {
            throw .shape(operation: "linear residual", shapes: [residual.shape, shape], expected: "the result's shape")
        }
        let precision = parts.allSatisfy { $0.format == .f32 || $0.format == .bf16 } ? ProductPrecision.current : .f32
        let traced =
            x.trace != nil || bias?.trace != nil || scale?.trace != nil || residual?.trace != nil
            || parts.contains { $0.variable != nil }
        if precision == .bf16 || traced && Trace.isRecording {
            return try stepwise(x, bias, scale, activation, residual, precision)
        }
        let source = x.asType(.f32).contiguous(), m = columns == 0 ? 0 : source.count / columns
        let biasValues = bias?.asType(.f32).contiguous(), scales = scale?.asType(.f32).contiguous()
        let added = residual?.asType(.f32).contiguous()
        let panels = packed?.panels(meeting: m)
        return Tensor.makeFloats(shape) { out in
            var epilogue = sn_epilogue(alpha: 1, bias: nil, scale: nil, activation: -1, residual: nil, residual_stride: rows)
            if let biasValues { epilogue.bias = UnsafePointer(biasValues.floatPointer) }
            if let scales { epilogue.scale = UnsafePointer(scales.floatPointer) }
            if let activation { epilogue.activation = Int32(bitPattern: activation.kernel.rawValue) }
            if let added { epilogue.residual = UnsafePointer(added.floatPointer) }
            withExtendedLifetime((biasValues, scales, added, source, parts, panels)) {
                if let panels {
                    let values = UnsafePointer(panels.pointer.assumingMemoryBound(to: Float.self))
                    sn_linear_packed(m, source.floatPointer, columns, values, rows, columns, out, rows, &epilogue)
                    return
                }
                withUnsafeTemporaryAllocation(of: sn_weights.self, capacity: parts.count) { list in
                    for (place, part) in parts.enumerated() { list.initializeElement(at: place, to: part.weights) }
                    sn_linear(m, source.floatPointer, columns, list.baseAddress!, parts.count, out, rows, &epilogue)
                }
            }
        }
    }

    /// The same step by step, each noted for the way back. What an activation reads and gives is bf16 where products are.
    private func stepwise(
        _ x: Tensor, _ bias: Tensor?, _ scale: Tensor?, _ activation: Activation?, _ residual: Tensor?, _ precision: ProductPrecision
    ) throws(TensorError) -> Tensor {
        let source = x.asType(precision == .bf16 ? .bf16 : .f32).contiguous().detached()
        let kept = WeightMatrix(parts.map(\.constant)), lead = Array(x.shape.dropLast())
        var result =
            switch precision {
            case .f32: try kept.apply(source, bias: bias?.detached())
            case .bf16:
                Tensor.roundedProduct(
                    StoredRows(try source.reshaped([lead.reduce(1, *), columns])), kept.parts, rightTurned: true, bias: bias?.detached(),
                    shape: lead + [rows], activation != nil && scale == nil ? .bf16 : .f32)
            }
        result = result.recorded(
            inputs: [x, bias] + parts.map(\.variable),
            .linear(x: x.trace?.givesAgain == true ? nil : source, weights: kept, precision))
        if let scale { result = try result * scale }
        if let activation { result = result.activated(activation) }
        if let residual { result = try result + residual }
        return result
    }
}
