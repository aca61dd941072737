import CKernels

extension Tensor {
    /// The tensor as `[rows, length]` with the reduced axes innermost, and the shape of the result.
    private func arranged(
        _ axes: [Int], keepDims: Bool, _ operation: String
    ) throws(TensorError) -> (rows: Tensor, length: Int, shape: [Int]) {
        var reduced: [Int] = []
        for one in axes { reduced.append(try axis(one, operation)) }
        guard Set(reduced).count == reduced.count else {
            throw .shape(operation: operation, shapes: [shape, axes], expected: "each axis once")
        }
        if reduced.isEmpty { reduced = Array(0..<rank) }
        let kept = (0..<rank).filter { !reduced.contains($0) }
        let length = reduced.reduce(1) { $0 * shape[$1] }
        let result = keepDims ? (0..<rank).map { reduced.contains($0) ? 1 : shape[$0] } : kept.map { shape[$0] }
        return (try detached().asType(.f32).permuted(kept + reduced.sorted()).contiguous(), length, result)
    }

    private func reduced(
        _ axes: [Int], keepDims: Bool, _ operation: String, _ body: @escaping @Sendable (UnsafeMutablePointer<Float>, Int) -> Float,
        recording: (_ result: Tensor, _ kept: [Int], _ length: Int) -> Operation?
    ) throws(TensorError) -> Tensor {
        let (rows, length, shape) = try arranged(axes, keepDims: keepDims, operation)
        let count = shape.reduce(1, *)
        let result = Tensor.makeFloats(shape) { out in
            let from = Address(rows.floatPointer), to = Address(out)
            ThreadPool.parallelFor(count, grain: 1 + 16384 / (length + 1)) { range in
                for row in range { to.floats[row] = body(from.floats + row * length, length) }
            }
        }
        guard trace != nil, let made = recording(result, try kept(axes, operation), length) else { return result }
        return result.recorded(self, made)
    }

    /// The shape with ones where axes are reduced.
    private func kept(_ axes: [Int], _ operation: String) throws(TensorError) -> [Int] {
        var shape = shape
        if axes.isEmpty { return [Int](repeating: 1, count: rank) }
        for one in axes { shape[try axis(one, operation)] = 1 }
        return shape
    }

    /// Over `axes`, or over all of them where none is named.
    public func sum(_ axes: [Int] = [], keepDims: Bool = false) throws(TensorError) -> Tensor {
        try reduced(axes, keepDims: keepDims, "sum") {
            sn_kernels().pointee.sum($0, $1)
        } recording: { _, kept, _ in
            .sum(kept: kept)
        }
    }

    public func mean(_ axes: [Int] = [], keepDims: Bool = false) throws(TensorError) -> Tensor {
        try reduced(axes, keepDims: keepDims, "mean") {
            sn_kernels().pointee.sum($0, $1) / Float($1)
        } recording: { _, kept, length in
            .mean(kept: kept, length: length)
        }
    }

    /// `correction` 1 gives the unbiased estimate, 0 the plain one.
    public func variance(_ axes: [Int] = [], correction: Int = 1, keepDims: Bool = false) throws(TensorError) -> Tensor {
        try reduced(axes, keepDims: keepDims, "variance") { values, length in
            var mean = 0.0, squares = 0.0
            for i in 0..<length { mean += Double(values[i]) }
            mean /= Double(length)
            for i in 0..<length { squares += (Double(values[i]) - mean) * (Double(values[i]) - mean) }
            return Float(squares / Double(length - correction))
        } recording: { _, kept, length in
            .variance(x: detached(), axes: axes, kept: kept, length: length, correction: correction)
        }
    }

    public func max(_ axes: [Int] = [], keepDims: Bool = false) throws(TensorError) -> Tensor {
        try reduced(axes, keepDims: keepDims, "max") {
            sn_kernels().pointee.max($0, $1)
        } recording: { result, kept, _ in
            .extremumOver(x: detached(), result: result, kept: kept)
        }
    }

    public func min(_ axes: [Int] = [], keepDims: Bool = false) throws(TensorError) -> Tensor {
        try reduced(axes, keepDims: keepDims, "min") { values, length in
            var best = Float.infinity
            for i in 0..<length where values[i] < best { best = values[i] }
            return best
        } recording: { result, kept, _ in
            .extremumOver(x: detached(), result: result, kept: kept)
        }
    }

    /// Index of the first largest element along `axis`, i64.
    public func argmax(_ axis: Int = -1, keepDims: Bool = false) throws(TensorError) -> Tensor {
        try reduced([axis], keepDims: keepDims, "argmax") { values, length in
            var best = 0
            for i in 1..<Swift.max(length, 1) where values[i] > values[best] { best = i }
            return Float(bitPattern: UInt32(best))
        } recording: { _, _, _ in
            nil
        }.reinterpretedIndices()
    }

    public func argmin(_ axis: Int = -1, keepDims: Bool = false) throws(TensorError) -> Tensor {
        try negated().argmax(axis, keepDims: keepDims)
    }

    /// The indices that `argmax` stored in the bits of its floats.
    private func reinterpretedIndices() -> Tensor {
        Tensor.make(shape, .i64) { out in
            for i in 0..<count { out.storeBytes(of: Int64(floatPointer[i].bitPattern), toByteOffset: i * 8, as: Int64.self) }
        }
    }

    /// Running sums along `axis`.
    public func cumulativeSum(_ axis: Int) throws(TensorError) -> Tensor {
        let place = try self.axis(axis, "cumulativeSum"), last = try detached().transposed(place, -1).asType(.f32).contiguous()
        let length = last.dim(-1), rows = length == 0 ? 0 : last.count / length
        let sums = Tensor.makeFloats(last.shape) { out in
            for row in 0..<rows {
                var total = 0.0
                for i in row * length..<(row + 1) * length {
                    total += Double(last.floatPointer[i])
                    out[i] = Float(total)
                }
            }
        }
        return try sums.transposed(place, -1).contiguous().recorded(self, .cumulativeSum(axis: place))
    }

    /// Vectors along the last axis scaled to unit Euclidean length; a zero vector stays zero.
    public func unitLength() -> Tensor {
        let source = asType(.f32).contiguous()
        guard rank > 0, count > 0 else { return source }
        let length = dim(-1)
        let result = Tensor.makeFloats(shape) { out in
            for row in 0..<source.count / length {
                let from = source.floatPointer + row * length
                let norm = sn_kernels().pointee.dot(from, from, length).squareRoot()
                var factor = norm > 0 ? 1 / norm : 0
                sn_kernels().pointee.binary(SN_MUL, from, 1, &factor, 0, out + row * length, length)
            }
        }
        return result.recorded(self, .unitLength(x: source.detached(), result: result))
    }
}
