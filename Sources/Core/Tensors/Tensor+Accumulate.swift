import CKernels

extension Tensor {
    /// Adds `part` `factor` times over, in place where nobody else holds the elements. Constants of f32 and of one shape only.
    public mutating func accumulate(_ part: Tensor, factor: Float = 1) {
        precondition(shape == part.shape && dtype == .f32, "\(part.shape) added to \(dtype) \(shape)")
        let addend = part.detached().asType(.f32).contiguous()
        trace = nil
        if !isContiguous { self = contiguous() }
        makeUnique()
        withExtendedLifetime(addend) { sn_add_scaled(floatPointer, addend.floatPointer, factor, count) }
    }

    /// Changes the elements in place where nobody else holds them, in a copy otherwise. For f32 only.
    package mutating func update(_ body: (UnsafeMutablePointer<Float>) -> Void) {
        precondition(dtype == .f32, "floats changed of a tensor of \(dtype)")
        if !isContiguous { self = contiguous() }
        makeUnique()
        body(floatPointer)
    }

    /// Writes `part` to the places `start`, `start + step` ... of an axis.
    package mutating func place(_ part: Tensor, axis: Int, start: Int, step: Int) {
        makeUnique()
        var targets = strides
        targets[axis] *= step
        part.copyElements(to: storage.pointer + (offset + start * strides[axis]) * dtype.size, targetStrides: targets)
    }

    /// First f32 element of a view, which the caller keeps alive and reads by its strides.
    package var firstFloat: UnsafeMutablePointer<Float> { floatPointer }

    /// First f32 element of a contiguous tensor, which the caller keeps alive while the pointer is used.
    package var floatElements: UnsafeMutablePointer<Float> {
        precondition(dtype == .f32 && isContiguous, "floats read of \(dtype), contiguous: \(isContiguous)")
        return floatPointer
    }

    /// Sum of the squares in f64, in a fixed order.
    public func sumOfSquares() -> Double {
        let source = asType(.f32).contiguous()
        return sn_sum_of_squares(source.floatPointer, source.count)
    }

    /// How many elements are NaN or infinite.
    public func countNotFinite() -> Int {
        let source = asType(.f32).contiguous()
        return sn_count_not_finite(source.floatPointer, source.count)
    }
}
