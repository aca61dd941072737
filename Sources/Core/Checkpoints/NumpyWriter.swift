import Foundation
import Tensors

/// Writes a `.npy` file, at once or in pieces whose total is known beforehand. The file appears under its name when it is whole.
public final class NumpyWriter {
    private let file: AtomicFile
    private let shape: [Int]
    private let dtype: DType
    private let expected: Int
    private var written = 0

    /// - Parameters:
    ///   - shape: of the whole array; pieces fill it in row-major order.
    ///   - dtype: bf16 has no NumPy type and is written as f32.
    public init(path: String, shape: [Int], dtype: DType) throws(CheckpointError) {
        let stored: DType = dtype == .bf16 ? .f32 : dtype
        guard let bytes = StoredType.native(stored).byteCount(shape) else {
            throw .unsupported(file: path, key: "array", found: "shape \(shape)", advice: "write fewer or smaller axes")
        }
        self.shape = shape
        self.dtype = stored
        expected = bytes
        file = try AtomicFile(path: path)
        let tuple = shape.count == 1 ? "(\(shape[0]),)" : "(\(shape.map(String.init).joined(separator: ", ")))"
        var header = "{'descr': '\(Self.description(stored))', 'fortran_order': False, 'shape': \(tuple), }"
        // The data begins at a multiple of 64, so that a reader can map it.
        while (10 + header.utf8.count + 1) % 64 != 0 { header += " " }
        header += "\n"
        let count = UInt16(header.utf8.count)
        try file.write([0x93, 0x4E, 0x55, 0x4D, 0x50, 0x59, 1, 0, UInt8(count & 0xFF), UInt8(count >> 8)])
        try file.write(Array(header.utf8))
    }

    private static func description(_ dtype: DType) -> String {
        switch dtype {
        case .f32, .bf16: "<f4"
        case .f16: "<f2"
        case .i8: "|i1"
        case .u8: "|u1"
        case .i32: "<i4"
        case .i64: "<i8"
        case .bool: "|b1"
        }
    }

    /// The next elements in row-major order, converted where the type differs.
    public func append(_ piece: Tensor) throws(CheckpointError) {
        let piece = piece.asType(dtype)
        let bytes = piece.count * dtype.size
        guard bytes <= expected - written else {
            throw .malformed(file: file.path, field: "array", offset: nil, problem: "more elements were given than shape \(shape) holds")
        }
        try piece.withBytes { (raw) throws(CheckpointError) in try file.write(raw) }
        written += bytes
    }

    /// Gives the file its name.
    public func finish() throws(CheckpointError) {
        guard written == expected else {
            throw .malformed(
                file: file.path, field: "array", offset: nil, problem: "\(written) of \(expected) bytes were written for shape \(shape)")
        }
        try file.commit()
    }

    public static func write(_ tensor: Tensor, to path: String) throws(CheckpointError) {
        let writer = try NumpyWriter(path: path, shape: tensor.shape, dtype: tensor.dtype)
        try writer.append(tensor)
        try writer.finish()
    }
}
