import CKernels

extension Tensor {
    private func rows(_ operation: String, _ parameters: [Tensor?]) throws(TensorError) -> (source: Tensor, length: Int, rows: Int) {
        guard rank > 0 else { throw .shape(operation: operation, shapes: [shape], expected: "at least one axis") }
        for parameter in parameters {
            if let parameter, parameter.shape != [dim(-1)] {
                throw .shape(operation: operation, shapes: [shape, parameter.shape], expected: "parameters of shape [\(dim(-1))]")
            }
        }
        let length = dim(-1)
        return (asType(.f32).contiguous(), length, length == 0 ? 0 : count / length)
    }

    /// Over the last axis: `(x - mean) / sqrt(variance + epsilon) * weight + bias`.
    public func layerNorm(weight: Tensor? = nil, bias: Tensor? = nil, epsilon: Float) throws(TensorError) -> Tensor {
        let (source, length, rows) = try rows("layerNorm", [weight, bias])
        let w = weight?.asType(.f32).contiguous(), b = bias?.asType(.f32).contiguous()
        return Tensor.makeFloats(shape) { out in
            withExtendedLifetime((w, b)) {
                sn_layer_norm_rows(source.floatPointer, w?.floatPointer, b?.floatPointer, epsilon, out, rows, length)
            }
        }.recorded(
            self, weight, bias,
            .layerNorm(x: source.detached().inProductPrecision(), weight: w?.detached(), bias: b?.detached(), epsilon: epsilon))
    }

    /// Over the last axis: `x / sqrt(mean(x^2) + epsilon) * weight` (Zhang and Sennrich 2019).
    public func rmsNorm(weight: Tensor? = nil, epsilon: Float) throws(TensorError) -> Tensor {
        let (source, length, rows) = try rows("rmsNorm", [weight])
        let w = weight?.asType(.f32).contiguous()
        return Tensor.makeFloats(shape) { out in
            withExtendedLifetime(w) { sn_rms_norm_rows(source.floatPointer, w?.floatPointer, epsilon, out, rows, length) }
        }.recorded(
            self, weight, nil, .rmsNorm(x: source.detached().inProductPrecision(), weight: w?.detached(), epsilon: epsilon))
    }

    /// `[batch, channels, ...]` normalised over each of `groups` groups of channels, then scaled per channel.
    public func groupNorm(groups: Int, weight: Tensor? = nil, bias: Tensor? = nil, epsilon: Float) throws(TensorError) -> Tensor {
        guard rank >= 2, groups > 0, shape[1] % groups == 0 else {
            throw .shape(operation: "groupNorm", shapes: [shape], expected: "channels (axis 1) that \(groups) groups divide")
        }
        let normal = try reshaped([shape[0], groups, -1]).layerNorm(epsilon: epsilon).reshaped(shape)
        return try normal.perChannel(weight, bias, "groupNorm")
    }

    /// Inference batch norm over axis 1 with stored statistics.
    public func batchNorm(
        mean: Tensor, variance: Tensor, weight: Tensor? = nil, bias: Tensor? = nil, epsilon: Float
    ) throws(TensorError) -> Tensor {
        var factor = variance.adding(epsilon).rsqrt()
        if let weight { factor = try factor * weight }
        var shift = try mean.negated() * factor
        if let bias { shift = try shift + bias }
        return try perChannel(factor, shift, "batchNorm")
    }

    /// `x * weight + bias` with one value for each channel (axis 1).
    private func perChannel(_ weight: Tensor?, _ bias: Tensor?, _ operation: String) throws(TensorError) -> Tensor {
        guard rank >= 2 else { throw .shape(operation: operation, shapes: [shape], expected: "[batch, channels, ...]") }
        let column = [shape[1]] + [Int](repeating: 1, count: rank - 2)
        var result = self
        if let weight { result = try result * weight.reshaped(column) }
        if let bias { result = try result + bias.reshaped(column) }
        return result
    }

    /// Over the last axis. A row of -inf gives zeros.
    public func softmax(_ axis: Int = -1) throws(TensorError) -> Tensor {
        let place = try self.axis(axis, "softmax")
        if place != rank - 1 { return try transposed(place, -1).softmax().transposed(place, -1).contiguous() }
        let (source, length, rows) = try rows("softmax", [])
        let result = Tensor.makeFloats(shape) { sn_softmax_rows(source.floatPointer, $0, rows, length) }
        return result.recorded(self, .softmax(result: result))
    }

    public func logSoftmax(_ axis: Int = -1) throws(TensorError) -> Tensor {
        let place = try self.axis(axis, "logSoftmax")
        if place != rank - 1 { return try transposed(place, -1).logSoftmax().transposed(place, -1).contiguous() }
        let (source, length, rows) = try rows("logSoftmax", [])
        let result = Tensor.makeFloats(shape) { sn_log_softmax_rows(source.floatPointer, $0, rows, length) }
        return result.recorded(self, .logSoftmax(result: result))
    }
}
