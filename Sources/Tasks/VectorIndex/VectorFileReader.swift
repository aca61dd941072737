import CKernels
import Foundation
import Tensors

/// Reads vectors out of an `.npy`, `.fvecs` or FAISS flat file, a range at a time. Sizes are checked against the file's before
/// memory is taken.
public struct VectorFileReader: Sendable {
    let file: File
    let layout: VectorFileLayout
    public let format: VectorFileFormat

    public var path: String { file.path }
    public var count: Int { layout.count }
    public var dimension: Int { layout.dimension }
    /// The element type in the file; `rows` gives f32.
    public var dtype: DType { layout.half ? .f16 : .f32 }
    /// The metric that the file names (FAISS).
    public var metric: Metric? { layout.metric }
    /// Whether the file gives ids (FAISS IndexIDMap).
    public var hasIDs: Bool { layout.idsStart != nil }

    /// `format` is told by the extension where it isn't given.
    public init(path: String, format: VectorFileFormat? = nil) throws(IndexError) {
        let format = try VectorFileFormat.of(path, format)
        file = try File.open(path)
        self.format = format
        let size = try file.size()
        switch format {
        case .npy: layout = try NumpyHeader.read(file, size: size)
        case .fvecs: layout = try VectorFileReader.fvecs(file, size: size)
        case .faiss: layout = try FaissHeader.read(file, size: size)
        }
    }

    private static func fvecs(_ file: File, size: Int) throws(IndexError) -> VectorFileLayout {
        if size == 0 {
            throw .corrupt(file: file.path, offset: 0, field: "file size", found: "0", expected: "a dimension and its components")
        }
        let dimension = Int(try file.read(4, at: 0, field: "dimension").little(Int32.self, at: 0))
        guard (1...VectorFileLayout.maximumDimension).contains(dimension) else {
            throw .corrupt(
                file: file.path, offset: 0, field: "dimension", found: "\(dimension)", expected: "1...\(VectorFileLayout.maximumDimension)")
        }
        let stride = 4 + 4 * dimension
        guard size % stride == 0 else {
            throw .corrupt(
                file: file.path, offset: size / stride * stride, field: "file size", found: "\(size)", expected: "a multiple of \(stride)")
        }
        return VectorFileLayout(count: size / stride, dimension: dimension, start: 4, stride: stride)
    }

    private func check(_ range: Range<Int>) throws(IndexError) {
        guard range.lowerBound >= 0, range.upperBound <= count else {
            throw .invalid(operation: "read \(file.path)", field: "rows", value: "\(range)", expected: "a range within 0..<\(count)")
        }
    }

    /// Vectors `[range.count, dimension]` f32.
    public func rows(_ range: Range<Int>) throws(IndexError) -> Tensor {
        try check(range)
        guard !range.isEmpty else { return Tensor.zeros([0, dimension]) }
        let element = layout.half ? 2 : 4, lead = format == .fvecs ? 4 : 0
        let first = layout.start - lead + range.lowerBound * layout.stride
        let bytes = try file.read(range.count * layout.stride, at: first, field: "vectors")
        for row in 0..<range.count where format == .fvecs {
            let found: Int32 = bytes.little(at: row * layout.stride)
            guard Int(found) == dimension else {
                throw .corrupt(
                    file: file.path, offset: first + row * layout.stride, field: "dimension of vector \(range.lowerBound + row)",
                    found: "\(found)", expected: "\(dimension) as in the first")
            }
        }
        return Tensor.makeFloats([range.count, dimension]) { out in
            bytes.withUnsafeBytes { bytes in
                for row in 0..<range.count {
                    let from = bytes.baseAddress! + row * layout.stride + lead, to = out + row * dimension
                    if layout.half {
                        sn_kernels().pointee.from_half(from.assumingMemoryBound(to: UInt16.self), to, dimension)
                    } else {
                        UnsafeMutableRawPointer(to).copyMemory(from: from, byteCount: dimension * element)
                    }
                }
            }
        }
    }

    /// Ids of a range of rows: those of the file, or row numbers where it has none.
    public func ids(_ range: Range<Int>) throws(IndexError) -> [Int64] {
        try check(range)
        guard let start = layout.idsStart else { return range.map(Int64.init) }
        let bytes = try file.read(range.count * 8, at: start + range.lowerBound * 8, field: "ids")
        return range.indices.map { bytes.little(at: ($0 - range.lowerBound) * 8) }
    }
}
