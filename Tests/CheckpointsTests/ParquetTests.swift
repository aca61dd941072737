import Foundation
import Testing

@testable import Checkpoints

/// The rows of tools/reference/interchange.py.
private struct Expected: Decodable {
    var name: [String?], number: [Int64?], real: [Double?], truth: [Bool?], always: [String]

    init() throws {
        self = try JSONDecoder().decode(Expected.self, from: Data(contentsOf: URL(fileURLWithPath: golden("expected.json"))))
    }

    var columns: [(String, [ParquetValue])] {
        [
            ("name", name.map { $0.map { .text($0) } ?? .null }), ("number", number.map { $0.map { .int($0) } ?? .null }),
            ("real", real.map { $0.map { .real($0) } ?? .null }), ("truth", truth.map { $0.map { .bool($0) } ?? .null }),
            ("always", always.map { .text($0) }),
        ]
    }
}

private func golden(_ name: String) -> String {
    URL(fileURLWithPath: #filePath).deletingLastPathComponent().appendingPathComponent("golden/parquet/" + name).path
}

private func all(_ reader: ParquetReader, _ column: String) throws -> [ParquetValue] {
    try (0..<reader.groupCount).flatMap { group throws(CheckpointError) in try reader.values(column, group: group) }
}

private func temporary() -> String { FileManager.default.temporaryDirectory.appendingPathComponent("parquet-\(UUID().uuidString)").path }

@Suite struct ParquetTests {
    @Test(arguments: ["snappy", "gzip", "zstd", "plain", "groups", "pages2", "pages2-plain", "delta"])
    func readsWhatPyarrowWrites(name: String) throws {
        let reader = try ParquetReader(path: golden(name + ".parquet")), expected = try Expected()
        #expect(reader.columns == ["name", "number", "real", "truth", "always"] && reader.rowCount == 300)
        #expect(reader.groupCount == (name == "groups" ? 4 : 1))
        for (column, values) in expected.columns where name != "delta" || column != "number" {
            #expect(try all(reader, column) == values, "\(column)")
        }
    }

    @Test func readsOtherKinds() throws {
        let reader = try ParquetReader(path: golden("kinds.parquet"))
        #expect(try all(reader, "small") == (0..<5).map { .int($0) })
        #expect(try all(reader, "single") == (0..<5).map { .real(Double($0) / 4) })
        #expect(try all(reader, "bytes") == (0..<5).map { .bytes([$0]) })
        // A picture within a row, as Hugging Face's data sets have it.
        #expect(try all(reader, "group.bytes") == (0..<5).map { _ in .bytes(Array("ab".utf8)) })
        #expect(try all(reader, "group.path") == (0..<5).map { $0 == 2 ? .null : .text("\($0).jpg") })
        #expect(try ParquetReader(path: golden("empty.parquet")).rowCount == 0)
    }

    @Test func saysWhatItDoesNotRead() throws {
        func problem(_ file: String, _ column: String) throws -> String {
            let reader = try ParquetReader(path: golden(file + ".parquet"))
            do { return "\(try reader.values(column, group: 0).count) values" } catch { return error.description }
        }
        #expect(try problem("lz4", "name").contains("compression LZ4_RAW"))
        #expect(try problem("delta", "number").contains("encoding DELTA_BINARY_PACKED"))
        #expect(try problem("kinds", "list.list.element").contains("a list"))
        #expect(try problem("snappy", "title").contains("there is no column title; near names: name, number"))
    }

    /// The very bytes that pandas read (interchange.py check).
    @Test func writesTheStoredBytes() throws {
        let path = temporary(), expected = try Expected()
        defer { unlink(path) }
        let writer = try ParquetWriter(path: path, columns: [.init("name", .text), .init("number", .int), .init("real", .real)])
        let columns = expected.columns.prefix(3).map(\.1)
        for range in [0..<200, 200..<200, 200..<300] { try writer.append(columns.map { Array($0[range]) }) }
        #expect(!FileManager.default.fileExists(atPath: path))
        try writer.finish()
        let written = try Data(contentsOf: URL(fileURLWithPath: path))
        if ProcessInfo.processInfo.environment["SENSORIUM_STORE_GOLDEN"] != nil {
            try written.write(to: URL(fileURLWithPath: golden("ours.parquet")))
        }
        #expect(try written == Data(contentsOf: URL(fileURLWithPath: golden("ours.parquet"))))
        let reader = try ParquetReader(path: path)
        #expect(reader.groupCount == 2)
        for (column, values) in expected.columns.prefix(3) { #expect(try all(reader, column) == values) }
    }

    @Test func refusesWrongRows() throws {
        let path = temporary()
        let writer = try ParquetWriter(path: path, columns: [.init("name", .text), .init("number", .int)])
        #expect(throws: CheckpointError.self) { try writer.append([[.text("a")], [.int(1), .int(2)]]) }
        #expect(throws: CheckpointError.self) { try writer.append([[.text("a")], [.real(1)]]) }
        #expect(throws: CheckpointError.self) { try writer.append([[.text("a")]]) }
        #expect(!FileManager.default.fileExists(atPath: path))
    }

    /// Altered and shortened files are read or refused, never a trap, and never more rows than the file says.
    @Test(arguments: ["snappy", "gzip", "zstd", "plain", "pages2", "kinds"])
    func survivesAnything(name: String) throws {
        let original = Array(try Data(contentsOf: URL(fileURLWithPath: golden(name + ".parquet")))), path = temporary()
        defer { unlink(path) }
        var state: UInt64 = 88_172_645_463_325_252
        func random(_ bound: Int) -> Int {
            state ^= state << 13
            state ^= state >> 7
            state ^= state << 17
            return Int(state % UInt64(bound))
        }
        for round in 0..<1_500 {
            var bytes = original
            if round < 60 { bytes.removeLast(random(bytes.count)) }
            for _ in 0..<(1 + random(4)) where !bytes.isEmpty {
                // Half of the changes hit the footer.
                let place = round % 2 == 0 ? random(bytes.count) : max(0, bytes.count - 1 - random(min(bytes.count, 900)))
                bytes[place] = [0, 1, 0x7F, 0x80, 0xFF, UInt8(random(256))][random(6)]
            }
            try Data(bytes).write(to: URL(fileURLWithPath: path))
            guard let reader = try? ParquetReader(path: path) else { continue }
            for group in 0..<reader.groupCount {
                for column in reader.columns {
                    if let values = try? reader.values(column, group: group) { #expect(values.count == reader.rows(inGroup: group)) }
                }
            }
        }
    }

    /// A few bytes can't ask for much memory: lengths are held against what is there.
    @Test func snappyIsBounded() {
        func unpack(_ bytes: [UInt8], _ count: Int) -> [UInt8]? { bytes.withUnsafeBytes { Snappy.unpack($0, count: count) } }
        #expect(unpack([3, 0x08, 1, 2, 3], 3) == [1, 2, 3])
        #expect(unpack([6, 0x00, 7, 0x05, 1], 6) == [7, 7, 7, 7, 7, 7])
        #expect(unpack([6, 0x00, 7, 0x05, 2], 6) == nil)
        #expect(unpack([4, 0x08, 1, 2, 3], 4) == nil)
        #expect(unpack([0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF], 3) == nil)
        #expect(unpack([3, 0xFC, 0xFF, 0xFF, 0xFF, 0x7F, 1], 3) == nil)
    }
}
