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
        let a = try detached().asType(.f32).broadcast(to: lead + [m, k])
        let b = try other.detached().asType(.f32).broadcast(to: lead + [k, n])
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
        }.recorded(self, other, .matmul(detached(), other.detached()))
    }
}
