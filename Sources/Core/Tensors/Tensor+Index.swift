import CKernels

extension Tensor {
    private func checkedIndices(_ bound: Int, _ operation: String) throws(TensorError) -> [Int] {
        guard !dtype.isFloatingPoint, dtype != .bool else { throw .dtype(operation: operation, found: dtype, expected: "whole numbers") }
        var indices = ints()
        for i in indices.indices {
            let value = indices[i]
            guard value >= -bound, value < bound else { throw .index(operation: operation, value: value, bound: bound) }
            if value < 0 { indices[i] = value + bound }
        }
        return indices
    }

    /// Rows `indices` (any shape) along `axis`: an embedding lookup for axis 0. Result: `shape[..<axis] + indices.shape + shape[axis+1...]`.
    public func gathered(_ indices: Tensor, axis: Int = 0) throws(TensorError) -> Tensor {
        let place = try self.axis(axis, "gather"), size = dtype.size
        let rows = try indices.checkedIndices(shape[place], "gather"), source = contiguous()
        let outer = shape[..<place].reduce(1, *), inner = shape[(place + 1)...].reduce(1, *), length = shape[place]
        return Tensor.make(Array(shape[..<place]) + indices.shape + Array(shape[(place + 1)...]), dtype) { out in
            guard inner > 0 else { return }
            let from = source.storage.pointer + source.offset * size
            for block in 0..<outer {
                for (position, row) in rows.enumerated() {
                    (out.baseAddress! + (block * rows.count + position) * inner * size)
                        .copyMemory(from: from + (block * length + row) * inner * size, byteCount: inner * size)
                }
            }
        }.recorded(self, .gather(indices: rows, axis: place))
    }

    /// For each place of `indices` (same rank) the element of `self` at that index along `axis` (torch.gather).
    public func takenAlong(_ indices: Tensor, axis: Int) throws(TensorError) -> Tensor {
        let place = try self.axis(axis, "takeAlong")
        guard indices.rank == rank, (0..<rank).allSatisfy({ $0 == place || indices.shape[$0] <= shape[$0] }) else {
            throw .shape(
                operation: "takeAlong", shapes: [shape, indices.shape], expected: "equal ranks, sizes no larger off axis \(place)")
        }
        let rows = try indices.checkedIndices(shape[place], "takeAlong"), size = dtype.size
        let counts = Tensor.contiguousStrides(indices.shape), target = indices.shape
        return Tensor.make(target, dtype) { out in
            let base = storage.pointer + offset * size
            for i in rows.indices {
                var from = 0
                for axis in 0..<rank { from += (axis == place ? rows[i] : i / counts[axis] % target[axis]) * strides[axis] }
                (out.baseAddress! + i * size).copyMemory(from: base + from * size, byteCount: size)
            }
        }.recorded(self, .takeAlong(indices: rows, shape: target, axis: place))
    }

    /// Values and i64 indices sorted along `axis`; equal values keep their order. NaN counts as the largest.
    public func sorted(_ axis: Int = -1, descending: Bool = false) throws(TensorError) -> (values: Tensor, indices: Tensor) {
        try ordered(axis, keep: nil, descending: descending, "sort")
    }

    /// The `k` largest (or smallest) values along `axis` and their i64 indices, best first.
    public func topK(_ k: Int, axis: Int = -1, largest: Bool = true) throws(TensorError) -> (values: Tensor, indices: Tensor) {
        let place = try self.axis(axis, "topK")
        guard k >= 0, k <= shape[place] else { throw .index(operation: "topK", value: k, bound: shape[place] + 1) }
        return try ordered(axis, keep: k, descending: largest, "topK")
    }

    private func ordered(
        _ axis: Int, keep: Int?, descending: Bool, _ operation: String
    ) throws(TensorError) -> (values: Tensor, indices: Tensor) {
        let place = try self.axis(axis, operation)
        let last = try transposed(place, -1).asType(.f32).contiguous()
        let length = last.dim(-1), rows = length == 0 ? 0 : last.count / length, kept = keep ?? length
        let target = Array(last.shape.dropLast()) + [kept]
        var order = [Int64](repeating: 0, count: rows * kept)
        for row in 0..<rows {
            let values = last.floatPointer + row * length
            func precedes(_ a: Int, _ b: Int) -> Bool {
                let (x, y) = (values[a], values[b])
                if x == y || (x.isNaN && y.isNaN) { return a < b }
                if descending { return x.isNaN || x > y }
                return y.isNaN || x < y
            }
            if kept < length / 4 {
                // A bounded, ordered list is cheaper than a full sort.
                var best: [Int] = []
                for i in 0..<length where best.count < kept || (kept > 0 && precedes(i, best[kept - 1])) {
                    var low = 0, high = best.count
                    while low < high {
                        let middle = (low + high) / 2
                        if precedes(best[middle], i) { low = middle + 1 } else { high = middle }
                    }
                    best.insert(i, at: low)
                    if best.count > kept { best.removeLast() }
                }
                for i in 0..<kept { order[row * kept + i] = Int64(best[i]) }
            } else {
                let all = (0..<length).sorted(by: precedes)
                for i in 0..<kept { order[row * kept + i] = Int64(all[i]) }
            }
        }
        let indices = try Tensor(order, target)
        let values = try last.takenAlong(indices, axis: -1)
        return (try values.transposed(place, -1).contiguous(), try indices.transposed(place, -1).contiguous())
    }

    /// Elements along the axes in reverse order.
    public func flipped(_ axes: [Int]) throws(TensorError) -> Tensor {
        var result = self
        for one in axes {
            let place = try axis(one, "flip")
            result = try result.gathered(Tensor((0..<shape[place]).reversed().map(Int64.init), [shape[place]]), axis: place)
        }
        return result
    }

    /// Elements along `axis` moved by `shift`, round the end.
    public func rolled(_ shift: Int, axis: Int) throws(TensorError) -> Tensor {
        let place = try self.axis(axis, "roll"), size = shape[place]
        guard size > 0 else { return self }
        let start = ((-shift % size) + size) % size
        return try Tensor.concatenated([sliced(place, start..<size), sliced(place, 0..<start)], axis: place)
    }

    /// `value` put before and after the elements of each axis.
    public func padded(_ amounts: [(Int, Int)], value: Float = 0) throws(TensorError) -> Tensor {
        guard amounts.count == rank, amounts.allSatisfy({ $0.0 >= 0 && $0.1 >= 0 }) else {
            throw .shape(operation: "pad", shapes: [shape], expected: "two amounts of at least 0 for each axis")
        }
        let target = zip(shape, amounts).map { $0 + $1.0 + $1.1 }
        var result = Tensor.full(target, value).asType(dtype)
        let strides = Tensor.contiguousStrides(target)
        let start = zip(amounts, strides).reduce(0) { $0 + $1.0.0 * $1.1 }
        result.makeUnique()
        copyElements(to: result.storage.pointer + (result.offset + start) * dtype.size, targetStrides: strides)
        return result.recorded(self, .pad(amounts))
    }

    /// Ones where the value is the class, `[..., classes]` f32.
    public func oneHot(_ classes: Int) throws(TensorError) -> Tensor {
        let indices = try checkedIndices(classes, "oneHot")
        return Tensor.makeFloats(shape + [classes]) { out in
            out.initialize(repeating: 0, count: indices.count * classes)
            for (row, index) in indices.enumerated() { out[row * classes + index] = 1 }
        }
    }

    /// The last two axes with everything above (below) diagonal `diagonal` set to 0.
    public func lowerTriangle(_ diagonal: Int = 0) throws(TensorError) -> Tensor { try triangle(lower: true, diagonal) }
    public func upperTriangle(_ diagonal: Int = 0) throws(TensorError) -> Tensor { try triangle(lower: false, diagonal) }

    private func triangle(lower: Bool, _ diagonal: Int) throws(TensorError) -> Tensor {
        guard rank >= 2 else { throw .shape(operation: "triangle", shapes: [shape], expected: "at least two axes") }
        let (m, n) = (dim(-2), dim(-1)), source = asType(.f32).contiguous()
        return Tensor.makeFloats(shape) { out in
            for i in 0..<source.count {
                let beyond = i % n - i / n % m - diagonal
                out[i] = (lower ? beyond <= 0 : beyond >= 0) ? source.floatPointer[i] : 0
            }
        }.recorded(self, .triangle(lower: lower, diagonal: diagonal))
    }

    /// Copies shared or read-only storage before it is written to.
    mutating func makeUnique() {
        if isKnownUniquelyReferenced(&storage), !storage.isReadOnly { return }
        let source = self
        self = Tensor.make(shape, dtype) { source.copyElements(to: $0.baseAddress!, targetStrides: Tensor.contiguousStrides(shape)) }
            .sharing(source)
    }
}
