import Foundation
import TestSupport
import Tensors
import Testing
import VectorIndex

/// Every change goes into the lists at once, and searches go through them.
private struct ListedIndex: NearestNeighborIndex {
    let index: LocalIndex
    var dimension: Int { index.dimension }
    var metric: Metric { index.metric }
    var count: Int { index.count }
    func search(_ queries: Tensor, k: Int, filter: IDSet?) throws(IndexError) -> [[Hit]] {
        try index.search(queries, k: k, filter: filter, exactness: .approximate(recall: 1))
    }
    func upsert(ids: [Int64], vectors: Tensor) throws(IndexError) {
        try index.upsert(ids: ids, vectors: vectors)
        try index.buildLists()
    }
    func remove(ids: [Int64]) throws(IndexError) -> Int { try index.remove(ids: ids) }
    func vectors(ids: [Int64]) throws(IndexError) -> (ids: [Int64], vectors: Tensor) { try index.vectors(ids: ids) }
    func ids() throws(IndexError) -> [Int64] { try index.ids() }
    func compact() throws(IndexError) { try index.compact() }
}

/// Vectors that spread around centres mostly in a few directions, as embeddings do.
private func clustered(_ count: Int, _ dimension: Int, seed: UInt64) -> Tensor {
    var random = RandomGenerator(seed: 1)
    let clusters = 100, rank = 8
    let centres = (0..<clusters * dimension).map { _ in random.normal() }
    let directions = (0..<rank * dimension).map { _ in random.normal() }
    random = RandomGenerator(seed: seed)
    return Tensor.makeFloats([count, dimension]) { out in
        for row in 0..<count {
            let cluster = Int.random(in: 0..<clusters, using: &random), line = out + row * dimension
            for i in 0..<dimension { line[i] = centres[cluster * dimension + i] + 0.2 * random.normal() }
            for direction in 0..<rank {
                let size = 0.5 * random.normal()
                for i in 0..<dimension { line[i] += size * directions[direction * dimension + i] }
            }
        }
    }
}

private func recall(_ found: [[Hit]], _ truth: [[Hit]]) -> Double {
    let common = zip(found, truth).reduce(0) { $0 + Set($1.0.map(\.id)).intersection($1.1.map(\.id)).count }
    return Double(common) / Double(max(1, truth.reduce(0) { $0 + $1.count }))
}

@Suite struct ListTests {
    @Test(arguments: Metric.allCases, VectorStorage.allCases)
    func conforms(metric: Metric, storage: VectorStorage) throws {
        let folder = try TemporaryFolder()
        var number = 0
        let failures = try checkIndex(metric, tolerance: storage == .f32 ? 1e-6 : 1e-3) { dimension, metric in
            number += 1
            return ListedIndex(
                index: try LocalIndex.create(at: folder.file("\(number)"), dimension: dimension, metric: metric, storage: storage))
        }
        #expect(failures == [])
    }

    /// The share of neighbours that is asked for is found: all, with filters, after removals, additions, compaction and reopening.
    @Test(arguments: Metric.allCases, VectorStorage.allCases)
    func findsWhatItPromises(metric: Metric, storage: VectorStorage) throws {
        let folder = try TemporaryFolder(), path = folder.file("index"), count = 20_000, dimension = 96
        let index = try LocalIndex.create(at: path, dimension: dimension, metric: metric, storage: storage, exactness: .approximate)
        let data = clustered(count, dimension, seed: 2), queries = clustered(200, dimension, seed: 3)
        try index.upsert(ids: (0..<count).map(Int64.init), vectors: data)
        try index.buildLists()
        #expect(try index.rowsInLists() == count / 256 * 256)
        func check(_ index: LocalIndex, filter: IDSet? = nil, _ what: String) throws {
            let truth = try index.search(queries, k: 10, filter: filter, exactness: .exact)
            let found = try index.search(queries, k: 10, filter: filter)
            #expect(recall(found, truth) >= 0.98, "\(what)")
            for (mine, right) in zip(found, truth) {
                let scores = Dictionary(uniqueKeysWithValues: right.map { ($0.id, $0.score) })
                for hit in mine where scores[hit.id] != nil { #expect(scores[hit.id] == hit.score) }
                if let filter { #expect(mine.allSatisfy { filter.contains($0.id) }) }
            }
            for row in [0, 77] {
                let alone = try index.search(try queries.sliced(0, row..<row + 1), k: 10, filter: filter)
                #expect(alone[0] == found[row])
            }
        }
        try check(index, "all")
        var random = RandomGenerator(seed: 5)
        let ids = (0..<Int64(count)).shuffled(using: &random)
        try check(index, filter: IDSet(ids.prefix(count / 100)), "a filter that keeps 1 in 100")
        try check(index, filter: IDSet(ids.prefix(count / 10)), "a filter that keeps 1 in 10")
        try check(index, filter: IDSet(ids.prefix(count / 2)), "a filter that keeps half")
        try index.remove(ids: Array(ids.prefix(3000)))
        try check(index, "after removals")
        try index.upsert(ids: (0..<700).map { 50_000 + $0 }, vectors: clustered(700, dimension, seed: 6))
        try check(index, "with vectors that aren't in lists yet")
        try index.buildLists()
        #expect(try index.rowsInLists() == (count + 700) / 256 * 256)
        try check(index, "with the new vectors in lists")
        try check(try LocalIndex.open(at: path, exactness: .approximate), "reopened")
        try index.compact()
        // Whole blocks of what stays of the rows that were in lists.
        #expect(try index.rowsInLists() == ((count + 700) / 256 * 256 - 3000) / 256 * 256)
        try check(index, "compacted")
        try check(index, filter: IDSet(ids.suffix(count / 100)), "a filter after compaction")
        #expect(
            try FileManager.default.contentsOfDirectory(atPath: path).sorted() == [
                "codes-2", "journal-2", "lists-2", "lock", "manifest", "vectors-2",
            ])
    }

    /// More is found where more is asked for, and everything where all is.
    @Test func recallIsAChoice() throws {
        let folder = try TemporaryFolder(), count = 6000
        let index = try LocalIndex.create(at: folder.file("index"), dimension: 64, metric: .cosine)
        try index.upsert(ids: (0..<count).map(Int64.init), vectors: clustered(count, 64, seed: 7))
        try index.buildLists()
        // Queries unlike any vector lie far from all lists.
        var random = RandomGenerator(seed: 8)
        for queries in [clustered(100, 64, seed: 9), Tensor.randomNormal([100, 64], using: &random)] {
            let truth = try index.search(queries, k: 20)
            let shares = try [0.5, 0.9, 0.99].map { recall(try index.search(queries, k: 20, exactness: .approximate(recall: $0)), truth) }
            #expect(shares[0] >= 0.4 && shares[1] >= 0.85 && shares[2] >= 0.97, "\(shares)")
            #expect(try index.search(queries, k: 20, exactness: .approximate(recall: 1)) == truth)
        }
        for wrong in [0, -1, 1.5, .nan] {
            #expect(throws: IndexError.self) { try index.search(Tensor.ones([1, 64]), k: 1, exactness: .approximate(recall: wrong)) }
        }
    }

    /// A query longer or shorter finds the same: with the inner product its length doesn't count.
    @Test func lengthOfTheQueryDoesNotMatter() throws {
        let folder = try TemporaryFolder(), count = 4096
        let index = try LocalIndex.create(at: folder.file("index"), dimension: 32, metric: .innerProduct)
        try index.upsert(ids: (0..<count).map(Int64.init), vectors: clustered(count, 32, seed: 10))
        try index.buildLists()
        let queries = clustered(50, 32, seed: 11).floats()
        let found = try [1, 1024, 1 / 1024].map { (scale: Float) in
            try index.search(try Tensor(queries.map { $0 * scale }, [50, 32]), k: 5, exactness: .approximate).map { $0.map(\.id) }
        }
        #expect(found[0] == found[1] && found[0] == found[2])
        let zero = try index.search(Tensor.zeros([1, 32]), k: 5, exactness: .approximate)
        #expect(zero[0].count == 5 && zero[0].allSatisfy { $0.score == 0 })
    }

    /// From a certain size on lists come by themselves, and vectors that come later go into them.
    @Test func largeIndexesHaveLists() throws {
        let folder = try TemporaryFolder(), path = folder.file("index"), count = LocalIndex.listedRows
        let index = try LocalIndex.create(at: path, dimension: 8, metric: .l2, exactness: .approximate)
        let data = clustered(count + 17_000, 8, seed: 12)
        try index.upsert(ids: (0..<count - 1).map(Int64.init), vectors: try data.sliced(0, 0..<count - 1))
        #expect(try index.rowsInLists() == nil)
        try index.upsert(ids: [Int64(count - 1)], vectors: try data.sliced(0, count - 1..<count))
        #expect(try index.rowsInLists() == count)
        try index.upsert(ids: (count..<count + 17_000).map(Int64.init), vectors: try data.sliced(0, count..<count + 17_000))
        #expect(try index.rowsInLists() == (count + 17_000) / 256 * 256)
        let queries = clustered(100, 8, seed: 13)
        #expect(recall(try index.search(queries, k: 10), try index.search(queries, k: 10, exactness: .exact)) >= 0.98)
        try index.verify()
    }

    /// Without lists, or with damaged ones, nothing is lost; made anew they are what they were.
    @Test func listsAreDerived() throws {
        let folder = try TemporaryFolder(), path = folder.file("index"), name = "index/lists-1", count = 3000
        let index = try LocalIndex.create(at: path, dimension: 24, metric: .cosine)
        try index.upsert(ids: (0..<count).map(Int64.init), vectors: clustered(count, 24, seed: 14))
        try index.buildLists()
        let queries = clustered(30, 24, seed: 15), truth = try index.search(queries, k: 10), good = try folder.bytes(name)
        let other = try LocalIndex.create(at: folder.file("other"), dimension: 24, metric: .cosine)
        try other.upsert(ids: (0..<count).map(Int64.init), vectors: clustered(count, 24, seed: 16))
        try other.buildLists()
        var random = RandomGenerator(seed: 17)
        var damaged = [[], [1, 2, 3], Array(good.prefix(5000)), Array(good.dropLast()), try folder.bytes("other/lists-1")]
        for place in stride(from: 8, to: good.count, by: good.count / 60) {
            var bytes = good
            bytes[place + Int.random(in: 0..<8, using: &random)] ^= 0x55
            damaged.append(bytes)
        }
        for bytes in damaged {
            try folder.write(bytes, name)
            let again = try LocalIndex.open(at: path)
            let found = try again.search(queries, k: 10, exactness: .approximate)
            #expect(recall(found, truth) >= 0.97)
            try again.verify()
        }
        try folder.write(good, "index/lists-1.new")
        let again = try LocalIndex.open(at: path)
        try again.buildLists(fromScratch: true)
        #expect(try folder.bytes(name) == good)
        #expect(!FileManager.default.fileExists(atPath: folder.file("index/lists-1.new")))
        // A damaged list that nobody has looked at yet isn't carried into the next file.
        var bytes = good
        bytes[good.count - 1000] ^= 1
        try folder.write(bytes, name)
        let last = try LocalIndex.open(at: path)
        try last.remove(ids: [1, 2, 3])
        try last.compact()
        #expect(recall(try last.search(queries, k: 10, exactness: .approximate), try last.search(queries, k: 10)) >= 0.97)
    }

    /// The number of threads changes nothing.
    @Test func threadsDoNotMatter() throws {
        let folder = try TemporaryFolder(), count = 4096
        let index = try LocalIndex.create(at: folder.file("index"), dimension: 48, metric: .cosine, exactness: .approximate)
        try index.upsert(ids: (0..<count).map(Int64.init), vectors: clustered(count, 48, seed: 18))
        try index.buildLists()
        let queries = clustered(64, 48, seed: 19), found = try index.search(queries, k: 10)
        for row in 0..<64 { #expect(try index.search(try queries.sliced(0, row..<row + 1), k: 10)[0] == found[row]) }
    }
}
