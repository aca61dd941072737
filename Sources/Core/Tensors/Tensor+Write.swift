extension Tensor {
    /// Replaces the elements from `start` on along `axis` by those of `part`, in place where nobody else holds the storage.
    /// `part` has the same type, and the same shape but along `axis`.
    public mutating func write(_ part: Tensor, axis: Int, at start: Int) throws(TensorError) {
        guard part.dtype == dtype else { throw .dtype(operation: "write", found: part.dtype, expected: "\(dtype)") }
        guard axis >= 0, axis < rank, part.rank == rank, (0..<rank).allSatisfy({ $0 == axis || part.shape[$0] == shape[$0] }) else {
            throw .shape(operation: "write", shapes: [part.shape, shape], expected: "equal shapes but along axis \(axis)")
        }
        guard start >= 0, part.shape[axis] <= shape[axis] - start else {
            throw .index(operation: "write", value: start + part.shape[axis], bound: shape[axis] + 1)
        }
        if trace != nil || part.trace != nil {
            // What was recorded of the old elements stays true: the result is another tensor.
            let end = start + part.shape[axis]
            self = try Tensor.concatenated([sliced(axis, 0..<start), part, sliced(axis, end..<shape[axis])], axis: axis)
            return
        }
        makeUnique()
        part.copyElements(to: storage.pointer + (offset + start * strides[axis]) * dtype.size, targetStrides: strides)
    }
}
