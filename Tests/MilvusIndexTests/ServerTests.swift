import Foundation
import Imaging
import Pipelines
import Tensors
import TestSupport
import Testing
import VectorIndex

@testable import MilvusIndex
@testable import PictureLibrary

private func address(_ collection: String, _ options: String = "") throws -> MilvusAddress {
    try MilvusAddress("milvus://127.0.0.1:\(MilvusServer.port())/\(collection)\(options)", environment: [:])
}

private func rows(_ count: Int, _ dimension: Int, seed: UInt64) throws -> Tensor {
    var random = RandomGenerator(seed: seed)
    return try Tensor((0..<count * dimension).map { _ in random.normal() }, [count, dimension])
}

/// Against a real server. One after the other: it has two cores in all.
@Suite(.serialized, .enabled(if: MilvusServer.isHere, MilvusServer.advice)) struct ServerTests {
    /// What every index must do.
    @Test(arguments: [(Metric.innerProduct, "strong"), (.cosine, "session"), (.l2, "session")])
    func conforms(metric: Metric, consistency: String) throws {
        var made: [MilvusIndex] = []
        let failures = try checkIndex(metric, tolerance: 1e-5, dimensions: [1, 77]) { dimension, metric in
            let name = "conforms_\(metric)_\(consistency)_\(made.count)"
            made.append(
                try MilvusIndex.openOrCreate(try address(name, "?consistency=\(consistency)"), dimension: dimension, metric: metric))
            return made[made.count - 1]
        }
        #expect(failures.isEmpty, "\(failures.prefix(5))")
        for index in made { try index.drop() }
    }

    /// The same answers as a local index of the same vectors, ids and scores, whatever the filter and however many hits.
    @Test func answersAsALocalIndex() throws {
        let folder = try Scratch(), count = 20_000
        let local = try LocalIndex.create(at: folder.path, dimension: 8, metric: .cosine)
        let remote = try MilvusIndex.openOrCreate(try address("answers"), dimension: 8, metric: .cosine)
        let vectors = try rows(count, 8, seed: 1), ids = (0..<Int64(count)).map { $0 * 2 }
        for index in [local, remote] as [any NearestNeighborIndex] { try index.upsert(ids: ids, vectors: vectors) }
        #expect(try remote.ids() == ids && remote.count == count)
        let queries = try rows(3, 8, seed: 2)
        let filters: [IDSet?] = [
            nil, IDSet(ids.prefix(100)), IDSet((0..<40_000).filter { $0 % 3 == 0 }), IDSet(0..<30_000),
            IDSet((0..<Int64(300)).flatMap { group in (0..<80).map { group * 130 + $0 } }),
        ]
        for filter in filters {
            for k in [1, 10, 17_000, 25_000] {
                let expected = try local.search(queries, k: k, filter: filter), found = try remote.search(queries, k: k, filter: filter)
                for (mine, theirs) in zip(found, expected) {
                    #expect(mine.count == theirs.count)
                    #expect(zip(mine, theirs).allSatisfy { abs($0.score - $1.score) < 1e-5 })
                    #expect(Set(mine.map(\.id)).count == mine.count && mine.allSatisfy { filter?.contains($0.id) ?? true })
                    // Equal scores, but for rounding, may come in another order.
                    if k <= 10 { #expect(mine.map(\.id) == theirs.map(\.id)) }
                }
            }
        }
        try remote.drop()
    }

    @Test func opensWhatIsThere() throws {
        let place = try address("there"), index = try MilvusIndex.openOrCreate(place, dimension: 4, metric: .l2, owner: "me")
        try index.upsert(ids: [1, 2], vectors: try rows(2, 4, seed: 3))
        let again = try MilvusIndex.open(place)
        #expect(again.dimension == 4 && again.metric == .l2 && again.count == 2)
        #expect(throws: IndexError.self) { try MilvusIndex.open(place, owner: "you") }
        #expect(throws: IndexError.self) { try MilvusIndex.openOrCreate(place, dimension: 5, metric: .l2, owner: "me") }
        #expect(throws: IndexError.self) { try MilvusIndex.openOrCreate(place, dimension: 4, metric: .cosine, owner: "me") }
        try again.drop()
        #expect(throws: IndexError.self) { try MilvusIndex.open(place) }
    }

    /// The other ways to search find nearly all; of few they find all.
    @Test(arguments: ["hnsw", "ivf_flat", "autoindex"]) func searchesOtherwise(kind: String) throws {
        let index = try MilvusIndex.openOrCreate(try address("by_\(kind)", "?index=\(kind)"), dimension: 16, metric: .cosine)
        let vectors = try rows(3_000, 16, seed: 4)
        try index.upsert(ids: Array(0..<3_000), vectors: vectors)
        let hits = try index.search(try vectors.sliced(0, 0..<20), k: 5)
        #expect(hits.enumerated().count { $1.first?.id == Int64($0) } >= 19)
        #expect(try index.search(try vectors.sliced(0, 0..<1), k: 5, filter: [7, 9])[0].map(\.id).sorted() == [7, 9])
        try index.drop()
    }

    /// A library whose vectors move there and back: the same hits with the same scores throughout.
    @Test func movesALibrary() throws {
        let folder = try Scratch(), library = try Library(at: FilePath(folder.path), create: true)
        let numbers = folder.path + ".npy"
        defer { unlink(numbers) }
        let writer = try VectorFileWriter(path: numbers, dimension: 12)
        try writer.append(try rows(5_000, 12, seed: 5))
        try writer.finish()
        _ = try library.importVectors(try ImportSource(FilePath(numbers)))
        let query = Query(terms: [QueryTerm(.vector(try rows(1, 12, seed: 6).floats()))], limit: 50)
        let before = try library.search(query)
        var told: [Int] = []
        let place = VectorPlace.milvus(try address("moved"))
        #expect(try library.moveVectors(to: place) { told.append($0.done) } == 5_000)
        #expect(told == [4_096, 5_000])
        #expect(try library.place(ofVectors: nil) == place && library.status().indexes[0].address == place.display)
        func check() throws {
            let after = try library.search(query)
            #expect(after.map(\.id) == before.map(\.id))
            #expect(zip(after, before).allSatisfy { abs(($0.similarity ?? 0) - ($1.similarity ?? 1)) < 1e-5 })
            #expect(try library.verify() == LibraryFindings())
        }
        try check()
        #expect(try library.moveVectors(to: place) == nil)
        // Filters, removal and new vectors go on there.
        try library.remove([before[0].path])
        #expect(try library.search(query).first?.id == before[1].id && library.indexes.open(library.exported(nil)).count == 4_999)
        _ = try library.importVectors(try ImportSource(FilePath(numbers)))
        #expect(try library.search(query).first?.path == before[0].path)
        // A second library can't take the collection.
        let other = try Scratch(), second = try Library(at: FilePath(other.path), create: true)
        _ = try second.importVectors(try ImportSource(FilePath(numbers)))
        #expect(throws: LibraryError.self) { try second.moveVectors(to: place) }
        #expect(try second.search(query).count == 50)
        #expect(try library.moveVectors(to: .local) == 5_000)
        #expect(try library.search(query).map(\.path) == before.map(\.path) && library.verify() == LibraryFindings())
        #expect(throws: IndexError.self) { try MilvusIndex.open(try address("moved")) }
        // And to be removed there.
        _ = try library.moveVectors(to: place)
        try library.removeIndex(try #require(try library.activeIdentity()).name)
        #expect(throws: IndexError.self) { try MilvusIndex.open(try address("moved")) }
    }
}

/// A folder's name that goes with the test.
private final class Scratch {
    let path = FileManager.default.temporaryDirectory.appendingPathComponent("milvus-tests-\(UUID().uuidString)").path

    init() throws {}
    deinit { try? FileManager.default.removeItem(atPath: path) }
}
