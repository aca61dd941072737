import CKernels
import Tensors

/// How thoroughly a search looks.
public enum Exactness: Sendable, Hashable {
    /// The true nearest neighbours.
    case exact
    /// The nearest of `oversampling * k` candidates that a scan of 8-bit codes finds, by exact score. On embeddings more than 99 of
    /// 100 are the true ones with an oversampling of 4. Small indexes and narrow filters are searched exactly.
    case quantised(oversampling: Int)
    /// About this share (0...1) of the true nearest neighbours, by exact score, of the lists of vectors that can hold them: how many
    /// lists these are is worked out from the vectors when the lists are made, and from each query. For millions of vectors;
    /// indexes of fewer than 65,536 have lists only after `buildLists()`, and are searched as with `quantised` otherwise.
    case approximate(recall: Double)

    public static var quantised: Exactness { .quantised(oversampling: 4) }
    /// The least work that finds 99 of 100 true neighbours, whatever the size of the index.
    public static var approximate: Exactness { .approximate(recall: 0.99) }
}

extension LocalIndex {
    /// With the index's own `exactness`.
    public func search(_ queries: Tensor, k: Int, filter: IDSet? = nil) throws(IndexError) -> [[Hit]] {
        try search(queries, k: k, filter: filter, exactness: exactness)
    }

    /// The `k` best ids for each row of `queries` `[n, dimension]`, best first, equal scores by smaller id. The answer of a query
    /// depends neither on the queries beside it nor on the number of threads.
    public func search(_ queries: Tensor, k: Int, filter: IDSet? = nil, exactness: Exactness) throws(IndexError) -> [[Hit]] {
        guard k >= 0 else { throw .invalid(operation: "search", field: "k", value: "\(k)", expected: "0 or more") }
        let queries = try QuerySet(queries, settings), snapshot = try current()
        let scan = Scan(snapshot, queries, mask: mask(snapshot, filter))
        let wanted = min(k, scan.allowedCount), oversampling = try exactness.oversampling()
        guard wanted > 0, queries.count > 0 else { return [[Hit]](repeating: [], count: queries.count) }
        if case let .approximate(recall) = exactness, let best = try listed(scan, k: wanted, recall) { return hits(best) }
        if let oversampling, let best = try quantised(scan, k: wanted, oversampling) { return hits(best) }
        // Tiles pay off from a few queries on, and not where most rows are left out.
        let direct = queries.count <= 4 || scan.allowedCount * 4 < scan.snapshot.commit.rows
        let best = direct ? try scan.direct(Array(0..<queries.count), k: wanted) : try scan.batched(k: wanted)
        return hits(best)
    }

    private func hits(_ best: [TopK]) -> [[Hit]] { best.map { $0.sorted.map { Hit(id: $0.id, score: $0.score) } } }

    private func mask(_ snapshot: Snapshot, _ filter: IDSet?) -> RowMask {
        if let known = masks.withLock({ $0.mask(snapshot, filter) }) { return known }
        let mask = RowMask(snapshot, filter: filter)
        masks.withLock { $0.keep(mask, snapshot, filter) }
        return mask
    }

    /// Nil where there are no lists, or where looking at all that passes is less work.
    private func listed(_ scan: Scan, k: Int, _ recall: Double) throws(IndexError) -> [TopK]? {
        guard k <= scan.allowedCount / 4, let lists = lists(scan.snapshot) else { return nil }
        let depth = Double(k) * Double(scan.snapshot.liveCount) / Double(scan.allowedCount)
        let search = ListSearch(
            scan: scan, lists: lists, codes: codeMaps(scan.snapshot),
            settings: ListSettings(lists.header, k: k, recall: recall, depth: depth),
            kept: scan.allowedCount * 4 < scan.snapshot.liveCount ? scan.mask.groups(lists) : nil)
        if let answers = try search.answers() { return answers }
        discard(lists)
        return nil
    }

    /// Nil where an exact search is better.
    private func quantised(_ scan: Scan, k: Int, _ oversampling: Int) throws(IndexError) -> [TopK]? {
        let rows = scan.snapshot.commit.rows
        let (product, overflow) = k.multipliedReportingOverflow(by: oversampling)
        guard rows >= CodeBlock.worthwhileRows, scan.allowedCount * 4 >= rows, !overflow, product < scan.allowedCount / 2,
            let maps = codeMaps(scan.snapshot), maps.blocks > 0
        else { return nil }
        return try scan.quantised(k: k, pool: max(product, k + 8), maps)
    }

    public func vectors(ids: [Int64]) throws(IndexError) -> (ids: [Int64], vectors: Tensor) {
        let (snapshot, found) = try withCurrent { (state) throws(IndexError) in
            try state.needRows()
            return (state.snapshot, ids.compactMap { id in state.rows?[id].map { (id, $0) } })
        }
        return (found.map(\.0), try snapshot.tensor(found.map(\.1)))
    }

    public func ids() throws(IndexError) -> [Int64] {
        let snapshot = try current()
        var all: [Int64] = []
        all.reserveCapacity(snapshot.liveCount)
        for chunk in snapshot.chunks {
            for index in 0..<chunk.count where chunk.isLive(index) { all.append(chunk.ids[index]) }
        }
        return all.sorted()
    }

    /// Rows that `compact()` would give back.
    public func reclaimable() throws(IndexError) -> Int {
        let snapshot = try current()
        return snapshot.commit.rows - snapshot.liveCount
    }

    /// Reads everything anew from the disk and checks every checksum: settings, ids, removals and each vector.
    public func verify() throws(IndexError) {
        let (_, snapshot) = try folder.load()
        for chunk in snapshot.chunks {
            for block in 0..<(chunk.count + Chunk.block - 1) / Chunk.block { try snapshot.prepare(chunk, block: block) }
        }
        var state = State(opened: try folder.openManifest(), snapshot: snapshot)
        try state.needRows()
    }
}

extension Exactness {
    /// Candidates for each neighbour where codes are scanned; nil where they aren't to be.
    fileprivate func oversampling() throws(IndexError) -> Int? {
        switch self {
        case .exact: return nil
        case let .quantised(oversampling):
            guard oversampling >= 1 else {
                throw .invalid(operation: "search", field: "oversampling", value: "\(oversampling)", expected: "1 or more")
            }
            return oversampling
        case let .approximate(recall):
            guard recall > 0, recall <= 1 else {
                throw .invalid(operation: "search", field: "recall", value: "\(recall)", expected: "more than 0, at most 1")
            }
            return recall < 1 ? 4 : nil
        }
    }
}

extension Snapshot {
    /// Checks one row's checksum.
    func checkRow(_ row: Int) throws(IndexError) {
        let (chunk, index) = self[row]
        guard sn_crc32c(0, pointer(row), settings.rowBytes) == chunk.checksums[index] else { throw damaged(row: row) }
    }
}
