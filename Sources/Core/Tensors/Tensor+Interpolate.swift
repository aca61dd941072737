#if canImport(Glibc)
    import Glibc
#endif

public enum Interpolation: String, Sendable, CaseIterable {
    case nearest, bilinear, bicubic
}

extension Tensor {
    /// Resizes `[batch, channels, h, w]` to `height` x `width` as torch.nn.functional.interpolate does.
    /// - Parameters:
    ///   - alignCorners: the corner pixels' centres stay in place.
    ///   - antialias: widens the filter when shrinking (bicubic a = -0.5 then, -0.75 otherwise).
    ///   - scale: the factors (vertical, horizontal) that were asked for, where they differ from the ratio of sizes
    ///     (DINOv2 passes them explicitly).
    public func interpolated(
        height: Int, width: Int, _ mode: Interpolation, alignCorners: Bool = false, antialias: Bool = false, scale: (Double, Double)? = nil
    ) throws(TensorError) -> Tensor {
        guard rank == 4, shape[2] > 0, shape[3] > 0, height > 0, width > 0 else {
            throw .shape(
                operation: "interpolate", shapes: [shape, [height, width]], expected: "[batch, channels, h, w] and a positive size")
        }
        let rows = Taps(shape[2], height, mode, alignCorners, antialias, scale?.0),
            columns = Taps(shape[3], width, mode, alignCorners, antialias, scale?.1)
        let filter = Interpolated(rows: rows, columns: columns, height: shape[2], width: shape[3])
        return try filter.apply(self).recorded(self, .interpolate(filter))
    }
}

/// A separable filter from planes of `height` x `width` to planes of `rows` x `columns`.
package struct Interpolated: Sendable {
    fileprivate let rows, columns: Taps
    fileprivate let height, width: Int

    fileprivate func apply(_ x: Tensor) throws(TensorError) -> Tensor {
        let source = x.asType(.f32).contiguous(), (h, w) = (height, width), (outH, outW) = (rows.length, columns.length)
        let planes = x.shape[0] * x.shape[1]
        return Tensor.makeFloats([x.shape[0], x.shape[1], outH, outW]) { out in
            let from = Address(source.floatPointer), to = Address(out)
            ThreadPool.parallelFor(planes) { range in
                var middle = [Float](repeating: 0, count: h * outW)
                for plane in range {
                    let input = from.floats + plane * h * w, output = to.floats + plane * outH * outW
                    for y in 0..<h {
                        for x in 0..<outW {
                            var total: Float = 0
                            for tap in 0..<columns.count {
                                total += columns.weights[x * columns.count + tap] * input[y * w + columns.places[x * columns.count + tap]]
                            }
                            middle[y * outW + x] = total
                        }
                    }
                    for y in 0..<outH {
                        for x in 0..<outW {
                            var total: Float = 0
                            for tap in 0..<rows.count {
                                total += rows.weights[y * rows.count + tap] * middle[rows.places[y * rows.count + tap] * outW + x]
                            }
                            output[y * outW + x] = total
                        }
                    }
                }
            }
        }
    }

    /// The gradient of the planes from that of the result: every tap gives back what it took.
    package func transposed(_ gradient: Tensor) -> Tensor {
        let source = gradient.asType(.f32).contiguous(), (h, w) = (height, width), (outH, outW) = (rows.length, columns.length)
        let lead = Array(gradient.shape.dropLast(2))
        return Tensor.makeFloats(lead + [h, w]) { out in
            let from = Address(source.floatPointer), to = Address(out)
            ThreadPool.parallelFor(lead.reduce(1, *)) { range in
                var middle = [Float](repeating: 0, count: h * outW)
                for plane in range {
                    let output = from.floats + plane * outH * outW, input = to.floats + plane * h * w
                    for i in middle.indices { middle[i] = 0 }
                    for y in 0..<outH {
                        for tap in 0..<rows.count {
                            let weight = rows.weights[y * rows.count + tap], place = rows.places[y * rows.count + tap]
                            for x in 0..<outW { middle[place * outW + x] += weight * output[y * outW + x] }
                        }
                    }
                    for i in 0..<h * w { input[i] = 0 }
                    for y in 0..<h {
                        for x in 0..<outW {
                            for tap in 0..<columns.count {
                                input[y * w + columns.places[x * columns.count + tap]] +=
                                    columns.weights[x * columns.count + tap] * middle[y * outW + x]
                            }
                        }
                    }
                }
            }
        }
    }
}

/// Source places and weights of each target pixel along one axis.
private struct Taps: Sendable {
    /// Target pixels.
    let length: Int
    /// Taps of each.
    let count: Int
    var places: [Int]
    var weights: [Float]

    init(_ input: Int, _ output: Int, _ mode: Interpolation, _ alignCorners: Bool, _ antialias: Bool, _ scale: Double?) {
        let ratio =
            alignCorners
            ? (output > 1 ? Double(input - 1) / Double(output - 1) : 0) : scale.map { 1 / $0 } ?? Double(input) / Double(output)
        let widen = antialias ? max(ratio, 1) : 1
        let reach: Double = mode == .nearest ? 0.5 : mode == .bilinear ? 1 : 2
        let radius = reach * widen
        let a = antialias ? -0.5 : -0.75
        length = output
        count = mode == .nearest ? 1 : Int(ceil(radius)) * 2 + 1
        places = [Int](repeating: 0, count: output * count)
        weights = [Float](repeating: 0, count: output * count)
        for i in 0..<output {
            if mode == .nearest {
                places[i] = min(Int(Double(i) * ratio), input - 1)
                weights[i] = 1
                continue
            }
            // The reference keeps half-pixel centres when it antialiases, whatever alignCorners says.
            let centre = alignCorners && !antialias ? Double(i) * ratio : (Double(i) + 0.5) * ratio - 0.5
            var total = 0.0
            let first = Int(floor(centre)) - count / 2
            for tap in 0..<count {
                let place = first + tap
                var weight = Taps.filter(mode, (Double(place) - centre) / widen, a)
                // Antialiased filters drop what lies outside and renormalise; the others repeat the border.
                if antialias, place < 0 || place >= input { weight = 0 }
                places[i * count + tap] = min(max(place, 0), input - 1)
                weights[i * count + tap] = Float(weight)
                total += weight
            }
            if antialias { for tap in 0..<count { weights[i * count + tap] /= Float(total) } }
        }
    }

    static func filter(_ mode: Interpolation, _ distance: Double, _ a: Double) -> Double {
        let x = abs(distance)
        if mode == .bilinear { return max(0, 1 - x) }
        if x < 1 { return ((a + 2) * x - (a + 3)) * x * x + 1 }
        if x < 2 { return (((x - 5) * x + 8) * x - 4) * a }
        return 0
    }
}
