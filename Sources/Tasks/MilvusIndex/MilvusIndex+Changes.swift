import Tensors
import VectorIndex

extension MilvusIndex {
    /// As `LocalIndex.upsert`; of equal ids in one call the last counts.
    public func upsert(ids: [Int64], vectors: Tensor) throws(IndexError) {
        guard vectors.shape == [ids.count, dimension], vectors.dtype.isFloatingPoint else {
            throw .invalid(
                operation: "upsert", field: "vectors", value: "\(vectors.dtype) \(vectors.shape)",
                expected: "floats [\(ids.count), \(dimension)]")
        }
        guard !ids.isEmpty else { return }
        var values = vectors.asType(.f32).floats(), last: [Int64: Int] = [:]
        for (row, id) in ids.enumerated() {
            last[id] = row
            try prepare(&values, row, "upsert", "vector of id \(id)")
        }
        var kept = ids
        if last.count < ids.count {
            let rows = ids.indices.filter { last[ids[$0]] == $0 }
            kept = rows.map { ids[$0] }
            values = rows.flatMap { values[$0 * dimension..<($0 + 1) * dimension] }
        }
        let block = max(1, min(10_000, (4 << 20) / dimension))
        for start in stride(from: 0, to: kept.count, by: block) {
            let range = start..<min(kept.count, start + block)
            let message = values.withUnsafeBufferPointer { all in
                MilvusMessage.upsert(
                    address, ids: kept[range],
                    vectors: UnsafeBufferPointer(rebasing: all[range.lowerBound * dimension..<range.upperBound * dimension]),
                    dimension: dimension)
            }
            try change("Upsert", message, "store vectors")
        }
    }

    /// Checks a row, and scales it to unit length for cosine. A unit vector stays as it is, bit for bit: one that is moved here from
    /// another index keeps its scores.
    func prepare(_ values: inout [Float], _ row: Int, _ operation: String, _ field: String) throws(IndexError) {
        let range = row * dimension..<(row + 1) * dimension
        var square = 0.0
        for place in range { square += Double(values[place]) * Double(values[place]) }
        guard square.isFinite else {
            throw .invalid(operation: operation, field: field, value: "not finite", expected: "finite components")
        }
        guard metric == .cosine, square > 0, abs(square - 1) > 1e-6 else { return }
        let scale = 1 / square.squareRoot()
        for place in range { values[place] = Float(Double(values[place]) * scale) }
    }

    @discardableResult
    public func remove(ids: [Int64]) throws(IndexError) -> Int {
        let wanted = IDSet(ids).sorted
        var removed = 0
        for start in stride(from: 0, to: wanted.count, by: IDExpression.mostListed) {
            let part = wanted[start..<min(wanted.count, start + IDExpression.mostListed)]
            let there = try query(IDExpression.among(part), [MilvusMessage.idField], "look for ids").longs[MilvusMessage.idField] ?? []
            guard !there.isEmpty else { continue }
            defer { noteRemoval() }
            try change("Delete", MilvusMessage.delete(address, expression: IDExpression.among(there)), "remove vectors")
            removed += there.count
        }
        return removed
    }

    /// Asks the server to; it does so when it sees fit.
    public func compact() throws(IndexError) {
        let collection = try Self.describe(client)
        _ = try client.call("ManualCompaction", MilvusMessage.compact(collection: collection.id), "compact the collection")
    }

    private func change(_ method: String, _ message: [UInt8], _ operation: String) throws(IndexError) {
        let answer = try client.call(method, message, operation)
        let time = try client.reading(operation) { () throws(ProtobufReader.Malformed) in
            var time: UInt64 = 0
            try ProtobufReader.read(answer) { number, value in
                if number == 9, case .varint(let word) = value { time = word }
            }
            return time
        }
        noteChange(at: time)
    }
}
