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
                try snapshot.prepare(chunk, block: block)
                for (slot, query) in numbers.enumerated() {
                    score(query, chunk, place, rows, all: passing * 4 >= rows.count, &scores)
                    Scan.select(scores, rows.count, heaps[slot].threshold, &indices) { index in
                        let row = rows.lowerBound + index
                        guard isAllowed(place, row) else { return }
                        heaps[slot].offer(Candidate(score: scores[index], id: chunk.ids[row], row: chunk.start + row))
                    }
                }
            }
        }
    }

    /// Scores of a block's rows; with few rows that pass, only of those.
    private func score(_ query: Int, _ chunk: Chunk, _ place: Int, _ rows: Range<Int>, all: Bool, _ scores: inout [Float]) {
        let rowBytes = snapshot.settings.rowBytes
        let base = UnsafeRawPointer(chunk.vectors.pointer) + rows.lowerBound * rowBytes
        queries.withQuery(query) { query in
            scores.withUnsafeMutableBufferPointer { out in
                if all { return snapshot.score(query, base, count: rows.count, into: out.baseAddress!) }
                for index in 0..<rows.count {
                    if isAllowed(place, rows.lowerBound + index) {
                        snapshot.score(query, base + index * rowBytes, count: 1, into: out.baseAddress! + index)
                    } else {
                        out[index] = -.infinity
                    }
                }
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
