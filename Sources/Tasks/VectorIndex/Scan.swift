import CKernels
import Synchronization
import Tensors

/// A search over one snapshot: which rows may be found, and the loops over blocks of rows.
struct Scan: Sendable {
    let snapshot: Snapshot
    let queries: QuerySet
    let mask: RowMask
    var allowedCount: Int { mask.count }

    init(_ snapshot: Snapshot, _ queries: QuerySet, mask: RowMask) {
        self.snapshot = snapshot
        self.queries = queries
        self.mask = mask
    }

    /// Blocks of all chunks, counted through: all chunks but the last are full.
    static let blocksPerChunk = Chunk.capacity / Chunk.block
    var blockCount: Int { (snapshot.commit.rows + Chunk.block - 1) / Chunk.block }

    /// A block's rows within its chunk.
    func block(_ number: Int) -> (chunk: Int, block: Int, rows: Range<Int>) {
        let chunk = number / Scan.blocksPerChunk, block = number % Scan.blocksPerChunk
        let first = block * Chunk.block
        return (chunk, block, first..<min(snapshot.chunks[chunk].count, first + Chunk.block))
    }

    func isAllowed(_ chunk: Int, _ index: Int) -> Bool { mask.contains(chunk * Chunk.capacity + index) }

    func allowedRows(_ chunk: Int, _ rows: Range<Int>) -> Int {
        let first = chunk * Chunk.capacity / 64
        var count = 0
        for word in first + rows.lowerBound / 64..<first + (rows.upperBound + 63) / 64 { count += mask.words[word].nonzeroBitCount }
        return count
    }

    /// Runs `body` over all blocks on all threads; each range of blocks fills its own heaps, which are merged at the end. The
    /// order of candidates is total, so that the result doesn't depend on the threads.
    func overBlocks(
        heaps count: Int, capacity: Int, _ body: @Sendable (Range<Int>, inout [TopK]) throws(IndexError) -> Void
    ) throws(IndexError) -> [TopK] {
        let merged = Mutex([TopK](repeating: TopK(capacity), count: count))
        try inParallel(blockCount, grain: 4) { (range) throws(IndexError) in
            var heaps = [TopK](repeating: TopK(capacity), count: count)
            try body(range, &heaps)
            merged.withLock { all in
                for index in heaps.indices { all[index].merge(heaps[index]) }
            }
        }
        return merged.withLock { $0 }
    }
}

/// Queries in row-major order, scaled to unit length where the metric is cosine.
struct QuerySet: Sendable {
    let values: [Float]
    let count: Int
    let dimension: Int
    let squaredLengths: [Double]

    init(_ tensor: Tensor, _ settings: Settings) throws(IndexError) {
        dimension = settings.dimension
        guard tensor.rank == 2, tensor.shape[1] == dimension, tensor.dtype.isFloatingPoint else {
            throw .invalid(
                operation: "search", field: "queries", value: "\(tensor.dtype) \(tensor.shape)", expected: "floats [queries, \(dimension)]")
        }
        count = tensor.shape[0]
        var all = tensor.floats(), squares: [Double] = []
        for row in 0..<count {
            let range = row * dimension..<(row + 1) * dimension
            guard all[range].allSatisfy(\.isFinite) else {
                throw .invalid(operation: "search", field: "query \(row)", value: "not finite", expected: "finite components")
            }
            if settings.metric == .cosine {
                var line = Array(all[range])
                LocalIndex.normalize(&line)
                all.replaceSubrange(range, with: line)
            }
            squares.append(all[range].reduce(0.0) { $0 + Double($1) * Double($1) })
        }
        values = all
        squaredLengths = squares
    }

    func withQuery<Result>(_ row: Int, _ body: (UnsafePointer<Float>) -> Result) -> Result {
        values.withUnsafeBufferPointer { body($0.baseAddress! + row * dimension) }
    }
}

extension Snapshot {
    /// The score of a query against `count` stored rows: the one definition, to which every faster way comes back.
    func score(_ query: UnsafePointer<Float>, _ rows: UnsafeRawPointer, count: Int, into out: UnsafeMutablePointer<Float>) {
        let kernels = sn_vectors().pointee
        switch (settings.storage, settings.metric == .l2) {
        case (.f32, false): kernels.dot_rows(query, rows.assumingMemoryBound(to: Float.self), count, settings.dimension, out)
        case (.f32, true): kernels.l2_rows(query, rows.assumingMemoryBound(to: Float.self), count, settings.dimension, out)
        case (.f16, false): kernels.dot_rows_half(query, rows.assumingMemoryBound(to: UInt16.self), count, settings.dimension, out)
        case (.f16, true): kernels.l2_rows_half(query, rows.assumingMemoryBound(to: UInt16.self), count, settings.dimension, out)
        }
    }
}
