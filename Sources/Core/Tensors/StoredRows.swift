import CKernels

/// How the elements of a weight row are stored: plain numbers, bytes with a scale for each row, or ggml's blocks of a scale and a few
/// bits per element.
public enum WeightFormat: String, Sendable, Hashable, CaseIterable {
    case f32, f16, bf16, int8, q8_0, q4_0, q4_1, q5_0, q5_1, q4_K, q5_K, q6_K

    /// The kernels' name of it.
    package var kernel: sn_weight_format {
        switch self {
        case .f32: SN_WEIGHT_F32
        case .f16: SN_WEIGHT_F16
        case .bf16: SN_WEIGHT_BF16
        case .int8: SN_WEIGHT_INT8
        case .q8_0: SN_WEIGHT_Q8_0
        case .q4_0: SN_WEIGHT_Q4_0
        case .q4_1: SN_WEIGHT_Q4_1
        case .q5_0: SN_WEIGHT_Q5_0
        case .q5_1: SN_WEIGHT_Q5_1
        case .q4_K: SN_WEIGHT_Q4_K
        case .q5_K: SN_WEIGHT_Q5_K
        case .q6_K: SN_WEIGHT_Q6_K
        }
    }

    /// Elements of a block; 1 for plain numbers.
    public var blockLength: Int { sn_weight_block_length(kernel) }
    /// Bytes of a block.
    public var blockBytes: Int { sn_weight_block_bytes(kernel) }

    /// This format where it fits rows of `columns` elements, else the nearest that does: super-blocks of 256 give way to blocks of 32
    /// (as llama.cpp has it), those to f16.
    public func fitting(columns: Int) -> WeightFormat {
        if rowBytes(columns) != nil { return self }
        switch self {
        case .q4_K where columns % 32 == 0: return .q5_0
        case .q5_K where columns % 32 == 0: return .q5_1
        case .q6_K where columns % 32 == 0: return .q8_0
        default: return .f16
        }
    }

    /// Bytes of a row of `columns` elements, nil where that is no whole number of blocks or too large to count.
    public func rowBytes(_ columns: Int) -> Int? {
        let bytes = sn_weight_row_bytes(kernel, columns)
        return bytes < 0 ? nil : bytes
    }
}

/// A matrix `[rows, columns]` as a file stores it, read where it lies: mapped bytes stay in the file.
public struct StoredRows: Sendable {
    public let format: WeightFormat
    public let rows: Int
    public let columns: Int
    /// From one row to the next.
    public let rowBytes: Int
    public let storage: Storage
    /// The first row, from the start of the storage.
    public let byteOffset: Int
    /// One factor for each row, of int8 only.
    private let scales: Tensor?
    /// The matrix as a variable, where these are its rows.
    package let variable: Tensor?

    /// Throws when the rows are no whole number of blocks or reach beyond the storage.
    public init(_ storage: Storage, byteOffset: Int, format: WeightFormat, rows: Int, columns: Int) throws(TensorError) {
        guard rows >= 0, columns >= 0, let rowBytes = format.rowBytes(columns) else {
            throw .shape(
                operation: "rows of \(format)", shapes: [[rows, columns]], expected: "columns that \(format.blockLength) divides")
        }
        guard let bytes = rows.checkedMultiply(rowBytes), byteOffset >= 0, let end = byteOffset.checkedAdd(bytes),
            end <= storage.byteCount
        else { throw .tooLarge(operation: "rows of \(format)", shape: [rows, columns]) }
        (self.format, self.rows, self.columns, self.rowBytes) = (format, rows, columns, rowBytes)
        (self.storage, self.byteOffset, scales, variable) = (storage, byteOffset, nil, nil)
    }

    /// A matrix `[rows, columns]` of f32, f16 or bf16 where it lies; other types become f32.
    public init(_ matrix: Tensor) {
        precondition(matrix.rank == 2, "a matrix has two axes, found \(matrix.shape)")
        let plain = (matrix.dtype.isFloatingPoint ? matrix : matrix.asType(.f32)).contiguous()
        format = plain.dtype == .f32 ? .f32 : plain.dtype == .f16 ? .f16 : .bf16
        (rows, columns, rowBytes) = (plain.shape[0], plain.shape[1], plain.shape[1] * plain.dtype.size)
        (storage, byteOffset, scales) = (plain.storage, plain.offset * plain.dtype.size, nil)
        variable = matrix.trace == nil ? nil : plain
    }

    private init(
        format: WeightFormat, rows: Int, columns: Int, storage: Storage, byteOffset: Int = 0, scales: Tensor?, variable: Tensor? = nil
    ) {
        self.variable = variable
        (self.format, self.rows, self.columns, rowBytes) = (format, rows, columns, format.rowBytes(columns) ?? 0)
        (self.storage, self.byteOffset, self.scales) = (storage, byteOffset, scales)
    }

    /// The same values rounded to another format, or to the nearest that fits the columns.
    public func converted(to wanted: WeightFormat) -> StoredRows {
        let target = wanted.fitting(columns: columns)
        precondition(variable == nil || target == format, "a variable is trained in f32")
        guard target != format, rows * columns > 0 else { return self }
        let values = floats(), room = Storage(byteCount: rows * (target.rowBytes(columns) ?? 0))
        func fill(_ scales: UnsafeMutablePointer<Float>?) {
            sn_quantize_rows(target.kernel, values.floatPointer, rows, columns, room.pointer, scales)
        }
        let scales = target == .int8 ? Tensor.makeFloats([rows]) { fill($0) } : nil
        if scales == nil { fill(nil) }
        // Whoever rounds weights is short of memory: of the file's own nothing need stay.
        storage.forgetPages(byteOffset..<byteOffset + rows * rowBytes)
        return StoredRows(format: target, rows: rows, columns: columns, storage: room, scales: scales)
    }

    /// Some of the rows, where they lie.
    public func sliced(_ range: Range<Int>) -> StoredRows {
        precondition(range.lowerBound >= 0 && range.upperBound <= rows, "rows \(range) of \(rows)")
        return StoredRows(
            format: format, rows: range.count, columns: columns, storage: storage, byteOffset: byteOffset + range.lowerBound * rowBytes,
            scales: scales.map { (try? $0.sliced(0, range)) ?? $0 }, variable: variable.flatMap { try? $0.sliced(0, range) })
    }

    /// The same rows without their history.
    var constant: StoredRows {
        variable == nil
            ? self
            : StoredRows(format: format, rows: rows, columns: columns, storage: storage, byteOffset: byteOffset, scales: scales)
    }

    /// What the kernels see. The rows must be kept alive while it is used.
    package var weights: sn_weights {
        sn_weights(
            format: format.kernel, rows: pointer, row_bytes: rowBytes, n: rows, k: columns,
            scales: scales.map { UnsafePointer($0.floatPointer) })
    }

    /// The first byte. The storage must be kept alive while the pointer is used.
    package var pointer: UnsafeRawPointer { UnsafeRawPointer(storage.pointer + byteOffset) }

    /// Bytes that the rows take, with their scales.
    public var byteCount: Int { rows * rowBytes + (scales.map { $0.count * 4 } ?? 0) }

    /// All rows as f32 `[rows, columns]`.
    public func floats() -> Tensor {
        Tensor.makeFloats([rows, columns]) { out in
            if rows * columns > 0 {
                sn_dequantize_rows(format.kernel, pointer, rowBytes, rows, columns, scales.map { UnsafePointer($0.floatPointer) }, out)
            }
        }
    }

    /// All rows as f32, without a copy where they are stored so.
    package func values() -> Tensor {
        guard format == .f32, rowBytes == columns * 4, byteOffset % 4 == 0 else { return floats() }
        return Tensor(storage: storage, offset: byteOffset / 4, shape: [rows, columns], dtype: .f32)
    }

    /// Some rows as f32, by whole numbers of any shape: `[..., columns]`. Throws for one that isn't there.
    public func gathered(_ indices: Tensor) throws(TensorError) -> Tensor {
        guard !indices.dtype.isFloatingPoint, indices.dtype != .bool else {
            throw .dtype(operation: "gather rows", found: indices.dtype, expected: "whole numbers")
        }
        if let variable { return try variable.gathered(indices) }
        let wanted = indices.ints()
        for row in wanted where row < 0 || row >= rows { throw .index(operation: "gather rows", value: row, bound: rows) }
        return Tensor.makeFloats(indices.shape + [columns]) { out in
            guard columns > 0 else { return }
            for (place, row) in wanted.enumerated() {
                sn_dequantize_rows(
                    format.kernel, pointer + row * rowBytes, rowBytes, 1, columns, scales.map { UnsafePointer($0.floatPointer + row) },
                    out + place * columns)
            }
        }
    }
}
