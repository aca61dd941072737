import CKernels

extension Scan {
    /// Candidates above the `k` asked for that the batched scan keeps, because its scores differ from the defined ones in
    /// their last digits.
    private static let slack = 16
    /// Queries that go through the stored vectors together: their scores of a block fit the second-level cache.
    private static let group = 512

    /// The same answers as `direct`, many queries at once on GEMM tiles. Scores of tiles are rounded in another order, so the
    /// best k + slack are scored again by definition; where the error bound can't rule out that a row outside of these belongs
    /// to the answer, the query is scanned directly.
    func batched(k: Int) throws(IndexError) -> [TopK] {
        var answers: [TopK] = [], doubtful: [Int] = []
        let (pool, overflow) = k.addingReportingOverflow(Scan.slack)
        for start in stride(from: 0, to: queries.count, by: Scan.group) {
            let group = start..<min(queries.count, start + Scan.group)
            let heaps = try tiles(group, capacity: overflow ? k : pool)
            let longest = largestLength()
            for (slot, query) in group.enumerated() {
                let (answer, certain) = rescore(query, heaps[slot], k: k, longest: longest)
                answers.append(answer)
                if !certain { doubtful.append(query) }
            }
        }
        if !doubtful.isEmpty {
            for (query, answer) in zip(doubtful, try direct(doubtful, k: k)) { answers[query] = answer }
        }
        return answers
    }

    private func tiles(_ group: Range<Int>, capacity: Int) throws(IndexError) -> [TopK] {
        let dimension = queries.dimension, count = group.count, isL2 = snapshot.settings.metric == .l2
        var packed = [Float](repeating: 0, count: sn_packed_size(count, dimension))
        queries.withQuery(group.lowerBound) { sn_pack_right($0, count, dimension, dimension, 1, &packed) }
        let right = packed
        return try overBlocks(heaps: count, capacity: capacity) { (range, heaps) throws(IndexError) in
            var scores = [Float](repeating: 0, count: Chunk.block * count), offsets = [Float](repeating: 0, count: Chunk.block)
            var thresholds = [Float](repeating: -.infinity, count: count), indices = [Int32](repeating: 0, count: count)
            let kernels = sn_vectors().pointee
            for number in range {
                let (place, block, rows) = block(number)
                if allowedRows(place, rows) == 0 { continue }
                let chunk = snapshot.chunks[place]
                try snapshot.prepare(chunk, block: block)
                if isL2 { for row in rows { offsets[row - rows.lowerBound] = -chunk.preparation.squaredLengths[row] } }
                right.withUnsafeBufferPointer { right in
                    scores.withUnsafeMutableBufferPointer { out in
                        offsets.withUnsafeBufferPointer { offsets in
                            var job = sn_scan_block(
                                vectors: UnsafeRawPointer(chunk.vectors.pointer) + rows.lowerBound * snapshot.settings.rowBytes,
                                half: snapshot.settings.storage == .f16, rows: rows.count, dimension: dimension, queries: count,
                                packed: right.baseAddress!, factor: isL2 ? 2 : 1, offsets: isL2 ? offsets.baseAddress : nil,
                                out: out.baseAddress!, stride: count)
                            sn_scan_scores(&job)
                        }
                    }
                }
                for row in rows where isAllowed(place, row) {
                    let line = (row - rows.lowerBound) * count
                    let found = scores.withUnsafeBufferPointer { kernels.at_least($0.baseAddress! + line, thresholds, 1, count, &indices) }
                    for index in 0..<found {
                        let slot = Int(indices[index])
                        heaps[slot].offer(Candidate(score: scores[line + slot], id: chunk.ids[row], row: chunk.start + row))
                        thresholds[slot] = heaps[slot].threshold
                    }
                }
            }
        }
    }

    /// The pool of one query scored by definition, and whether no row outside the pool can belong to the best k.
    private func rescore(_ query: Int, _ pool: TopK, k: Int, longest: Double) -> (TopK, Bool) {
        var answer = TopK(k)
        for candidate in pool.items { answer.offer(scored(query, candidate)) }
        guard pool.isFull else { return (answer, true) }
        let length = queries.squaredLengths[query].squareRoot(), isL2 = snapshot.settings.metric == .l2
        // A sum of d products is off by at most d units of the last place of the sum of their sizes (Higham, "Accuracy and
        // Stability of Numerical Algorithms", 3.1); both scores may be.
        let unit = 0x1p-24 * Double(2 * queries.dimension + 16)
        let error = isL2 ? unit * (length + longest) * (length + longest) : unit * length * longest
        let outside = Double(pool.threshold) - (isL2 ? queries.squaredLengths[query] : 0) + error
        return (answer, answer.isFull && Double(answer.threshold) > outside)
    }

    /// The candidate with its score by definition.
    func scored(_ query: Int, _ candidate: Candidate) -> Candidate {
        var exact = candidate
        queries.withQuery(query) { snapshot.score($0, snapshot.pointer(candidate.row), count: 1, into: &exact.score) }
        return exact
    }

    /// The greatest length of a vector that passes. All blocks with such are prepared by now.
    private func largestLength() -> Double {
        var largest: Float = 0
        for number in 0..<blockCount {
            let (place, _, rows) = block(number)
            if allowedRows(place, rows) == 0 { continue }
            let squares = snapshot.chunks[place].preparation.squaredLengths
            for row in rows { largest = max(largest, squares[row]) }
        }
        return Double(largest).squareRoot()
    }
}
