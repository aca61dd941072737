import Foundation
import TestSupport
import Tensors
import Testing
import VectorIndex

@Suite struct LocalIndexTests {
    @Test(arguments: Metric.allCases, VectorStorage.allCases)
    func conforms(metric: Metric, storage: VectorStorage) throws {
        let folder = try TemporaryFolder()
        var number = 0
        let failures = try checkIndex(metric, tolerance: storage == .f32 ? 1e-6 : 1e-3) { dimension, metric in
            number += 1
            return try LocalIndex.create(at: folder.file("\(number)"), dimension: dimension, metric: metric, storage: storage)
        }
        #expect(failures == [])
    }

    /// Random changes, compactions and reopenings against a dictionary; a second reader follows all the while.
    @Test(arguments: 0..<6)
    func followsAModel(seed: Int) throws {
        let folder = try TemporaryFolder(), path = folder.file("index")
        var random = RandomGenerator(seed: UInt64(seed)), model: [Int64: [Float]] = [:]
        var index = try LocalIndex.create(at: path, dimension: 5, metric: .l2)
        let reader = try LocalIndex.open(at: path)
        for _ in 0..<150 {
            switch Int.random(in: 0..<10, using: &random) {
            case 0..<6:
                let ids = (0..<Int.random(in: 1...40, using: &random)).map { _ in Int64.random(in: 0..<200, using: &random) }
                let rows = ids.map { _ in (0..<5).map { _ in random.normal() } }
                try index.upsert(ids: ids, vectors: try Tensor(rows.flatMap { $0 }, [ids.count, 5]))
                for (id, row) in zip(ids, rows) { model[id] = row }
            case 6, 7:
                let ids = (0..<20).map { _ in Int64.random(in: 0..<200, using: &random) }
                let expected = Set(ids).filter { model.removeValue(forKey: $0) != nil }.count
                #expect(try index.remove(ids: ids) == expected)
            case 8: try index.compact()
            default: index = try LocalIndex.open(at: path)
            }
            for view in [index, reader] {
                #expect(view.count == model.count)
                #expect(try view.ids() == model.keys.sorted())
                let stored = try view.vectors(ids: model.keys.sorted())
                #expect(stored.vectors.floats() == model.keys.sorted().flatMap { model[$0]! })
            }
            if let (id, row) = model.first(where: { _ in true }) {
                let hit = try reader.search(try Tensor(row, [1, 5]), k: 1)[0][0]
                #expect(hit.score == 0 && model[hit.id] == row && hit.id <= id)
            }
        }
        try index.verify()
    }

    @Test func crossesChunks() throws {
        let folder = try TemporaryFolder(), path = folder.file("index"), count = 140_000
        let index = try LocalIndex.create(at: path, dimension: 2, metric: .innerProduct)
        let vectors = Tensor.makeFloats([count, 2]) { for i in 0..<count { ($0[2 * i], $0[2 * i + 1]) = (Float(i), 1) } }
        try index.upsert(ids: (0..<count).map(Int64.init), vectors: vectors)
        try index.remove(ids: (100_000..<Int64(count)).map { $0 })
        let reopened = try LocalIndex.open(at: path)
        let queries = try Tensor([1, 0, -1, 0, 1, 0, 1, 0, 1, 0] as [Float], [5, 2])
        for view in [index, reopened] {
            let hits = try view.search(queries, k: 3)
            #expect(hits[0].map(\.id) == [99_999, 99_998, 99_997] && hits[1].map(\.id) == [0, 1, 2] && hits[4] == hits[0])
        }
        try reopened.compact()
        #expect(index.count == 100_000)
        #expect(try index.search(queries, k: 3)[0].map(\.id) == [99_999, 99_998, 99_997])
        try index.verify()
    }
}
