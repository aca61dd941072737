import CKernels
import Tensors

extension Operation {
    func places(_ dy: Tensor, _ inputs: [Trace?], _ wanted: [Bool]) throws -> [Tensor?] {
        let shape = inputs[0]?.shape ?? []
        switch self {
        case .reshape: return [try dy.reshaped(shape)]
        case let .permute(order):
            var inverse = order
            for (place, axis) in order.enumerated() { inverse[axis] = place }
            return [try dy.permuted(inverse)]
        case .broadcast: return [try dy.summed(to: shape)]
        case let .slice(axis, start, step): return [dy.spread(into: shape, axis: axis, start: start, step: step)]
        case let .concatenate(axis, sizes):
            var start = 0, parts: [Tensor?] = []
            for (size, wanted) in zip(sizes, wanted) {
                parts.append(wanted ? try dy.sliced(axis, start..<start + size) : nil)
                start += size
            }
            return parts
        case let .gather(indices, axis): return [try dy.scattered(indices, axis: axis, into: shape)]
        case let .takeAlong(indices, taken, axis): return [dy.returned(indices, taken, axis: axis, into: shape)]
        case let .pad(amounts):
            var inner = dy
            for (axis, amount) in amounts.enumerated() { inner = try inner.sliced(axis, amount.0..<amount.0 + shape[axis]) }
            return [inner]
        case let .triangle(lower, diagonal): return [try lower ? dy.lowerTriangle(diagonal) : dy.upperTriangle(diagonal)]
        default: preconditionFailure("not an operation on places")
        }
    }

    func window(_ dy: Tensor, _ shape: [Int]) throws -> Tensor {
        let dy = dy.contiguous()
        switch self {
        case let .maxPool(x, kernel, window):
            var s = window.shape(of: x.shape, kernel: kernel, channels: x.dim(1), output: (dy.dim(2), dy.dim(3)))
            return Tensor.makeFloats(x.shape) { sn_max_pool2d_gradient(x.floatElements, dy.floatElements, $0, &s) }
        case let .averagePool(kernel, window, countPadding):
            var s = window.shape(of: shape, kernel: kernel, channels: shape[1], output: (dy.dim(2), dy.dim(3)))
            return Tensor.makeFloats(shape) {
                sn_mean_pool2d_gradient(dy.floatElements, $0, &s, window.bottom, window.right, countPadding ? 1 : 0)
            }
        case let .interpolate(filter): return filter.transposed(dy)
        default: preconditionFailure("not an operation on windows")
        }
    }
}

extension Tensor {
    /// Zeros of `shape` with these elements at `start`, `start + step` ... of an axis.
    func spread(into shape: [Int], axis: Int, start: Int, step: Int) -> Tensor {
        var result = Tensor.zeros(shape)
        result.place(self, axis: axis, start: start, step: step)
        return result
    }

    /// The gradient of a table whose rows `indices` were read along `axis`.
    func scattered(_ indices: [Int], axis: Int, into shape: [Int]) throws -> Tensor {
        let outer = shape[..<axis].reduce(1, *), inner = shape[(axis + 1)...].reduce(1, *)
        let source = contiguous(), places = indices.map(Int64.init)
        return Tensor.makeFloats(shape) { out in
            for block in 0..<outer {
                sn_scatter_add_rows(
                    places, source.floatElements + block * indices.count * inner, indices.count, inner, out + block * shape[axis] * inner,
                    shape[axis])
            }
        }
    }

    /// The gradient of a tensor of which one element was read for each place, along `axis`.
    func returned(_ indices: [Int], _ taken: [Int], axis: Int, into shape: [Int]) -> Tensor {
        let source = contiguous(), count = shape.reduce(1, *)
        let counts = rowMajor(taken), strides = rowMajor(shape)
        return Tensor.makeFloats(shape) { out in
            out.initialize(repeating: 0, count: count)
            for i in indices.indices {
                var place = 0
                for one in shape.indices { place += (one == axis ? indices[i] : i / counts[one] % taken[one]) * strides[one] }
                out[place] += source.floatElements[i]
            }
        }
    }

    private func rowMajor(_ shape: [Int]) -> [Int] {
        var strides = [Int](repeating: 1, count: shape.count)
        for axis in stride(from: shape.count - 2, through: 0, by: -1) { strides[axis] = strides[axis + 1] * Swift.max(shape[axis + 1], 1) }
        return strides
    }
}
