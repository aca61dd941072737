import Foundation
import TestSupport
import Tensors
import Testing
import VectorIndex

private struct Expected: Decodable {
    struct Answer: Decodable { var ids: [[Int64]]; var scores: [[Float]] }
    var base: [[Float]], queries: [[Float]], ids: [Int64], answers: [String: Answer]
}

private func fixture(_ name: String) -> String {
    URL(fileURLWithPath: #filePath).deletingLastPathComponent().appendingPathComponent("Fixtures/" + name).path
}

private func expected() throws -> Expected {
    try JSONDecoder().decode(Expected.self, from: Data(contentsOf: URL(fileURLWithPath: fixture("expected.json"))))
}

@Suite struct InterchangeTests {
    @Test(arguments: ["f32.npy", "f16.npy", "base.fvecs", "ip.faiss", "l2.faiss", "ip-map.faiss", "l2-map2.faiss"])
    func reads(name: String) throws {
        let expected = try expected(), reader = try VectorFileReader(path: fixture(name))
        #expect(reader.count == 7 && reader.dimension == 5)
        #expect(reader.metric == (name.hasPrefix("ip") ? .innerProduct : name.hasPrefix("l2") ? .l2 : nil))
        let tolerance: Float = name == "f16.npy" ? 2e-3 : 0
        let all = expected.base.flatMap { $0 }
        #expect(zip(try reader.rows(0..<7).floats(), all).allSatisfy { abs($0 - $1) <= tolerance })
        #expect(zip(try reader.rows(3..<5).floats(), all[15..<25]).allSatisfy { abs($0 - $1) <= tolerance })
        #expect(try reader.ids(2..<7) == (name.contains("map") ? Array(expected.ids[2...]) : [2, 3, 4, 5, 6]))
        #expect(throws: IndexError.self) { try reader.rows(5..<8) }
    }

    @Test(arguments: ["f64.npy", "fortran.npy", "flat.npy", "hnsw.faiss"])
    func refuses(name: String) throws {
        #expect(throws: IndexError.self) { try VectorFileReader(path: fixture(name)) }
    }

    /// The index answers as FAISS does over the same file.
    @Test(arguments: ["ip", "l2"])
    func agreesWithFAISS(name: String) throws {
        let folder = try TemporaryFolder(), expected = try expected(), answer = try #require(expected.answers[name])
        let reader = try VectorFileReader(path: fixture("\(name)-map.faiss"))
        let index = try LocalIndex.create(at: folder.file("index"), dimension: 5, metric: try #require(reader.metric))
        #expect(try index.importVectors(reader) == 7)
        let hits = try index.search(try Tensor(expected.queries.flatMap { $0 }, [3, 5]), k: 4)
        #expect(hits.map { $0.map(\.id) } == answer.ids)
        for (mine, theirs) in zip(hits.joined(), answer.scores.joined()) { #expect(abs(mine.score - theirs) < 1e-5) }
    }

    /// What we write is, byte for byte, what numpy and faiss write, where the order of vectors is the same.
    @Test func writesTheSameBytes() throws {
        let folder = try TemporaryFolder(), expected = try expected()
        let base = try Tensor(expected.base.flatMap { $0 }, [7, 5])
        for (name, metric) in [("ip.faiss", Metric.innerProduct), ("l2.faiss", .l2), ("base.fvecs", .l2), ("f32.npy", .l2)] {
            let writer = try VectorFileWriter(path: folder.file(name), dimension: 5, metric: metric)
            try writer.append(try base.sliced(0, 0..<4))
            try writer.append(try base.sliced(0, 4..<7))
            #expect(!FileManager.default.fileExists(atPath: folder.file(name)))
            try writer.finish()
            #expect(try folder.bytes(name) == Array(Data(contentsOf: URL(fileURLWithPath: fixture(name)))), "\(name)")
        }
        let half = try VectorFileWriter(path: folder.file("f16.npy"), dimension: 5, half: true)
        try half.append(base)
        try half.finish()
        #expect(try folder.bytes("f16.npy") == Array(Data(contentsOf: URL(fileURLWithPath: fixture("f16.npy")))))
        let mapped = try VectorFileWriter(path: folder.file("ip-map.faiss"), dimension: 5, withIDs: true)
        try mapped.append(base, ids: expected.ids)
        try mapped.finish()
        #expect(try folder.bytes("ip-map.faiss") == Array(Data(contentsOf: URL(fileURLWithPath: fixture("ip-map.faiss")))))
    }

    @Test(arguments: VectorFileFormat.allCases, VectorStorage.allCases)
    func exportsAndImports(format: VectorFileFormat, storage: VectorStorage) throws {
        let folder = try TemporaryFolder(), path = folder.file("vectors.out")
        var random = RandomGenerator(seed: 3)
        let index = try LocalIndex.create(at: folder.file("a"), dimension: 9, metric: .innerProduct, storage: storage)
        try index.upsert(ids: (0..<50).reversed(), vectors: try Tensor((0..<450).map { _ in random.normal() }, [50, 9]))
        try index.export(to: path, format: format)
        let copy = try LocalIndex.create(at: folder.file("b"), dimension: 9, metric: .innerProduct, storage: storage)
        try copy.importVectors(try VectorFileReader(path: path, format: format))
        let ids = try index.ids()
        #expect(try copy.ids() == ids && copy.vectors(ids: ids).vectors.floats() == index.vectors(ids: ids).vectors.floats())
    }

    /// Altered and shortened files are read or refused, never a trap; whatever is read lies within the file.
    @Test(arguments: ["f32.npy", "f16.npy", "base.fvecs", "ip.faiss", "l2-map.faiss"])
    func survivesAnything(name: String) throws {
        let folder = try TemporaryFolder(), original = Array(try Data(contentsOf: URL(fileURLWithPath: fixture(name))))
        let copy = "copy." + name.split(separator: ".").last!
        var random = RandomGenerator(seed: 5)
        for round in 0..<1500 {
            var bytes = original
            if round < original.count { bytes.removeLast(original.count - round) }
            for _ in 0..<(round < original.count ? 0 : Int.random(in: 1...4, using: &random)) {
                let place = Int.random(in: 0..<min(bytes.count, 160), using: &random)
                bytes[place] = [0, 1, 0x7F, 0x80, 0xFF, UInt8.random(in: 0...255, using: &random)].randomElement(using: &random)!
            }
            try folder.write(bytes, copy)
            guard let reader = try? VectorFileReader(path: folder.file(copy)) else { continue }
            #expect(reader.count * reader.dimension * reader.dtype.size <= bytes.count)
            if let rows = try? reader.rows(0..<reader.count) { #expect(rows.shape == [reader.count, reader.dimension]) }
            _ = try? reader.ids(0..<reader.count)
        }
    }
}
