/// Headers of FAISS flat indexes: IndexFlatIP ("IxFI"), IndexFlatL2 ("IxF2") and IndexFlat ("IxFl"), alone or in an IndexIDMap
/// ("IxMp", "IxM2"), whose ids follow the vectors.
enum FaissHeader {
    /// Four letters, then dimension, count, two unused words, trained and metric.
    static let indexBytes = 4 + 4 + 8 + 16 + 1 + 4
    private static let unused: Int64 = 1 << 20

    /// What stands before the vectors.
    static func encode(count: Int, dimension: Int, metric: Metric, ids: Bool) -> [UInt8] {
        let isL2 = metric == .l2
        func index(_ letters: String) -> [UInt8] {
            var bytes = Array(letters.utf8)
            bytes.append(little: Int32(dimension))
            bytes.append(little: Int64(count))
            bytes.append(little: unused)
            bytes.append(little: unused)
            bytes.append(1)
            bytes.append(little: Int32(isL2 ? 1 : 0))
            return bytes
        }
        var bytes = (ids ? index("IxMp") : []) + index(isL2 ? "IxF2" : "IxFI")
        bytes.append(little: UInt64(count * dimension))
        return bytes
    }

    private struct Index {
        var letters: String
        var dimension: Int
        var count: Int
        var metric: Metric
    }

    private static func readIndex(_ file: File, at offset: Int) throws(IndexError) -> Index {
        let bytes = try file.read(indexBytes, at: offset, field: "index header")
        let letters = String(decoding: bytes[0..<4], as: UTF8.self)
        guard ["IxFI", "IxF2", "IxFl", "IxMp", "IxM2"].contains(letters) else {
            throw .corrupt(
                file: file.path, offset: offset, field: "kind of index", found: "\"\(letters.debugDescription.dropFirst().dropLast())\"",
                expected: "a flat FAISS index (IxFI, IxF2, IxFl) or an id map of one (IxMp, IxM2)")
        }
        let metric: Int32 = bytes.little(at: 33)
        guard metric == 0 || metric == 1 else {
            throw .corrupt(
                file: file.path, offset: offset + 33, field: "metric", found: "\(metric)", expected: "0 (inner product) or 1 (L2)")
        }
        let count: Int64 = bytes.little(at: 8), dimension: Int32 = bytes.little(at: 4)
        return Index(letters: letters, dimension: Int(dimension), count: Int(count), metric: metric == 0 ? .innerProduct : .l2)
    }

    static func read(_ file: File, size: Int) throws(IndexError) -> VectorFileLayout {
        var index = try readIndex(file, at: 0), offset = 0, mapped: Index?
        if index.letters == "IxMp" || index.letters == "IxM2" {
            mapped = index
            offset = indexBytes
            index = try readIndex(file, at: offset)
        }
        func corrupt(_ place: Int, _ field: String, _ found: String, _ expected: String) -> IndexError {
            .corrupt(file: file.path, offset: place, field: field, found: found, expected: expected)
        }
        guard index.letters.hasPrefix("IxF") else { throw corrupt(offset, "kind of inner index", index.letters, "a flat index") }
        let start = offset + indexBytes + 8
        let floats: UInt64 = try file.read(8, at: start - 8, field: "number of components").little(at: 0)
        var layout = VectorFileLayout(
            count: index.count, dimension: index.dimension, start: start, stride: max(4 * index.dimension, 0), metric: index.metric)
        layout = try layout.checked(file, size: size, field: "count and dimension", at: offset + 4)
        guard floats == UInt64(layout.count * layout.dimension) else {
            throw corrupt(start - 8, "number of components", "\(floats)", "\(layout.count * layout.dimension)")
        }
        guard let mapped else { return layout }
        guard mapped.count == layout.count, mapped.dimension == layout.dimension else {
            throw corrupt(
                4, "count and dimension of the id map", "\(mapped.count) and \(mapped.dimension)", "\(layout.count) and \(layout.dimension)"
            )
        }
        let place = start + layout.count * layout.stride
        let ids: UInt64 = try file.read(8, at: place, field: "number of ids").little(at: 0)
        guard ids == UInt64(layout.count), layout.count <= (size - place - 8) / 8 else {
            throw corrupt(place, "number of ids", "\(ids) in \(size - place - 8) bytes", "\(layout.count)")
        }
        layout.idsStart = place + 8
        return layout
    }
}
