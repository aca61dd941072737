import Tensors

/// The element type of a tensor in a file. Types without a `DType` are listed under their own name; some of them are converted
/// when the tensor is read.
public enum StoredType: Sendable, Hashable, CustomStringConvertible {
    case native(DType)
    /// Read as f32.
    case f64
    /// Read as i32.
    case i16, u16
    /// Read as i64.
    case u32
    /// Read as i64; an error for values beyond its range.
    case u64
    /// Blocks of quantised elements along the last axis (GGUF). Read as f32.
    case blocks(WeightFormat)
    /// Listed but not read: its name, and the size of an element where it is known.
    case other(String, bits: Int?)

    /// Bits of one element, nil where unknown.
    public var bits: Int? {
        switch self {
        case let .native(type): type.size * 8
        case .f64, .u64: 64
        case .u32: 32
        case .i16, .u16: 16
        case .blocks: nil
        case let .other(_, bits): bits
        }
    }

    /// The type that reading gives, nil where the tensor can't be read.
    public var readsAs: DType? {
        switch self {
        case let .native(type): type
        case .f64, .blocks: .f32
        case .i16, .u16: .i32
        case .u32, .u64: .i64
        case .other: nil
        }
    }

    public var description: String {
        switch self {
        case let .native(type): type.description
        case .f64: "f64"
        case .i16: "i16"
        case .u16: "u16"
        case .u32: "u32"
        case .u64: "u64"
        case let .blocks(format): "\(format)"
        case let .other(name, _): name
        }
    }

    /// The format of weights that kernels take as they are; nil for other types.
    public var weightFormat: WeightFormat? {
        switch self {
        case .native(.f32): .f32
        case .native(.f16): .f16
        case .native(.bf16): .bf16
        case let .blocks(format): format
        default: nil
        }
    }
}

extension StoredType {
    /// Bytes that `shape` takes, nil where the type is unknown or the shape overflows.
    func byteCount(_ shape: [Int]) -> Int? {
        if case let .blocks(format) = self {
            guard let columns = shape.last, let count = boundedCount(shape), let row = format.rowBytes(columns) else { return nil }
            return count == 0 ? 0 : count / columns * row
        }
        guard let bits, let count = boundedCount(shape) else { return nil }
        let (total, overflow) = count.multipliedReportingOverflow(by: bits)
        return overflow ? nil : total / 8 + (total % 8 == 0 ? 0 : 1)
    }

    /// The tensor of these bytes: over the storage itself where type and alignment permit, a copy otherwise.
    func tensor(
        over storage: Storage, at offset: Int, shape: [Int], byteSwapped: Bool = false, file: String, key: String
    )
        throws(CheckpointError) -> Tensor
    {
        if case let .blocks(format) = self {
            do {
                let rows = shape.dropLast().reduce(1, *)
                return try StoredRows(storage, byteOffset: offset, format: format, rows: rows, columns: shape.last ?? 0).floats()
                    .reshaped(shape)
            } catch {
                throw .operation(file: file, key: key, error)
            }
        }
        guard let readsAs, let bits else {
            throw .unsupported(file: file, key: key, found: "element type \(self)", advice: "convert it to f32, f16 or bf16 first")
        }
        let size = bits / 8
        guard let bytes = byteCount(shape), offset >= 0, bytes <= storage.byteCount, offset <= storage.byteCount - bytes else {
            throw .malformed(
                file: file, field: key, offset: offset,
                problem: "shape \(shape) of \(self) reaches beyond the \(storage.byteCount) bytes there are")
        }
        let source = UnsafeRawBufferPointer(start: storage.pointer + offset, count: bytes)
        if case .native(let type) = self {
            let aligned = offset % size == 0 && UInt(bitPattern: storage.pointer) % UInt(size) == 0
            if aligned, !byteSwapped, type != .bool {
                do {
                    return try Tensor(mapping: storage, byteOffset: offset, shape: shape, dtype: type)
                } catch {
                    throw .operation(file: file, key: key, error)
                }
            }
            return Tensor.make(shape, type) { target in
                target.copyMemory(from: source)
                // Any other byte than 0 and 1 isn't a valid Bool in memory.
                if type == .bool { for i in 0..<bytes { target[i] = target[i] == 0 ? 0 : 1 } }
                if byteSwapped { target.reverseElements(of: size) }
            }
        }
        return try converted(source, shape, readsAs, byteSwapped, file, key)
    }

    private func converted(
        _ source: UnsafeRawBufferPointer, _ shape: [Int], _ target: DType, _ swapped: Bool, _ file: String, _ key: String
    ) throws(CheckpointError) -> Tensor {
        var tooLarge: Int?
        let tensor = Tensor.make(shape, target) { bytes in
            func each<Word: FixedWidthInteger, Out>(_: Word.Type, _ value: (Word) -> Out) {
                let width = MemoryLayout<Word>.size
                for i in 0..<(source.count / width) {
                    let word = source.loadUnaligned(fromByteOffset: i * width, as: Word.self)
                    bytes.storeBytes(of: value(swapped ? word.byteSwapped : word), toByteOffset: i * MemoryLayout<Out>.size, as: Out.self)
                }
            }
            switch self {
            case .f64: each(UInt64.self) { Float(Double(bitPattern: $0)) }
            case .i16: each(Int16.self) { Int32($0) }
            case .u16: each(UInt16.self) { Int32($0) }
            case .u32: each(UInt32.self) { Int64($0) }
            case .u64:
                var index = 0
                each(UInt64.self) { word -> Int64 in
                    if word > UInt64(Int64.max), tooLarge == nil { tooLarge = index }
                    index += 1
                    return Int64(truncatingIfNeeded: word)
                }
            case .native, .blocks, .other: break
            }
        }
        if let tooLarge {
            throw .unsupported(file: file, key: key, found: "u64 element \(tooLarge) above 2^63 - 1", advice: "store it as i64")
        }
        return tensor
    }
}

/// The number of elements of a shape from a file, nil for a negative dimension, more than 16 axes, or sizes whose product
/// overflows even with the empty axes left out (strides are computed from those).
func boundedCount(_ shape: [Int]) -> Int? {
    guard shape.count <= 16 else { return nil }
    var count = 1, empty = false
    for dimension in shape {
        guard dimension >= 0 else { return nil }
        if dimension == 0 { empty = true }
        let (next, overflow) = count.multipliedReportingOverflow(by: max(dimension, 1))
        if overflow || next > 1 << 56 { return nil }
        count = next
    }
    return empty ? 0 : count
}

extension UnsafeMutableRawBufferPointer {
    /// Turns the byte order of every `size`-byte element round.
    func reverseElements(of size: Int) {
        guard size > 1 else { return }
        for start in stride(from: 0, to: count - size + 1, by: size) {
            for i in 0..<(size / 2) { swapAt(start + i, start + size - 1 - i) }
        }
    }
}
