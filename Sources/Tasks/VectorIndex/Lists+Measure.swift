import Tensors

extension Lists {
    /// Stored vectors that are looked for when lists are measured.
    private static let samples = 256

    /// What `ListsHeader.reaches` says, of a sample of the vectors: for each of its true neighbours the reach with which the
    /// neighbour's list is looked at, and of these the share that is asked for. Lists are then as thorough as the data needs.
    func measuredReaches(_ snapshot: Snapshot) throws(IndexError) -> [Float] {
        var random = RandomGenerator(seed: header.seed), rows: Set<Int> = []
        let live = (0..<snapshot.commit.rows).lazy.filter { snapshot.isLive($0) }
        guard snapshot.liveCount > 1 else { return header.reaches }
        for _ in 0..<8 * Lists.samples where rows.count < min(Lists.samples, snapshot.liveCount / 2) {
            let row = Int.random(in: 0..<snapshot.commit.rows, using: &random)
            if snapshot.isLive(row) { rows.insert(row) }
        }
        if rows.isEmpty { rows.insert(live.first ?? 0) }
        let sample = rows.sorted(), queries = try QuerySet(try snapshot.tensor(sample), header.settings)
        let deepest = min(ListsHeader.depths.last! + 1, snapshot.liveCount)
        let truth = try Scan(snapshot, queries, mask: RowMask(snapshot, filter: nil)).batched(k: deepest)
        let owners = listOfRows
        var needed = [[Float]](repeating: [], count: ListsHeader.depths.count), query = ListQuery(self)
        for (number, row) in sample.enumerated() {
            let scale = ListQuery.scale(header, squaredLength: queries.squaredLengths[number])
            queries.withQuery(number) { query.prepare($0, scale: scale, reach: 0) }
            let others = truth[number].sorted.filter { $0.row != row && $0.row < owners.count && owners[$0.row] != .max }
            for (place, depth) in ListsHeader.depths.enumerated() where !others.isEmpty {
                let near = others.prefix(depth)
                let square = header.settings.metric == .l2 ? query.square : 0
                let score = near.last!.score * scale + square
                for neighbour in near { needed[place].append(query.reach(Int(owners[neighbour.row]), for: score)) }
            }
        }
        return needed.flatMap { reaches in
            let ordered = reaches.sorted()
            return ListsHeader.shares.map { share in
                ordered.isEmpty ? 1 : ordered[min(Int((share * Double(ordered.count)).rounded(.up)), ordered.count) - 1]
            }
        }
    }
}

extension Snapshot {
    func isLive(_ row: Int) -> Bool { chunks[row / Chunk.capacity].isLive(row % Chunk.capacity) }
}
