import CKernels

extension Scan {
    /// The best `k` rows for each of some queries, each stored vector read once: bound by memory for a single query.
    func direct(_ numbers: [Int], k: Int) throws(IndexError) -> [TopK] {
        try overBlocks(heaps: numbers.count, capacity: k) { (range, heaps) throws(IndexError) in
            var scores = [Float](repeating: 0, count: Chunk.block), indices = [Int32](repeating: 0, count: Chunk.block)
            for number in range {
                let (place, block, rows) = block(number)
                let passing = allowedRows(place, rows)
                if passing == 0 { continue }
                let chunk = snapshot.chunks[place]
                if passing * 4 < rows.count {
                    try few(numbers, chunk, rows, &heaps)
                    continue
                }
                try snapshot.prepare(chunk, block: block)
                let base = UnsafeRawPointer(chunk.vectors.pointer) + rows.lowerBound * snapshot.settings.rowBytes
                for (slot, query) in numbers.enumerated() {
                    queries.withQuery(query) { snapshot.score($0, base, count: rows.count, into: &scores) }
                    Scan.select(scores, rows.count, heaps[slot].threshold, &indices) { index in
                        let row = rows.lowerBound + index
                        guard isAllowed(place, row) else { return }
                        heaps[slot].offer(Candidate(score: scores[index], id: chunk.ids[row], row: chunk.start + row))
                    }
                }
            }
        }
    }

    /// Only the rows of a block that pass, where these are few; the others aren't read from memory.
    private func few(_ numbers: [Int], _ chunk: Chunk, _ rows: Range<Int>, _ heaps: inout [TopK]) throws(IndexError) {
        try mask.forEach(chunk.start + rows.lowerBound..<chunk.start + rows.upperBound) { (row) throws(IndexError) in
            try snapshot.checkRow(row)
            let id = chunk.ids[row - chunk.start]
            for (slot, query) in numbers.enumerated() {
                heaps[slot].offer(scored(query, Candidate(score: 0, id: id, row: row)))
            }
        }
    }

    /// Calls `body` with each index whose score reaches the threshold.
    @inline(__always)
    static func select(_ scores: [Float], _ count: Int, _ threshold: Float, _ indices: inout [Int32], _ body: (Int) -> Void) {
        var limit = threshold
        let found = sn_vectors().pointee.at_least(scores, &limit, 0, count, &indices)
        for place in 0..<found { body(Int(indices[place])) }
    }
}
