/// Formats in which vectors are exchanged with other programs.
public enum VectorFileFormat: String, Sendable, CaseIterable {
    /// NumPy array, 2-D, C order, little-endian f32 or f16 (NumPy Enhancement Proposal 1).
    case npy
    /// A 32-bit dimension and f32 components for each vector (the TEXMEX data sets).
    case fvecs
    /// FAISS IndexFlatIP or IndexFlatL2, alone or within an IndexIDMap (faiss/impl/index_write.cpp).
    case faiss

    /// By the extension: `.npy`, `.fvecs`, and `.faiss` or `.index`.
    public init?(path: String) {
        let name = path.split(separator: "/").last ?? ""
        switch name.split(separator: ".").last?.lowercased() {
        case "npy": self = .npy
        case "fvecs": self = .fvecs
        case "faiss", "index": self = .faiss
        default: return nil
        }
    }

    static func of(_ path: String, _ format: VectorFileFormat?) throws(IndexError) -> VectorFileFormat {
        if let format = format ?? VectorFileFormat(path: path) { return format }
        throw .invalid(
            operation: "vector file", field: "extension", value: path, expected: ".npy, .fvecs, .faiss or .index, or the format by name")
    }
}

/// Where the vectors of a file lie: row i begins at `start + i * stride`.
struct VectorFileLayout: Sendable, Equatable {
    var count: Int
    var dimension: Int
    var half = false
    var start: Int
    var stride: Int
    var metric: Metric?
    /// Place of `count` 64-bit ids.
    var idsStart: Int?

    static let maximumDimension = Manifest.maximumDimension

    /// Checks counts that a file claims against its size, before anything of theirs is allocated.
    func checked(_ file: File, size: Int, field: String, at offset: Int) throws(IndexError) -> VectorFileLayout {
        func corrupt(_ found: String, _ expected: String) -> IndexError {
            .corrupt(file: file.path, offset: offset, field: field, found: found, expected: expected)
        }
        guard (1...VectorFileLayout.maximumDimension).contains(dimension) else {
            throw corrupt("dimension \(dimension)", "1...\(VectorFileLayout.maximumDimension)")
        }
        guard count >= 0, start >= 0, start <= size, stride > 0, count <= (size - start) / stride else {
            throw corrupt("\(count) vectors of \(dimension) components", "no more than the \(size) bytes of the file hold")
        }
        return self
    }
}
