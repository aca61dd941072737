import Foundation
import Synchronization
import Tensors

/// The lists that were last looked at, and the file that they came from.
struct KnownLists: Sendable {
    var generation: UInt64
    var inode: UInt64
    /// Nil where the file is no use.
    var lists: Lists?
}

extension LocalIndex {
    /// From so many rows on lists are made without being asked for: a scan of all codes is fast enough below.
    package static let listedRows = 65536
    /// The least number of rows that `buildLists()` makes lists of.
    static let leastListedRows = 256
    /// Lists whose centres were found when there were this many times fewer vectors are made anew.
    private static let growth = 4

    /// The lists of a snapshot's generation, if there are any that are right.
    func lists(_ snapshot: Snapshot) -> Lists? {
        var status = stat()
        let path = folder.file(ListsHeader.name(snapshot.generation))
        guard stat(path, &status) == 0 else { return nil }
        return knownLists.withLock { known in
            if let known, known.generation == snapshot.generation, known.inode == UInt64(status.st_ino) { return known.lists }
            let lists = Lists(path, snapshot)
            known = KnownLists(generation: snapshot.generation, inode: lists?.inode ?? UInt64(status.st_ino), lists: lists)
            return lists
        }
    }

    /// Rows that are in lists; nil where there are none.
    package func rowsInLists() throws(IndexError) -> Int? { lists(try current())?.header.rows }

    /// Not to be used again, because one of them is damaged: searches scan codes until lists are made anew.
    func discard(_ lists: Lists) {
        knownLists.withLock { known in
            if known?.inode == lists.inode { known?.lists = nil }
        }
    }

    /// Brings all vectors into lists, for `Exactness.approximate`, or makes the lists anew (after the vectors have become quite
    /// different ones). Changes do this by themselves from 65,536 vectors on, some thousands at a time; with fewer than 256
    /// there is nothing to gain and nothing is done.
    public func buildLists(fromScratch: Bool = false) throws(IndexError) {
        try exclusively { (_) throws(IndexError) in
            let snapshot = try current()
            try writeCodes(snapshot)
            try writeLists(snapshot, least: LocalIndex.leastListedRows, tail: Chunk.block, fromScratch: fromScratch)
        }
    }

    /// Under the writer's lock. Lists are derived data: they need no commit.
    func writeLists(_ snapshot: Snapshot) throws(IndexError) {
        try writeLists(snapshot, least: LocalIndex.listedRows, tail: max(16384, snapshot.commit.rows / 64), fromScratch: false)
    }

    /// - Parameter tail: Rows that must have come since for the lists to be written again.
    private func writeLists(_ snapshot: Snapshot, least: Int, tail: Int, fromScratch: Bool) throws(IndexError) {
        let rows = min(snapshot.commit.rows, ListsHeader.maximumRows) / Chunk.block * Chunk.block
        let known = fromScratch ? nil : lists(snapshot)
        if let known, rows < LocalIndex.growth * known.header.trainedRows {
            guard rows - known.header.rows >= tail else { return }
            if known.isWhole() { return try extend(known, snapshot, to: rows) }
        }
        guard rows >= least else { return }
        try makeLists(snapshot, rows: rows)
    }

    /// About 4 times the root of the number of vectors: their centres take about as long to look at as the lists that are then
    /// looked into. At least 16 vectors a list, and at most 256 MB of centres.
    static func listCount(_ live: Int, dimension: Int) -> Int {
        let wanted = (4 * Double(live).squareRoot() / 64).rounded() * 64
        return max(1, min(max(64, Int(wanted)), live / 16, (1 << 26) / dimension))
    }

    private func makeLists(_ snapshot: Snapshot, rows: Int) throws(IndexError) {
        let live = (0..<rows).filter { snapshot.isLive($0) }
        guard !live.isEmpty else { return }
        let count = LocalIndex.listCount(live.count, dimension: dimension)
        var random = RandomGenerator(seed: UInt64(rows)), sample = live
        let wanted = min(live.count, max(count * Clustering.sampleRows, 4096))
        for place in 0..<wanted { sample.swapAt(place, Int.random(in: place..<sample.count, using: &random)) }
        let codes = RowCodes(snapshot, codeMaps(snapshot)), seed = random.next()
        let clusters = try Clustering(codes, rows: sample.prefix(wanted).sorted(), count: count, seed: seed)
        let owners = try Assignment(clusters.centres, count, dimension).nearest(live, codes)
        var all = [UInt32](repeating: .max, count: rows)
        for (place, row) in live.enumerated() { all[row] = owners[place] }
        let groups = Groups(all, count)
        let header = ListsHeader(
            settings: settings, generation: snapshot.generation, rows: rows, trainedRows: rows, listCount: count, seed: seed,
            source: snapshot.source(rows: rows), length: try meanLength(snapshot, Array(sample.prefix(min(wanted, 4096)))))
        let writer = ListsWriter(
            folder: folder, snapshot: snapshot, rotation: Rotation(dimension: dimension, seed: seed), centres: clusters.centres,
            header: header)
        try writer.write(measured: true) { ListContents(rows: groups[$0]) }
    }

    private func meanLength(_ snapshot: Snapshot, _ rows: [Int]) throws(IndexError) -> Float {
        var line = [Float](repeating: 0, count: dimension), total = 0.0
        for row in rows {
            try snapshot.checkRow(row)
            snapshot.load(snapshot.pointer(row), into: &line)
            total += line.reduce(0.0) { $0 + Double($1) * Double($1) }
        }
        return Float((total / Double(rows.count)).squareRoot())
    }

    /// The lists with the rows that came since.
    private func extend(_ known: Lists, _ snapshot: Snapshot, to rows: Int) throws(IndexError) {
        let first = known.header.rows, added = (first..<rows).filter { snapshot.isLive($0) }
        let centres = known.allCentres, count = known.header.listCount
        let owners = try Assignment(centres, count, dimension).nearest(added, RowCodes(snapshot, codeMaps(snapshot)))
        var all = [UInt32](repeating: .max, count: rows - first)
        for (place, row) in added.enumerated() { all[row - first] = owners[place] }
        let groups = Groups(all, count)
        var header = known.header
        header.rows = rows
        header.source = snapshot.source(rows: rows)
        let writer = ListsWriter(folder: folder, snapshot: snapshot, rotation: known.rotation, centres: centres, header: header)
        try writer.write(measured: false) { ListContents(rows: groups[$0], firstRow: first, other: known) }
    }

    /// After a compaction: the lists of the generation before, without the rows that are gone.
    func carryLists(_ known: Lists, from old: Snapshot, to new: Snapshot) throws(IndexError) {
        var renumbered = [UInt32](repeating: .max, count: known.header.rows), next = 0
        for row in 0..<known.header.rows where old.isLive(row) {
            renumbered[row] = UInt32(next)
            next += 1
        }
        // Lists end with a block of rows.
        let rows = next / Chunk.block * Chunk.block
        guard rows > 0 else { return }
        for row in renumbered.indices where renumbered[row] != .max && renumbered[row] >= rows { renumbered[row] = .max }
        var header = known.header
        (header.generation, header.rows, header.source) = (new.generation, rows, new.source(rows: rows))
        let writer = ListsWriter(folder: folder, snapshot: new, rotation: known.rotation, centres: known.allCentres, header: header)
        let numbers = renumbered
        try writer.write(measured: false) { _ in ListContents(other: known, renumbered: numbers) }
    }
}

extension Lists {
    var allCentres: [Float] {
        Array(UnsafeBufferPointer(start: centre(0), count: header.listCount * header.settings.dimension))
    }
}
