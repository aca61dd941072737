import Checkpoints
import Foundation
import Imaging
import Testing

@testable import TrainingData

@Suite struct ParquetSourceTests {
    private let golden = URL(fileURLWithPath: #filePath).deletingLastPathComponent().appendingPathComponent("golden/hugging-face").path

    private func rows(_ source: ParquetSource, _ shard: Int = 0) throws -> [ShardSample] {
        let reader = source.open(shard: shard)
        var rows: [ShardSample] = []
        while let row = try reader.next() { rows.append(row) }
        return rows
    }

    /// A table of texts and numbers by our own writer.
    private func table(_ scratch: Scratch, _ columns: [(String, ParquetWriter.Kind, [ParquetValue])]) throws -> String {
        let path = scratch.path("t.parquet")
        let writer = try ParquetWriter(path: path, columns: columns.map { ParquetWriter.Column($0.0, $0.1) })
        try writer.append(columns.map(\.2))
        try writer.finish()
        return path
    }

    /// Two files in row groups of two, pictures' bytes in a group of columns (tools/reference/interchange.py).
    @Test func dataSetsOfHuggingFace() throws {
        let source = try #require(try DataOpener.open(golden) as? ParquetSource)
        #expect(source.shardCount == 2 && source.problems.isEmpty)
        let first = try rows(source, 0), second = try rows(source, 1)
        #expect(first.count == 3 && second.count == 3)
        let samples = try first.map { row throws(DataError) in try row.load() }
        #expect(samples.map(\.id) == ["0.png", "1.png", "2.png"] && samples.map(\.label) == [0, 1, 0])
        #expect(samples[0].captions == [Caption("picture 0"), Caption("图片0", language: "zh")])
        #expect(samples[1].captions == [Caption("picture 1")])
        let root = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        for (sample, name) in zip(samples, ["gradient_97x61", "grey_50x70"]) {
            let file = try Data(contentsOf: root.appendingPathComponent("Fixtures/pictures/\(name).png"))
            #expect(try sample.pictureBytes() == Array(file))
        }
        #expect(first[0].byteCount > 400)
        // Row 4 has no picture: it is left out, the row behind it isn't.
        #expect(dataError { _ = try second[1].load() }?.file.hasSuffix("train-00001-of-00002.parquet: row 2") == true)
        #expect(try second[2].load().id == "5.png")
        let named = try ParquetSource(path: golden + "/train-{00000..00001}-of-00002.parquet")
        #expect(named.shardCount == 2 && named.fingerprint == source.fingerprint)
        #expect(try ParquetSource(path: golden + "/train-00001-of-00002.parquet").fingerprint != source.fingerprint)
    }

    @Test func pathsOfPictures() throws {
        let scratch = try Scratch()
        let path = try table(
            scratch,
            [
                ("url", .text, [.text("http://x/a.jpg"), .text(""), .null]),
                ("file_name", .text, [.text("a.jpg"), .text(""), .text("c.jpg")]),
                ("title", .text, [.text(" one "), .text("two"), .null]), ("lang", .text, [.text("EN"), .null, .text("no tag")]),
                ("id", .int, [.int(7), .int(8), .int(9)]), ("score", .real, [.real(0.5), .null, .null]),
            ])
        let rows = try rows(ParquetSource(path: path, language: "de"))
        let sample = try rows[0].load()
        #expect(sample.id == "7" && sample.captions == [Caption("one", language: "en")] && sample.label == nil)
        guard case .file(let file) = sample.picture else { throw DataError("test", "a file is expected") }
        #expect(file.description == scratch.path("a.jpg"))
        #expect(dataError { _ = try rows[1].load() }?.field == "file_name")
        #expect(dataError { _ = try rows[2].load() }?.problem.contains("no language tag") == true)
    }

    @Test func whatIsWrongIsSaid() throws {
        let scratch = try Scratch()
        #expect(dataError { _ = try DataOpener.open(scratch.write("cut.parquet", "PAR1")) }?.problem.contains("PAR1") == true)
        let names = try table(scratch, [("name", .text, [.text("a.jpg")]), ("label", .text, [.text("cat")])])
        let unnamed = dataError { _ = try ParquetSource(path: names) }
        #expect(unnamed?.field == "columns" && unnamed?.problem.contains("no column for the picture: found \"name\"") == true)
        let rows = try rows(ParquetSource(path: names, columns: TableColumns(picture: "name")))
        #expect(dataError { _ = try rows[0].load() }?.problem == "the number of a class is expected")
        let empty = try table(scratch, [("image", .text, [])])
        #expect(dataError { _ = try ParquetSource(path: empty) }?.problem == "no rows")
        #expect(dataError { _ = try ParquetSource(path: scratch.path("x-{0..1}.parquet")) }?.file.hasSuffix("x-0.parquet") == true)
    }

    /// A column that is cut off ends its file with an error; what came before it was read.
    @Test func aDamagedFileEndsWhereItIsDamaged() throws {
        let scratch = try Scratch()
        var bytes = Array(try Data(contentsOf: URL(fileURLWithPath: golden + "/train-00000-of-00002.parquet")))
        let place = try #require(bytes.indices.first { bytes[$0...].starts(with: Array("图片2".utf8)) })
        for offset in (place - 24)..<place { bytes[offset] ^= 0x55 }
        let reader = try ParquetSource(path: scratch.write("d.parquet", bytes)).open(shard: 0)
        var count = 0
        let problem = dataError { while let row = try reader.next() { _ = try row.load(); count += 1 } }
        #expect(problem != nil && count == 2)
    }
}
