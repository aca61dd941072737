import Foundation
import Tensors

extension Lists {
    /// Stored vectors that are looked for when lists are measured.
    private static let samples = 256

    /// What `ListsHeader.orderingReach` and `reaches` say, of a sample of the vectors: for each of its true neighbours the reach with which the
    /// neighbour's list is looked at, and of these the share that is asked for. Lists are then as thorough as the data needs.
    func measuredReaches(_ snapshot: Snapshot) throws(IndexError) -> (ordering: Float, reaches: [Float]) {
        var random = RandomGenerator(seed: header.seed), rows: Set<Int> = []
        let live = (0..<snapshot.commit.rows).lazy.filter { snapshot.isLive($0) }
        guard snapshot.liveCount > 1 else { return (header.orderingReach, header.reaches) }
        for _ in 0..<8 * Lists.samples where rows.count < min(Lists.samples, snapshot.liveCount / 2) {
            let row = Int.random(in: 0..<snapshot.commit.rows, using: &random)
            if snapshot.isLive(row) { rows.insert(row) }
        }
        if rows.isEmpty { rows.insert(live.first ?? 0) }
        let sample = rows.sorted(), queries = try QuerySet(try snapshot.tensor(sample), header.settings)
        let deepest = min(ListsHeader.depths.last! + 1, snapshot.liveCount)
        let truth = try Scan(snapshot, queries, mask: RowMask(snapshot, filter: nil)).batched(k: deepest)
        let owners = listOfRows
        var needed = [[Float]](repeating: [], count: ListsHeader.depths.count), query = ListQuery(self), first: [Float] = []
        for pass in 0..<2 {
            // How far lists reach at all comes first: their order depends on it.
            let ordering = pass == 0 ? 0 : first.sorted()[first.count / 2], fading = ListSettings.fading(ordering)
            for (number, row) in sample.enumerated() {
                let scale = ListQuery.scale(header, squaredLength: queries.squaredLengths[number])
                queries.withQuery(number) { query.prepare($0, scale: scale) }
                query.arrange(reach: ordering)
                let ranks = pass == 0 ? [] : Lists.ranks(query.order)
                let others = truth[number].sorted.filter { $0.row != row && $0.row < owners.count && owners[$0.row] != .max }
                for (place, depth) in ListsHeader.depths.enumerated() where !others.isEmpty && (pass == 1 || place == 0) {
                    let near = others.prefix(depth), score = near.last!.score * scale + (query.isL2 ? query.square : 0)
                    for neighbour in near {
                        let list = Int(owners[neighbour.row]), reach = query.reach(list, for: score)
                        if pass == 0 { first.append(reach) } else { needed[place].append(reach + fading * log(Float(ranks[list] + 1))) }
                    }
                }
            }
            if first.isEmpty { return (0.3, header.reaches) }
        }
        let reaches = needed.flatMap { reaches in
            let ordered = reaches.sorted()
            return ListsHeader.shares.map { share in
                ordered.isEmpty ? 1 : ordered[min(Int((share * Double(ordered.count)).rounded(.up)), ordered.count) - 1]
            }
        }
        return (first.sorted()[first.count / 2], reaches)
    }

    /// The place of each list when they are put in order, the highest bound first.
    private static func ranks(_ bounds: [Float]) -> [Int] {
        var ranks = [Int](repeating: 0, count: bounds.count)
        for (rank, list) in bounds.indices.sorted(by: { bounds[$0] > bounds[$1] }).enumerated() { ranks[list] = rank }
        return ranks
    }
}

extension Snapshot {
    func isLive(_ row: Int) -> Bool { chunks[row / Chunk.capacity].isLive(row % Chunk.capacity) }
}
