import Foundation
import Tensors

extension Lists {
    /// What `ListsHeader.orderingReach` and `reaches` say, of a sample of the vectors: for each of its true neighbours the reach with
    /// which the neighbour's list is looked at, and of these the share that is asked for. Lists are then as thorough as the data
    /// needs.
    func measuredReaches(_ snapshot: Snapshot) throws(IndexError) -> (ordering: Float, reaches: [Float]) {
        let sample = ListSample(self, rows: ListSample.rows(snapshot, seed: header.seed))
        guard let neighbours = try sample.neighbours(snapshot) else { return (header.orderingReach, header.reaches) }
        // How far lists reach at all comes first: their order depends on it.
        let plain = sample.reaches(neighbours, depth: ListsHeader.depths[0], ordering: nil).sorted()
        guard !plain.isEmpty else { return (header.orderingReach, header.reaches) }
        let ordering = plain[plain.count / 2]
        let reaches = ListsHeader.depths.flatMap { depth in
            let needed = sample.reaches(neighbours, depth: depth, ordering: ordering).sorted()
            return ListsHeader.shares.map { share in
                needed[min(Int((share * Double(needed.count)).rounded(.up)), needed.count) - 1]
            }
        }
        return (ordering, reaches)
    }
}

/// Stored vectors that are looked for when lists are measured.
private struct ListSample {
    private static let count = 256

    let lists: Lists
    let rows: [Int]

    init(_ lists: Lists, rows: [Int]) {
        self.lists = lists
        self.rows = rows
    }

    static func rows(_ snapshot: Snapshot, seed: UInt64) -> [Int] {
        var random = RandomGenerator(seed: seed), rows: Set<Int> = []
        guard snapshot.liveCount > 1 else { return [] }
        for _ in 0..<8 * count where rows.count < min(count, snapshot.liveCount / 2) {
            let row = Int.random(in: 0..<snapshot.commit.rows, using: &random)
            if snapshot.isLive(row) { rows.insert(row) }
        }
        return rows.sorted()
    }

    struct Neighbours {
        let queries: QuerySet
        /// For each query its true neighbours that are in lists, but itself, best first.
        let found: [[Candidate]]
    }

    func neighbours(_ snapshot: Snapshot) throws(IndexError) -> Neighbours? {
        guard !rows.isEmpty else { return nil }
        let queries = try QuerySet(try snapshot.tensor(rows), lists.header.settings), owners = lists.listOfRows
        let scan = Scan(snapshot, queries, mask: RowMask(snapshot, filter: nil))
        let best = try scan.batched(k: min(ListsHeader.depths.last! + 1, snapshot.liveCount))
        let found = zip(rows, best).map { row, best in
            best.sorted.filter { $0.row != row && $0.row < owners.count && owners[$0.row] != .max }
        }
        return Neighbours(queries: queries, found: found)
    }

    /// The reach that the list of each neighbour down to a rank needs; with an order, at its place in it.
    func reaches(_ neighbours: Neighbours, depth: Int, ordering: Float?) -> [Float] {
        let owners = lists.listOfRows, fading = ListSettings.fading(ordering ?? 0)
        var query = ListQuery(lists), reaches: [Float] = []
        for (number, found) in neighbours.found.enumerated() {
            let near = found.prefix(depth)
            guard let last = near.last else { continue }
            let scale = ListQuery.scale(lists.header, squaredLength: neighbours.queries.squaredLengths[number])
            neighbours.queries.withQuery(number) { query.prepare($0, scale: scale) }
            query.arrange(reach: ordering ?? 0)
            let ranks = ordering == nil ? nil : ListSample.ranks(query.order)
            let score = last.score * scale + (query.isL2 ? query.square : 0)
            for neighbour in near {
                let list = Int(owners[neighbour.row])
                reaches.append(query.reach(list, for: score) + fading * log(Float((ranks?[list] ?? 0) + 1)))
            }
        }
        return reaches
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
