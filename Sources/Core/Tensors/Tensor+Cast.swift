import CKernels

extension Tensor {
    /// The elements as another type. Floating point to whole numbers truncates towards zero and saturates at the ends of the
    /// range (NaN becomes 0); to bool: not zero. 16-bit floats round to nearest even.
    public func asType(_ target: DType) -> Tensor {
        if target == dtype { return self }
        let source = contiguous()
        // Gradients are f32 whatever the type of the value.
        if target == .f32 { return source.toFloats().sharing(self) }
        if dtype.isFloatingPoint {
            let result = source.toFloats().fromFloats(target)
            return target.isFloatingPoint ? result.sharing(self) : result
        }
        if target.isFloatingPoint { return source.toFloats().fromFloats(target) }
        return source.integersAs(target)
    }

    /// The elements as f32 in memory that can be written to. Pages of a file's mapping that were read for it are let go.
    public func ownFloats() -> Tensor {
        var result = asType(.f32).contiguous().detached()
        if storage.isReadOnly {
            result.makeUnique()
            if isContiguous { storage.forgetPages(offset * dtype.size..<(offset + count) * dtype.size) }
        }
        return result
    }

    private func toFloats() -> Tensor {
        if dtype == .f32 { return self }
        let count = count
        return Tensor.makeFloats(shape) { out in
            switch dtype {
            case .f32: break
            case .f16: sn_kernels().pointee.from_half(elements(UInt16.self), out, count)
            case .bf16: sn_from_bfloat(elements(UInt16.self), out, count)
            case .i8: for i in 0..<count { out[i] = Float(elements(Int8.self)[i]) }
            case .u8: for i in 0..<count { out[i] = Float(elements(UInt8.self)[i]) }
            case .i32: for i in 0..<count { out[i] = Float(elements(Int32.self)[i]) }
            case .i64: for i in 0..<count { out[i] = Float(elements(Int64.self)[i]) }
            case .bool: for i in 0..<count { out[i] = elements(UInt8.self)[i] != 0 ? 1 : 0 }
            }
        }
    }

    private func fromFloats(_ target: DType) -> Tensor {
        let count = count, values = floatPointer
        return Tensor.make(shape, target) { bytes in
            let out = bytes.baseAddress!
            func whole<Element: FixedWidthInteger & BitwiseCopyable>(_: Element.Type) {
                let typed = out.assumingMemoryBound(to: Element.self)
                for i in 0..<count { typed[i] = Element(saturating: values[i]) }
            }
            switch target {
            case .f32: break
            case .f16: sn_kernels().pointee.to_half(values, out.assumingMemoryBound(to: UInt16.self), count)
            case .bf16: sn_to_bfloat(values, out.assumingMemoryBound(to: UInt16.self), count)
            case .i8: whole(Int8.self)
            case .u8: whole(UInt8.self)
            case .i32: whole(Int32.self)
            case .i64: whole(Int64.self)
            case .bool: for i in 0..<count { out.storeBytes(of: values[i] != 0 ? 1 : 0, toByteOffset: i, as: UInt8.self) }
            }
        }
    }

    private func integersAs(_ target: DType) -> Tensor {
        let count = count
        func read(_ i: Int) -> Int64 {
            switch dtype {
            case .i8: Int64(elements(Int8.self)[i])
            case .u8, .bool: Int64(elements(UInt8.self)[i])
            case .i32: Int64(elements(Int32.self)[i])
            default: elements(Int64.self)[i]
            }
        }
        return Tensor.make(shape, target) { bytes in
            let out = bytes.baseAddress!
            for i in 0..<count {
                let value = read(i)
                switch target {
                case .i8: out.storeBytes(of: Int8(clamping: value), toByteOffset: i, as: Int8.self)
                case .u8: out.storeBytes(of: UInt8(clamping: value), toByteOffset: i, as: UInt8.self)
                case .bool: out.storeBytes(of: value != 0 ? 1 : 0, toByteOffset: i, as: UInt8.self)
                case .i32: out.storeBytes(of: Int32(clamping: value), toByteOffset: i * 4, as: Int32.self)
                default: out.storeBytes(of: value, toByteOffset: i * 8, as: Int64.self)
                }
            }
        }
    }
}

extension FixedWidthInteger {
    init(saturating value: Float) {
        if value.isNaN {
            self = 0
        } else if value <= Float(Self.min) {
            self = .min
        } else if value >= Float(Self.max) {
            self = .max
        } else {
            self = Self(value)
        }
    }
}
