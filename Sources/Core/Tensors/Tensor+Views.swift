import CKernels

// Views share storage; `contiguous()` copies where the memory order isn't row-major.
extension Tensor {
    /// Axis counted from the front; a negative axis counts from the back.
    func axis(_ axis: Int, _ operation: String) throws(TensorError) -> Int {
        let resolved = axis < 0 ? axis + rank : axis
        guard resolved >= 0, resolved < rank else { throw .index(operation: operation + " axis", value: axis, bound: rank) }
        return resolved
    }

    /// The same elements under another shape; one dimension may be -1. Copies only what isn't contiguous.
    public func reshaped(_ newShape: [Int]) throws(TensorError) -> Tensor {
        var shape = newShape
        if let hole = shape.firstIndex(of: -1) {
            shape[hole] = 1
            let known = Tensor.checkedCount(shape) ?? 0
            guard known > 0, count % known == 0 else {
                throw .shape(operation: "reshape", shapes: [self.shape, newShape], expected: "the same number of elements")
            }
            shape[hole] = count / known
        }
        guard Tensor.checkedCount(shape) == count else {
            throw .shape(operation: "reshape", shapes: [self.shape, newShape], expected: "the same number of elements")
        }
        let source = contiguous()
        return Tensor(storage: source.storage, offset: source.offset, shape: shape, dtype: dtype).recorded(self, .reshape)
    }

    /// Axes `first...last` joined into one.
    public func flattened(from first: Int = 0, through last: Int = -1) throws(TensorError) -> Tensor {
        let a = try axis(first, "flatten"), b = try axis(last, "flatten")
        guard a <= b else { throw .index(operation: "flatten axis", value: last, bound: rank) }
        return try reshaped(Array(shape[..<a]) + [shape[a...b].reduce(1, *)] + Array(shape[(b + 1)...]))
    }

    public func permuted(_ order: [Int]) throws(TensorError) -> Tensor {
        guard order.count == rank, Set(order) == Set(0..<rank) else {
            throw .shape(operation: "permute", shapes: [shape, order], expected: "each axis once")
        }
        return Tensor(storage: storage, offset: offset, shape: order.map { shape[$0] }, strides: order.map { strides[$0] }, dtype: dtype)
            .recorded(self, .permute(order))
    }

    public func transposed(_ first: Int = -2, _ second: Int = -1) throws(TensorError) -> Tensor {
        let a = try axis(first, "transpose"), b = try axis(second, "transpose")
        var order = Array(0..<rank)
        order.swapAt(a, b)
        return try permuted(order)
    }

    public func expandedDim(_ axis: Int) throws(TensorError) -> Tensor {
        let place = axis < 0 ? axis + rank + 1 : axis
        guard place >= 0, place <= rank else { throw .index(operation: "expandDim", value: axis, bound: rank + 1) }
        var newShape = shape, newStrides = strides
        newShape.insert(1, at: place)
        newStrides.insert(place < rank ? strides[place] * shape[place] : 1, at: place)
        return Tensor(storage: storage, offset: offset, shape: newShape, strides: newStrides, dtype: dtype).recorded(self, .reshape)
    }

    public func squeezed(_ axis: Int) throws(TensorError) -> Tensor {
        let place = try self.axis(axis, "squeeze")
        guard shape[place] == 1 else { throw .shape(operation: "squeeze", shapes: [shape], expected: "size 1 at axis \(place)") }
        var newShape = shape, newStrides = strides
        newShape.remove(at: place)
        newStrides.remove(at: place)
        return Tensor(storage: storage, offset: offset, shape: newShape, strides: newStrides, dtype: dtype).recorded(self, .reshape)
    }

    /// A view of `shape` in which dimensions of size 1 repeat (stride 0).
    public func broadcast(to target: [Int]) throws(TensorError) -> Tensor {
        guard target.count >= rank else { throw .shape(operation: "broadcast", shapes: [shape, target], expected: "no fewer axes") }
        let lead = target.count - rank
        var newStrides = [Int](repeating: 0, count: target.count)
        for index in 0..<rank {
            if shape[index] == target[lead + index] {
                newStrides[lead + index] = strides[index]
            } else if shape[index] != 1 {
                throw .shape(operation: "broadcast", shapes: [shape, target], expected: "equal sizes or 1 on every axis")
            }
        }
        return Tensor(storage: storage, offset: offset, shape: target, strides: newStrides, dtype: dtype).recorded(self, .broadcast)
    }

    /// The shape both operands broadcast to.
    static func broadcastShape(_ a: [Int], _ b: [Int], _ operation: String) throws(TensorError) -> [Int] {
        if a == b { return a }
        let rank = Swift.max(a.count, b.count)
        var shape = [Int](repeating: 1, count: rank)
        for index in 0..<rank {
            let x = index < rank - a.count ? 1 : a[index - (rank - a.count)]
            let y = index < rank - b.count ? 1 : b[index - (rank - b.count)]
            guard x == y || x == 1 || y == 1 else { throw .shape(operation: operation, shapes: [a, b], expected: "shapes that broadcast") }
            shape[index] = x == 1 ? y : x
        }
        return shape
    }

    /// Elements `range` along `axis`, every `step`-th.
    public func sliced(_ axis: Int, _ range: Range<Int>, step: Int = 1) throws(TensorError) -> Tensor {
        let place = try self.axis(axis, "slice")
        guard range.lowerBound >= 0, range.upperBound <= shape[place], step > 0 else {
            throw .index(operation: "slice", value: range.upperBound, bound: shape[place] + 1)
        }
        var newShape = shape, newStrides = strides
        newShape[place] = (range.count + step - 1) / step
        newStrides[place] = strides[place] * step
        return Tensor(
            storage: storage, offset: offset + range.lowerBound * strides[place], shape: newShape, strides: newStrides, dtype: dtype
        ).recorded(self, .slice(axis: place, start: range.lowerBound, step: step))
    }

    /// One index of an axis; the axis goes.
    public func selected(_ axis: Int, _ index: Int) throws(TensorError) -> Tensor {
        let place = try self.axis(axis, "select")
        let wanted = index < 0 ? index + shape[place] : index
        guard wanted >= 0, wanted < shape[place] else { throw .index(operation: "select", value: index, bound: shape[place]) }
        return try sliced(place, wanted..<wanted + 1).squeezed(place)
    }

    /// The parts of an axis, `sizes` long each.
    public func split(_ axis: Int, sizes: [Int]) throws(TensorError) -> [Tensor] {
        let place = try self.axis(axis, "split")
        guard sizes.allSatisfy({ $0 >= 0 }), sizes.reduce(0, +) == shape[place] else {
            throw .shape(operation: "split", shapes: [shape, sizes], expected: "sizes that add up to \(shape[place])")
        }
        var parts: [Tensor] = []
        var start = 0
        for size in sizes {
            parts.append(try sliced(place, start..<start + size))
            start += size
        }
        return parts
    }

    /// Row-major elements: the tensor itself where they are so already.
    public func contiguous() -> Tensor {
        if isContiguous { return self }
        return Tensor.make(shape, dtype) { target in
            copyElements(to: target.baseAddress!, targetStrides: Tensor.contiguousStrides(shape))
        }.sharing(self)
    }

    /// Copies every element to `target` with the given strides (in elements).
    func copyElements(to target: UnsafeMutableRawPointer, targetStrides: [Int]) {
        guard count > 0 else { return }
        // At most 16 axes survive merging neighbours; the C loop takes them from the outside in.
        var sizes: [Int] = [], from: [Int] = [], into: [Int] = []
        for axis in 0..<rank where shape[axis] != 1 {
            if let last = sizes.indices.last, from[last] == strides[axis] * shape[axis], into[last] == targetStrides[axis] * shape[axis] {
                sizes[last] *= shape[axis]
                from[last] = strides[axis]
                into[last] = targetStrides[axis]
            } else {
                sizes.append(shape[axis])
                from.append(strides[axis])
                into.append(targetStrides[axis])
            }
        }
        sn_copy_strided(target, into, storage.pointer + offset * dtype.size, from, sizes, sizes.count, dtype.size)
    }

    /// Tensors joined along an existing axis.
    public static func concatenated(_ parts: [Tensor], axis: Int = 0) throws(TensorError) -> Tensor {
        guard let first = parts.first else { throw .shape(operation: "concatenate", shapes: [], expected: "at least one tensor") }
        let place = try first.axis(axis, "concatenate")
        var shape = first.shape
        shape[place] = 0
        for part in parts {
            var other = part.shape
            guard part.rank == first.rank, part.dtype == first.dtype else {
                throw .shape(operation: "concatenate", shapes: [first.shape, part.shape], expected: "equal ranks and element types")
            }
            shape[place] += other[place]
            other[place] = first.shape[place]
            guard other == first.shape else {
                throw .shape(operation: "concatenate", shapes: [first.shape, part.shape], expected: "equal sizes off axis \(place)")
            }
        }
        let strides = contiguousStrides(shape)
        return make(shape, first.dtype) { target in
            var start = 0
            for part in parts {
                part.copyElements(to: target.baseAddress! + start * strides[place] * first.dtype.size, targetStrides: strides)
                start += part.shape[place]
            }
        }.recorded(inputs: parts, .concatenate(axis: place, sizes: parts.map { $0.shape[place] }))
    }

    /// Tensors of one shape joined along a new axis.
    public static func stacked(_ parts: [Tensor], axis: Int = 0) throws(TensorError) -> Tensor {
        var lifted: [Tensor] = []
        for part in parts { lifted.append(try part.expandedDim(axis)) }
        return try concatenated(lifted, axis: axis)
    }
}

extension Tensor {
    /// One axis seen as several whose sizes multiply to it: a view, whatever the strides.
    public func splitAxis(_ axis: Int, into sizes: [Int]) throws(TensorError) -> Tensor {
        let place = try self.axis(axis, "splitAxis")
        guard Tensor.checkedCount(sizes) == shape[place] else {
            throw .shape(operation: "splitAxis", shapes: [shape, sizes], expected: "sizes whose product is \(shape[place])")
        }
        let inner = Tensor.contiguousStrides(sizes).map { $0 * strides[place] }
        return Tensor(
            storage: storage, offset: offset, shape: Array(shape[..<place]) + sizes + Array(shape[(place + 1)...]),
            strides: Array(strides[..<place]) + inner + Array(strides[(place + 1)...]), dtype: dtype
        ).recorded(self, .reshape)
    }
}
