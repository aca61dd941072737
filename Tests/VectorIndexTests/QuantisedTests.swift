import Foundation
import TestSupport
import Tensors
import Testing
import VectorIndex

/// Clustered vectors, as embeddings are.
private func clustered(_ count: Int, _ dimension: Int, seed: UInt64) -> Tensor {
    var random = RandomGenerator(seed: 1)
    let centres = (0..<40 * dimension).map { _ in random.normal() }
    random = RandomGenerator(seed: seed)
    return Tensor.makeFloats([count, dimension]) { out in
        for row in 0..<count {
            let centre = Int.random(in: 0..<40, using: &random)
            for i in 0..<dimension { out[row * dimension + i] = centres[centre * dimension + i] + 0.3 * random.normal() }
        }
    }
}

@Suite struct QuantisedTests {
    @Test(arguments: Metric.allCases, VectorStorage.allCases)
    func recall(metric: Metric, storage: VectorStorage) throws {
        let folder = try TemporaryFolder(), count = 20_000
        let index = try LocalIndex.create(at: folder.file("index"), dimension: 128, metric: metric, storage: storage)
        try index.upsert(ids: (0..<count).map(Int64.init), vectors: clustered(count, 128, seed: 2))
        let queries = clustered(100, 128, seed: 3)
        func recall(_ found: [[Hit]], _ truth: [[Hit]]) -> Double {
            let common = zip(found, truth).reduce(0) { $0 + Set($1.0.map(\.id)).intersection($1.1.map(\.id)).count }
            return Double(common) / Double(truth.reduce(0) { $0 + $1.count })
        }
        let truth = try index.search(queries, k: 10), found = try index.search(queries, k: 10, exactness: .quantised)
        #expect(recall(found, truth) >= 0.99)
        let scores = Dictionary(uniqueKeysWithValues: truth[0].map { ($0.id, $0.score) })
        for hit in found[0] where scores[hit.id] != nil { #expect(scores[hit.id] == hit.score) }
        for row in [0, 50, 99] {
            let alone = try index.search(try queries.sliced(0, row..<row + 1), k: 10, exactness: .quantised)
            #expect(alone[0] == found[row])
        }
        // Filters wide and narrow, removals and a reopened index.
        for filter in [IDSet((0..<20_000).filter { $0 % 2 == 0 }), IDSet((0..<20_000).filter { $0 % 500 == 0 })] {
            let truth = try index.search(queries, k: 10, filter: filter)
            #expect(recall(try index.search(queries, k: 10, filter: filter, exactness: .quantised), truth) >= 0.99)
        }
        let gone = IDSet(truth.map { $0[0].id })
        try index.remove(ids: gone.sorted)
        let reopened = try LocalIndex.open(at: folder.file("index"))
        let later = try reopened.search(queries, k: 10, exactness: .quantised)
        #expect(recall(later, try index.search(queries, k: 10)) >= 0.99)
        #expect(later.joined().allSatisfy { !gone.contains($0.id) })
    }

    /// Without codes, or with damaged ones, answers are exact; building them again brings them back.
    @Test func codesAreDerived() throws {
        let folder = try TemporaryFolder(), path = folder.file("index"), count = 17_000
        let index = try LocalIndex.create(at: path, dimension: 16, metric: .l2)
        let data = clustered(count, 16, seed: 4), queries = clustered(20, 16, seed: 5)
        for start in stride(from: 0, to: count, by: 5000) {
            let range = start..<min(count, start + 5000)
            try index.upsert(ids: range.map(Int64.init), vectors: try data.sliced(0, range))
        }
        let truth = try index.search(queries, k: 10)
        let codes = try folder.bytes("index/codes-1")
        #expect(codes.count == 4096 + count / 256 * (4096 + 256 * 64))
        var random = RandomGenerator(seed: 6), damaged = codes
        for block in 0..<count / 256 { damaged[4096 + block * (4096 + 256 * 64) + Int.random(in: 16..<20_000, using: &random)] ^= 0xFF }
        for bytes in [damaged, Array(codes.prefix(9000)), [], [1, 2, 3]] {
            try folder.write(bytes, "index/codes-1")
            let again = try LocalIndex.open(at: path)
            let found = try again.search(queries, k: 10, exactness: .quantised(oversampling: 1))
            #expect(found == truth)
            try again.verify()
        }
        let again = try LocalIndex.open(at: path)
        try again.buildCodes(fromScratch: true)
        #expect(try folder.bytes("index/codes-1") == codes)
        try again.remove(ids: (0..<300).map { $0 })
        try again.compact()
        #expect(try again.search(queries, k: 10, exactness: .quantised(oversampling: 8)) == again.search(queries, k: 10))
        #expect(throws: IndexError.self) { try again.search(queries, k: 1, exactness: .quantised(oversampling: 0)) }
    }
}
