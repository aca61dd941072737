import CKernels

/// How the elements of a weight row are stored: plain numbers, or ggml's blocks of a scale and a few bits per element.
public enum WeightFormat: Sendable, Hashable, CaseIterable {
    case f32, f16, bf16, q8_0, q4_0, q4_1, q5_0, q5_1, q4_K, q5_K, q6_K

    /// The kernels' name of it.
    package var kernel: sn_weight_format {
        switch self {
        case .f32: SN_WEIGHT_F32
        case .f16: SN_WEIGHT_F16
        case .bf16: SN_WEIGHT_BF16
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
        (self.storage, self.byteOffset) = (storage, byteOffset)
    }

    /// The first byte. The storage must be kept alive while the pointer is used.
    package var pointer: UnsafeRawPointer { UnsafeRawPointer(storage.pointer + byteOffset) }

    /// All rows as f32 `[rows, columns]`.
    public func floats() -> Tensor {
        Tensor.makeFloats([rows, columns]) { out in
            if rows * columns > 0 { sn_dequantize_rows(format.kernel, pointer, rowBytes, rows, columns, nil, out) }
        }
    }

    /// Some rows as f32, by whole numbers of any shape: `[..., columns]`. Throws for one that isn't there.
    public func gathered(_ indices: Tensor) throws(TensorError) -> Tensor {
        guard !indices.dtype.isFloatingPoint, indices.dtype != .bool else {
            throw .dtype(operation: "gather rows", found: indices.dtype, expected: "whole numbers")
        }
        let wanted = indices.ints()
        for row in wanted where row < 0 || row >= rows { throw .index(operation: "gather rows", value: row, bound: rows) }
        return Tensor.makeFloats(indices.shape + [columns]) { out in
            guard columns > 0 else { return }
            for (place, row) in wanted.enumerated() {
                sn_dequantize_rows(format.kernel, pointer + row * rowBytes, rowBytes, 1, columns, nil, out + place * columns)
            }
        }
    }
}
