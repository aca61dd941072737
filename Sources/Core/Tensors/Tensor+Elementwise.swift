import CKernels

// Element-wise operations compute in f32; operands of other types are converted first.
extension Tensor {
    func unary(_ operation: sn_unary) -> Tensor {
        let mixed = dtype == .bf16 && ProductPrecision.current == .bf16
        let source = (mixed ? self : asType(.f32)).contiguous()
        return source.applying(operation).recorded(self, .unary(operation, x: source.detached()))
    }

    /// Of contiguous elements of f32 or bf16, the result of the same type.
    func applying(_ operation: sn_unary) -> Tensor {
        if dtype == .f32 { return Tensor.makeFloats(shape) { sn_unary_all(operation, floatPointer, $0, count) } }
        return Tensor.make(shape, .bf16) {
            sn_unary_bfloat(operation, bfloatElements, $0.baseAddress!.assumingMemoryBound(to: UInt16.self), count)
        }
    }

    public func negated() -> Tensor { unary(SN_NEGATE) }
    public func abs() -> Tensor { unary(SN_ABS) }
    public func exp() -> Tensor { unary(SN_EXP) }
    public func log() -> Tensor { unary(SN_LOG) }
    public func sqrt() -> Tensor { unary(SN_SQRT) }
    /// `1 / sqrt(x)`
    public func rsqrt() -> Tensor { unary(SN_RSQRT) }
    public func tanh() -> Tensor { unary(SN_TANH) }
    public func sigmoid() -> Tensor { unary(SN_SIGMOID) }
    public func erf() -> Tensor { unary(SN_ERF) }
    public func sin() -> Tensor { unary(SN_SIN) }
    public func cos() -> Tensor { unary(SN_COS) }
    public func floor() -> Tensor { unary(SN_FLOOR) }
    public func ceil() -> Tensor { unary(SN_CEIL) }
    /// To the nearest whole number, halves to even.
    public func rounded() -> Tensor { unary(SN_ROUND) }

    /// `operation` over both shapes broadcast together.
    private func binary(
        _ operation: sn_binary, _ other: Tensor, _ name: String, _ recording: (Tensor, Tensor) -> Operation
    ) throws(TensorError) -> Tensor {
        let target = try Tensor.broadcastShape(shape, other.shape, name)
        let a = try detached().asType(.f32).broadcast(to: target), b = try other.detached().asType(.f32).broadcast(to: target)
        return Tensor.makeFloats(target) { Tensor.binaryLoop(operation, a, b, target, $0) }
            .recorded(self, other, recording(detached(), other.detached()))
    }

    private static func binaryLoop(_ operation: sn_binary, _ a: Tensor, _ b: Tensor, _ shape: [Int], _ out: UnsafeMutablePointer<Float>) {
        let count = shape.reduce(1, *)
        guard count > 0 else { return }
        // The innermost axes along which both sides advance evenly are one run of the kernel.
        var run = 1, axis = shape.count
        var aStep = 0, bStep = 0
        while axis > 0 {
            let size = shape[axis - 1]
            if size != 1 {
                let sa = a.strides[axis - 1], sb = b.strides[axis - 1]
                if run == 1 {
                    guard sa == 0 || sa == 1, sb == 0 || sb == 1 else { break }
                    (aStep, bStep) = (sa, sb)
                } else if sa != aStep * run || sb != bStep * run {
                    break
                }
            }
            run *= size
            axis -= 1
        }
        let outer = Array(shape[..<axis]), rows = outer.reduce(1, *), length = run
        let (stepA, stepB) = (aStep, bStep)
        let aPointer = Address(a.floatPointer), bPointer = Address(b.floatPointer), target = Address(out)
        let body: @Sendable (Range<Int>) -> Void = { range in
            for row in range {
                var rest = row, x = 0, y = 0
                for index in stride(from: outer.count - 1, through: 0, by: -1) {
                    x += rest % outer[index] * a.strides[index]
                    y += rest % outer[index] * b.strides[index]
                    rest /= outer[index]
                }
                sn_kernels().pointee.binary(
                    operation, aPointer.floats + x, stepA, bPointer.floats + y, stepB, target.floats + row * length, length)
            }
        }
        if rows == 1 {
            let whole = Address(out)
            ThreadPool.parallelFor(length, grain: 16384) { range in
                let start = range.lowerBound
                sn_kernels().pointee.binary(
                    operation, aPointer.floats + start * stepA, stepA, bPointer.floats + start * stepB, stepB, whole.floats + start,
                    range.count)
            }
        } else {
            ThreadPool.parallelFor(rows, grain: 1 + 16384 / length, body)
        }
    }

    public func adding(_ other: Tensor) throws(TensorError) -> Tensor { try binary(SN_ADD, other, "add") { _, _ in .add } }
    public func subtracting(_ other: Tensor) throws(TensorError) -> Tensor { try binary(SN_SUB, other, "subtract") { _, _ in .subtract } }
    public func multiplied(by other: Tensor) throws(TensorError) -> Tensor { try binary(SN_MUL, other, "multiply") { .multiply($0, $1) } }
    public func divided(by other: Tensor) throws(TensorError) -> Tensor { try binary(SN_DIV, other, "divide") { .divide($0, $1) } }
    /// NaN on either side gives NaN.
    public func maximum(_ other: Tensor) throws(TensorError) -> Tensor {
        try binary(SN_MAX, other, "maximum") { .extremum($0, $1, largest: true) }
    }
    public func minimum(_ other: Tensor) throws(TensorError) -> Tensor {
        try binary(SN_MIN, other, "minimum") { .extremum($0, $1, largest: false) }
    }
    public func power(_ other: Tensor) throws(TensorError) -> Tensor { try binary(SN_POW, other, "power") { .power($0, $1) } }

    private func scalarBinary(_ operation: sn_binary, _ value: Float) -> Tensor {
        let source = asType(.f32).contiguous(), number = value
        return Tensor.makeFloats(shape) { out in
            let from = Address(source.floatPointer), to = Address(out)
            ThreadPool.parallelFor(source.count, grain: 16384) { range in
                withUnsafePointer(to: number) {
                    sn_kernels().pointee.binary(
                        operation, from.floats + range.lowerBound, 1, $0, 0, to.floats + range.lowerBound, range.count)
                }
            }
        }
    }

    /// A shifted value has the same gradient.
    public func adding(_ value: Float) -> Tensor { scalarBinary(SN_ADD, value).recorded(self, .reshape) }
    public func scaled(by value: Float) -> Tensor { scalarBinary(SN_MUL, value).recorded(self, .scale(value)) }
    public func maximum(_ value: Float) -> Tensor {
        scalarBinary(SN_MAX, value).recorded(self, .bound(value, x: detached(), largest: true))
    }
    public func minimum(_ value: Float) -> Tensor {
        scalarBinary(SN_MIN, value).recorded(self, .bound(value, x: detached(), largest: false))
    }
    public func power(_ value: Float) -> Tensor { scalarBinary(SN_POW, value).recorded(self, .powerOf(value, x: detached())) }
    public func clamped(_ range: ClosedRange<Float>) -> Tensor { maximum(range.lowerBound).minimum(range.upperBound) }

    /// Elements of `self` where `condition` (bool, broadcast) holds, of `other` elsewhere.
    public func selecting(where condition: Tensor, else other: Tensor) throws(TensorError) -> Tensor {
        let pair = try Tensor.broadcastShape(shape, other.shape, "where")
        let target = try Tensor.broadcastShape(pair, condition.shape, "where")
        let a = try detached().asType(.f32).broadcast(to: target).contiguous()
        let b = try other.detached().asType(.f32).broadcast(to: target).contiguous()
        let mask = try condition.asType(.bool).broadcast(to: target).contiguous()
        let flags = mask.elements(UInt8.self)
        return Tensor.makeFloats(target) { out in
            for i in 0..<a.count { out[i] = flags[i] != 0 ? a.floatPointer[i] : b.floatPointer[i] }
        }.recorded(self, other, .select(condition: mask))
    }

    /// An element-wise test of both operands as f32; gives bool.
    public func compared(_ other: Tensor, _ test: (Float, Float) -> Bool) throws(TensorError) -> Tensor {
        let target = try Tensor.broadcastShape(shape, other.shape, "compare")
        let a = try asType(.f32).broadcast(to: target).contiguous(), b = try other.asType(.f32).broadcast(to: target).contiguous()
        return Tensor.make(target, .bool) { out in
            for i in 0..<a.count { out.storeBytes(of: test(a.floatPointer[i], b.floatPointer[i]) ? 1 : 0, toByteOffset: i, as: UInt8.self) }
        }
    }
}

extension Tensor {
    public static func + (a: Tensor, b: Tensor) throws(TensorError) -> Tensor { try a.adding(b) }
    public static func - (a: Tensor, b: Tensor) throws(TensorError) -> Tensor { try a.subtracting(b) }
    public static func * (a: Tensor, b: Tensor) throws(TensorError) -> Tensor { try a.multiplied(by: b) }
    public static func / (a: Tensor, b: Tensor) throws(TensorError) -> Tensor { try a.divided(by: b) }
}
