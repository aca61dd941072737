import Tensors

extension LocalIndex {
    /// Components that are read or written at once: about 16 MB.
    private var blockRows: Int { max(1, (4 << 20) / dimension) }

    /// Adds the vectors of a file, in blocks that are each durable. Rows without an id in the file get `firstID` plus their
    /// number. Returns how many there were.
    @discardableResult
    public func importVectors(_ reader: VectorFileReader, firstID: Int64 = 0) throws(IndexError) -> Int {
        guard reader.dimension == dimension else {
            throw .invalid(
                operation: "import \(reader.file.path)", field: "dimension", value: "\(reader.dimension)", expected: "\(dimension)")
        }
        guard reader.hasIDs || !firstID.addingReportingOverflow(Int64(reader.count)).overflow else {
            throw .invalid(
                operation: "import \(reader.file.path)", field: "firstID", value: "\(firstID)", expected: "room for \(reader.count) ids")
        }
        writing.withLock { $0.defersLists = true }
        defer { writing.withLock { $0.defersLists = false } }
        for start in stride(from: 0, to: reader.count, by: blockRows) {
            let range = start..<min(reader.count, start + blockRows)
            var ids = try reader.ids(range)
            if !reader.hasIDs { ids = ids.map { $0 + firstID } }
            try upsert(ids: ids, vectors: try reader.rows(range))
        }
        if count >= LocalIndex.listedRows { try? buildLists() }
        return reader.count
    }

    /// Writes all live vectors, by ascending id, to an `.npy`, `.fvecs` or FAISS file. FAISS files carry the ids; of the others
    /// row i belongs to the i-th of `ids()`.
    public func export(to path: String, format: VectorFileFormat? = nil) throws(IndexError) {
        let snapshot = try current(), format = try VectorFileFormat.of(path, format)
        var rows: [(id: Int64, row: Int)] = []
        rows.reserveCapacity(snapshot.liveCount)
        for chunk in snapshot.chunks {
            for index in 0..<chunk.count where chunk.isLive(index) { rows.append((chunk.ids[index], chunk.start + index)) }
        }
        rows.sort { $0.id < $1.id }
        let writer = try VectorFileWriter(
            path: path, format: format, dimension: dimension, metric: metric, half: storage == .f16 && format == .npy, withIDs: true)
        for start in stride(from: 0, to: rows.count, by: blockRows) {
            let part = rows[start..<min(rows.count, start + blockRows)]
            try writer.append(try snapshot.tensor(part.map(\.row)), ids: part.map(\.id))
        }
        try writer.finish()
    }
}

extension Snapshot {
    /// Stored vectors `[rows.count, dimension]` as f32, each checked.
    func tensor(_ rows: [Int]) throws(IndexError) -> Tensor {
        for row in rows { try checkRow(row) }
        let dimension = settings.dimension
        return Tensor.makeFloats([rows.count, dimension]) { out in
            var line = [Float](repeating: 0, count: dimension)
            for (place, row) in rows.enumerated() {
                load(pointer(row), into: &line)
                (out + place * dimension).update(from: line, count: dimension)
            }
        }
    }
}
