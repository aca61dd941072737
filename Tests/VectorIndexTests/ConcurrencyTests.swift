import Foundation
import TestSupport
import Tensors
import Testing
import VectorIndex

@Suite struct ConcurrencyTests {
    /// Readers, each with their own view, while two writers change and compact: every answer is of some acknowledged state, in
    /// which all vectors of a batch carry the batch's number.
    @Test func readersSeeWholeBatches() async throws {
        let folder = try TemporaryFolder(), path = folder.file("index")
        let shared = try LocalIndex.create(at: path, dimension: 4, metric: .innerProduct)
        try shared.upsert(ids: Array(0..<64), vectors: Tensor.full([64, 4], 1))
        try await withThrowingTaskGroup(of: Void.self) { group in
            for writer in 0..<2 {
                group.addTask {
                    let index = writer == 0 ? shared : try LocalIndex.open(at: path)
                    for batch in 0..<40 {
                        try index.upsert(ids: Array(0..<64), vectors: Tensor.full([64, 4], Float(2 + batch * 2 + writer)))
                        if batch % 5 == writer { try index.compact() }
                        try index.remove(ids: [Int64(1000 + batch)])
                    }
                }
            }
            for reader in 0..<4 {
                group.addTask {
                    let index = reader < 2 ? shared : try LocalIndex.open(at: path)
                    for _ in 0..<150 {
                        let hits = try index.search(Tensor.ones([1, 4]), k: 100)[0]
                        #expect(hits.count == 64 && Set(hits.map(\.score)).count == 1)
                        #expect(hits.map(\.id) == Array(0..<64))
                        let stored = try index.vectors(ids: Array(0..<64)).vectors.floats()
                        #expect(stored.count == 256 && Set(stored).count == 1)
                    }
                }
            }
            try await group.waitForAll()
        }
        try shared.compact()
        try shared.verify()
        #expect(shared.count == 64)
        #expect(try FileManager.default.contentsOfDirectory(atPath: path).count == 4)
    }

    /// Two indexes that add to one folder lose nothing of each other.
    @Test func writersTakeTurns() async throws {
        let folder = try TemporaryFolder(), path = folder.file("index")
        _ = try LocalIndex.create(at: path, dimension: 2, metric: .l2)
        try await withThrowingTaskGroup(of: Void.self) { group in
            for writer in 0..<4 {
                group.addTask {
                    let index = try LocalIndex.open(at: path)
                    for id in 0..<25 {
                        try index.upsert(ids: [Int64(writer * 100 + id)], vectors: Tensor.full([1, 2], Float(id)))
                        #expect(try index.vectors(ids: [Int64(writer * 100 + id)]).ids.count == 1)
                    }
                }
            }
            try await group.waitForAll()
        }
        let index = try LocalIndex.open(at: path)
        #expect(try index.ids() == (0..<4).flatMap { w in (0..<25).map { Int64(w * 100 + $0) } })
        try index.verify()
    }
}
