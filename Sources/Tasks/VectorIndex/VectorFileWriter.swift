import CKernels
import Foundation
import Tensors

/// Writes vectors to an `.npy`, `.fvecs` or FAISS flat file, some at a time. The file appears under its name, whole, when
/// `finish` is called.
public final class VectorFileWriter {
    private let file: File
    private let path: String, format: VectorFileFormat, dimension: Int, metric: Metric, half: Bool, withIDs: Bool
    private var ids: [Int64] = []
    private var count = 0
    private var end = 0
    private var finished = false

    /// `half` (f16) is for `.npy` only; `metric` and `withIDs` are for FAISS only (cosine is an inner product of unit vectors there).
    public init(
        path: String, format: VectorFileFormat? = nil, dimension: Int, metric: Metric = .innerProduct, half: Bool = false,
        withIDs: Bool = false
    ) throws(IndexError) {
        self.format = try VectorFileFormat.of(path, format)
        guard (1...VectorFileLayout.maximumDimension).contains(dimension) else {
            throw .invalid(
                operation: "write \(path)", field: "dimension", value: "\(dimension)", expected: "1...\(VectorFileLayout.maximumDimension)")
        }
        guard !half || self.format == .npy else {
            throw .invalid(
                operation: "write \(path)", field: "element type", value: "f16", expected: "f32 in a file of kind \(self.format)")
        }
        (self.path, self.dimension, self.metric, self.half) = (path, dimension, metric, half)
        self.withIDs = withIDs && self.format == .faiss
        do throws(IndexError) { file = try File.open(path + ".new", flags: O_RDWR | O_CREAT | O_TRUNC) } catch {
            throw error.unwritable(path)
        }
        end = header().count
    }

    deinit { if !finished { unlink(file.path) } }

    private func header() -> [UInt8] {
        switch format {
        case .npy: NumpyHeader.encode(count: count, dimension: dimension, half: half)
        case .fvecs: []
        case .faiss: FaissHeader.encode(count: count, dimension: dimension, metric: metric, ids: withIDs)
        }
    }

    /// Adds vectors `[n, dimension]` of any floating-point type.
    public func append(_ vectors: Tensor, ids newIDs: [Int64] = []) throws(IndexError) {
        guard vectors.rank == 2, vectors.shape[1] == dimension, vectors.dtype.isFloatingPoint else {
            throw .invalid(
                operation: "write \(path)", field: "vectors", value: "\(vectors.dtype) \(vectors.shape)",
                expected: "floats [n, \(dimension)]")
        }
        let rows = vectors.shape[0]
        guard !withIDs || newIDs.count == rows else {
            throw .invalid(operation: "write \(path)", field: "ids", value: "\(newIDs.count) ids", expected: "\(rows), one for each vector")
        }
        let bytes = encode(vectors)
        do throws(IndexError) { try file.write(bytes, at: end) } catch { throw error.unwritable(path) }
        end += bytes.count
        count += rows
        if withIDs { ids += newIDs }
    }

    private func encode(_ vectors: Tensor) -> [UInt8] {
        let values = vectors.asType(half ? .f16 : .f32)
        return values.withBytes { bytes in
            guard format == .fvecs else { return Array(bytes) }
            var out: [UInt8] = []
            out.reserveCapacity(bytes.count + vectors.shape[0] * 4)
            for row in 0..<vectors.shape[0] {
                out.append(little: Int32(dimension))
                out.append(contentsOf: bytes[row * dimension * 4..<(row + 1) * dimension * 4])
            }
            return out
        }
    }

    /// Completes the header and puts the file in its place.
    public func finish() throws(IndexError) {
        do throws(IndexError) { try complete() } catch { throw error.unwritable(path) }
        finished = true
    }

    private func complete() throws(IndexError) {
        try file.write(header(), at: 0)
        if withIDs {
            var tail: [UInt8] = []
            tail.append(little: UInt64(ids.count))
            for id in ids { tail.append(little: id) }
            try file.write(tail, at: end)
        }
        try file.synchronize()
        guard rename(file.path, path) == 0 else { throw file.failure("rename to \(path)") }
    }
}

extension IndexError {
    /// The file as its user named it, not the temporary one beside it.
    fileprivate func unwritable(_ path: String) -> IndexError {
        if case .io(_, _, let reason) = self { .unwritable(file: path, reason: reason) } else { self }
    }
}
