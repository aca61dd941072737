import CKernels

/// Queries as 8-bit codes. The score of a code is scale of the row * (factor * product + term) + offset of the row.
struct QueryCodes: Sendable {
    let width: Int
    private(set) var codes: [Int8] = []
    private(set) var factors: [Float] = []
    private(set) var terms: [Float] = []

    init(_ queries: QuerySet, _ range: Range<Int>, isL2: Bool) {
        width = CodeBlock.width(queries.dimension)
        codes = [Int8](repeating: 0, count: range.count * width)
        for query in range {
            let line = Array(queries.values[query * queries.dimension..<(query + 1) * queries.dimension])
            let start = (query - range.lowerBound) * width
            var sum = 0, mine = [Int8](repeating: 0, count: line.count)
            let scale = CodeBlock.quantise(line) {
                mine[$0] = Int8($1)
                sum += $1
            }
            codes.replaceSubrange(start..<start + line.count, with: mine)
            // -|q - x|^2 = 2 q.x - |x|^2 - |q|^2, and the last doesn't change the order.
            let factor = isL2 ? 2 * scale : scale
            factors.append(factor)
            terms.append(-128 * factor * Float(sum))
        }
    }
}

extension Scan {
    private static let codeGroup = 512

    /// The best `pool` rows by code for each query, then the best `k` of them by exact score.
    func quantised(k: Int, pool: Int, _ maps: CodeMaps) throws(IndexError) -> [TopK] {
        var answers: [TopK] = []
        for start in stride(from: 0, to: queries.count, by: Scan.codeGroup) {
            let group = start..<min(queries.count, start + Scan.codeGroup)
            for (slot, heap) in try byCode(group, capacity: pool, maps).enumerated() {
                var answer = TopK(k)
                for candidate in heap.items {
                    try snapshot.checkRow(candidate.row)
                    answer.offer(scored(group.lowerBound + slot, candidate))
                }
                answers.append(answer)
            }
        }
        return answers
    }

    private func byCode(_ group: Range<Int>, capacity: Int, _ maps: CodeMaps) throws(IndexError) -> [TopK] {
        let isL2 = snapshot.settings.metric == .l2, coded = QueryCodes(queries, group, isL2: isL2)
        return try overBlocks(heaps: group.count, capacity: capacity) { (range, heaps) throws(IndexError) in
            var work = CodeWork(coded, isL2: isL2)
            for number in range {
                let (place, block, rows) = block(number)
                if allowedRows(place, rows) == 0 { continue }
                if let bytes = maps.block(number, snapshot) {
                    work.score(bytes, coded)
                } else {
                    try snapshot.prepare(snapshot.chunks[place], block: block)
                    exactScores(group, snapshot.chunks[place], rows, into: &work)
                }
                offer(work, place, rows, &heaps)
            }
        }
    }

    /// A block without codes: what codes would give but for their error, so that both can stand in one heap.
    private func exactScores(_ group: Range<Int>, _ chunk: Chunk, _ rows: Range<Int>, into work: inout CodeWork) {
        var line = [Float](repeating: 0, count: rows.count)
        let base = UnsafeRawPointer(chunk.vectors.pointer) + rows.lowerBound * snapshot.settings.rowBytes
        for query in group {
            queries.withQuery(query) { snapshot.score($0, base, count: rows.count, into: &line) }
            let square = snapshot.settings.metric == .l2 ? Float(queries.squaredLengths[query]) : 0
            for index in 0..<rows.count { work.scores[index * group.count + query - group.lowerBound] = line[index] + square }
        }
    }

    private func offer(_ work: CodeWork, _ place: Int, _ rows: Range<Int>, _ heaps: inout [TopK]) {
        let chunk = snapshot.chunks[place], count = heaps.count, kernels = sn_vectors().pointee
        var indices = [Int32](repeating: 0, count: max(count, Chunk.block))
        if count == 1 {
            Scan.select(work.scores, rows.count, heaps[0].threshold, &indices) { index in
                let row = rows.lowerBound + index
                guard isAllowed(place, row) else { return }
                heaps[0].offer(Candidate(score: work.scores[index], id: chunk.ids[row], row: chunk.start + row))
            }
            return
        }
        var thresholds = heaps.map(\.threshold)
        for row in rows where isAllowed(place, row) {
            let line = (row - rows.lowerBound) * count
            let found = work.scores.withUnsafeBufferPointer { kernels.at_least($0.baseAddress! + line, thresholds, 1, count, &indices) }
            for index in 0..<found {
                let slot = Int(indices[index])
                heaps[slot].offer(Candidate(score: work.scores[line + slot], id: chunk.ids[row], row: chunk.start + row))
                thresholds[slot] = heaps[slot].threshold
            }
        }
    }
}

/// Scores of a block of rows against a group of queries, [rows][queries].
private struct CodeWork {
    var scores: [Float]
    private var dots: [Int32]
    private let isL2: Bool
    private var offsets = [Float](repeating: 0, count: Chunk.block)

    init(_ coded: QueryCodes, isL2: Bool) {
        scores = [Float](repeating: 0, count: Chunk.block * coded.factors.count)
        dots = [Int32](repeating: 0, count: Chunk.block * coded.factors.count)
        self.isL2 = isL2
    }

    mutating func score(_ bytes: UnsafeRawPointer, _ coded: QueryCodes) {
        let count = coded.factors.count, kernels = sn_vectors().pointee
        let scales = (bytes + CodeBlock.scalesOffset).assumingMemoryBound(to: Float.self)
        let squares = (bytes + CodeBlock.squaresOffset).assumingMemoryBound(to: Float.self)
        if isL2 { for row in 0..<Chunk.block { offsets[row] = -squares[row] } }
        kernels.code_dots(
            coded.codes, count, (bytes + CodeBlock.leadBytes).assumingMemoryBound(to: UInt8.self), Chunk.block, coded.width, &dots)
        if count == 1 { return kernels.code_scores_rows(dots, scales, offsets, coded.factors[0], coded.terms[0], &scores, Chunk.block) }
        scores.withUnsafeMutableBufferPointer { scores in
            dots.withUnsafeBufferPointer { dots in
                for row in 0..<Chunk.block {
                    let line = row * count
                    kernels.code_scores(
                        dots.baseAddress! + line, coded.factors, coded.terms, scales[row], offsets[row], scores.baseAddress! + line, count)
                }
            }
        }
    }
}
