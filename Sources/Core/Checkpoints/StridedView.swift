import Tensors

/// How a strided view comes from a row-major block: the block's shape, then axes in another order, then repeated ones. Views that
/// aren't so (gaps between rows, as of a slice) are gathered.
struct StridedView {
    let baseShape: [Int]
    private let shape: [Int]
    private let strides: [Int]
    private let order: [Int]?

    init(_ tensor: PickleTensor, available: Int, file: String, key: String) throws(CheckpointError) {
        let shape = tensor.shape, strides = tensor.strides
        self.shape = shape
        self.strides = strides
        let count = boundedCount(shape) ?? 0
        var reach = 1, distinct = 1
        for (size, stride) in zip(shape, strides) where count > 0 && size > 1 {
            reach += (size - 1) * stride
            if stride > 0 { distinct *= size }
        }
        if count == 0 { reach = 0 }
        guard tensor.offset <= available, reach <= available - tensor.offset else {
            throw .malformed(
                file: file, field: key, offset: nil, problem: "its view reaches beyond the \(available) elements of its storage")
        }
        // Outer axes first: the order in which the block would be row-major.
        let sorted = shape.indices.sorted { (strides[$0], shape[$0], $1) > (strides[$1], shape[$1], $0) }.filter { shape[$0] != 1 }
        var expected = 1, dense = count > 0
        for axis in sorted.reversed() {
            if strides[axis] != expected { dense = false }
            expected *= shape[axis]
        }
        if dense {
            let ones = shape.indices.filter { shape[$0] == 1 }
            let full = ones + sorted
            baseShape = full.map { shape[$0] }
            order = shape.indices.map { axis in full.firstIndex(of: axis) ?? 0 }
        } else {
            guard count == 0 || distinct <= available else {
                throw .unsupported(file: file, key: key, found: "a view of overlapping windows", advice: "save tensor.contiguous() instead")
            }
            baseShape = count == 0 ? shape : [reach]
            order = nil
        }
    }

    func apply(to base: Tensor) throws(TensorError) -> Tensor {
        if base.count == 0 { return base }
        if let order { return try base.permuted(order) }
        // Repeated axes cost nothing: gathered once, then broadcast.
        let once = zip(shape, strides).map { $1 == 0 ? 1 : $0 }
        let size = base.dtype.size
        let gathered = base.withBytes { source in
            Tensor.make(once, base.dtype) { target in
                var index = [Int](repeating: 0, count: once.count), from = 0
                for element in 0..<(target.count / size) {
                    (target.baseAddress! + element * size).copyMemory(from: source.baseAddress! + from * size, byteCount: size)
                    var axis = once.count - 1
                    while axis >= 0 {
                        index[axis] += 1
                        from += strides[axis]
                        if index[axis] < once[axis] { break }
                        from -= strides[axis] * once[axis]
                        index[axis] = 0
                        axis -= 1
                    }
                }
            }
        }
        return once == shape ? gathered : try gathered.broadcast(to: shape)
    }
}
