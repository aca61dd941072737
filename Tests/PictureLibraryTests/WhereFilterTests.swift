import Foundation
import GRDB
import Imaging
import Tensors
import Testing

@testable import PictureLibrary

@Suite struct WhereFilterTests {
    private static let utc = TimeZone(secondsFromGMT: 0)!
    private let library: Library
    private let scratch: Scratch

    /// Four pictures whose rows differ in every field.
    init() throws {
        scratch = try Scratch()
        library = try Library(at: scratch.library, create: true)
        let rows: [(String, Int, Int, String, String?, String?, [String], String?)] = [
            ("/p/beach.jpg", 1600, 900, "jpeg", "2020-01-01T10:00:00", "Canon", ["Sea", "夏天"], "Évian beach"),
            ("/p/tower.png", 800, 1200, "png", "2019-12-31T23:59:59", "Nikon", ["city"], "Tower"),
            ("/q/square.gif", 500, 500, "gif", nil, nil, [], nil),
            ("/q/late.jpg", 4000, 3000, "jpeg", "2021-06-15T00:00:00", "Canon", ["sea", "city"], "100% sea_view"),
        ]
        try library.database.write { database in
            for (number, row) in rows.enumerated() {
                let id = Int64(number + 1)
                var content = ContentRecord(hash: Data([UInt8(number)]), width: row.1, height: row.2, format: row.3)
                content.taken = row.4
                content.make = row.5
                content.latitude = row.5 == "Nikon" ? 31.2 : nil
                content.words = PictureWords(title: row.7, description: nil, tags: row.6)
                try database.save(content, id: id)
                let stamp = FileStamp(
                    device: 1, inode: id, modified: Int64(1_577_836_800 + number * 86_400) * 1_000_000_000,
                    size: Int64(number + 1) * 1_000_000)
                try database.attach(FoundFile(path: FilePath(row.0), stamp: stamp), to: id, at: 0)
            }
        }
    }

    private func names(_ filter: String) throws -> [String] {
        let query = Query(filter: try WhereFilter(filter, timeZone: Self.utc))
        return try library.search(query).map { $0.path.stem.display }.sorted()
    }

    @Test(arguments: [
        ("width >= 1000", "beach late"), ("height<900", "square"), ("pixels > 2000000", "late"), ("format = jpeg", "beach late"),
        ("format = JPG", "beach late"), ("format != jpeg", "square tower"), ("format in (png, gif)", "square tower"),
        ("format not in (png, gif)", "beach late"), ("taken > 2020-01-01", "late"), ("taken >= 2020-01-01", "beach late"),
        ("taken < 2020", "tower"), ("taken <= 2020-01", "beach tower"), ("taken = 2020", "beach"), ("taken != 2020", "late tower"),
        ("taken = \"2020-01-01 10:00\"", "beach"), ("taken = 2020-01-01T10:00:01", ""), ("modified = 2020-01-02", "tower"),
        ("modified >= 2020-01-03", "late square"), ("camera = canon", "beach late"), ("make contains ANO", "beach late"),
        ("lat > 31 and lon < 0", ""),
        ("lat > 31", "tower"), ("latitude < 100", "tower"), ("title contains évian", "beach"), ("title like 't_wer'", "tower"),
        ("title like '%sea%'", "late"), ("tag = sea", "beach late"), ("tag = 夏天", "beach"), ("tag = se", ""),
        ("tag contains se", "beach late"),
        ("tag like 's%'", "beach late"), ("tag in (city, 夏天)", "beach late tower"), ("tag != sea", "square tower"),
        ("not tag = city", "beach square"),
        ("path like '/p/%'", "beach tower"), ("name = Late.JPG", "late"), ("folder = /q", "late square"),
        ("orientation = portrait", "tower"),
        ("orientation = square or orientation = portrait", "square tower"), ("orientation in (landscape)", "beach late"),
        ("aspect > 16:10", "beach"),
        ("aspect = 1", "square"), ("size > 2MB", "late square"), ("size = 2000KB", "tower"), ("not camera = canon", "square tower"),
        ("(width > 1000 or height > 1000) and not format = jpeg", "tower"), ("WIDTH >= 1000 AND Format = jpeg", "beach late"),
        ("width >= 1000 and format = jpeg and taken > 2020-01-01", "late"), ("not not width > 1000", "beach late"),
        ("title = \"say \"\"hi\"\"\"", ""), ("title = 'x'' OR 1=1 --'", ""),
    ])
    func finds(filter: String, expected: String) throws {
        #expect(try names(filter).joined(separator: " ") == expected)
    }

    @Test(arguments: [
        ("", 0, "empty"), ("widht > 3", 0, "width, height"), ("width", 5, "expected one of"), ("width >", 7, "expected a value"),
        ("width > abc", 8, "number"), ("width > 3 4", 10, "\"and\""), ("(width > 3", 0, "closed"), ("width > 3)", 9, "found \")\""),
        ("title = \"abc", 8, "closed"), ("taken > yesterday", 8, "date"), ("taken = 2020-13", 8, "date"), ("taken = 2021-02-29", 8, "date"),
        ("width like 3", 6, "no text"), ("format in ()", 11, "value"), ("format in (a", 12, "\",\""), ("width ; 3", 6, "no meaning"),
        ("and", 0, "unknown field"), ("width > 3 and", 13, "field"), ("orientation = up", 14, "landscape"), ("tag < a", 4, "tag takes"),
        ("width > 1e999", 8, "number"), ("width > nan", 8, "number"), ("not", 3, "field"), ("size > 3XB", 7, "number"),
        ("title not like x", 10, "\"in\""),
    ])
    func saysWhatIsWrong(filter: String, position: Int, reason: String) {
        #expect { _ = try WhereFilter(filter) } throws: { error in
            guard let error = error as? WhereError else { return false }
            return error.position == position && error.description.contains(reason) && error.description.contains("^")
        }
    }

    @Test func depthAndSizeAreBounded() throws {
        #expect(throws: WhereError.self) {
            try WhereFilter(String(repeating: "(", count: 5_000) + "width > 1" + String(repeating: ")", count: 5_000))
        }
        #expect(throws: WhereError.self) { try WhereFilter(String(repeating: "not ", count: 2_000) + "width > 1") }
        #expect(throws: WhereError.self) { try WhereFilter(Array(repeating: "width > 1", count: 500).joined(separator: " and ")) }
        #expect(throws: WhereError.self) { try WhereFilter("width in (" + Array(repeating: "1", count: 600).joined(separator: ",") + ")") }
        #expect(throws: WhereError.self) { try WhereFilter("title = \"" + String(repeating: "x", count: 20_000) + "\"") }
        // As much as is allowed must also run.
        let wide = Array(repeating: "width > 1", count: 200).joined(separator: " and ")
        #expect(try names(wide).count == 4)
        let deep = String(repeating: "(", count: 63) + "width > 1" + String(repeating: ")", count: 63)
        #expect(try names(deep).count == 4)
        #expect(try names("width in (" + (1...500).map(String.init).joined(separator: ",") + ")") == ["square"])
    }

    /// Whatever is typed either is refused with a place inside the text, or runs.
    @Test func hostileTextNeverBreaksOut() throws {
        var random = RandomGenerator(seed: 7)
        let pieces = [
            "width", "taken", "tag", "title", "path", "size", "orientation", "aspect", "=", "!=", "<", ">", ">=", "in", "like", "contains",
            "and", "or",
            "not", "(", ")", ",", "\"", "'", "''", "1", "-1", "2020-01-01", "10MB", "landscape", "'; DROP TABLE file; --", "\u{0}", "é",
            "中文", "%", "\\",
            "?", ":x", "@a", "$b", "0x10", "/*", "--", "😀", "1e308", "16:0", "\n", " ", "NULL", "a\u{301}", "\u{202E}", "*", "~",
        ]
        var accepted = 0
        for _ in 0..<4_000 {
            // Half of them begin like a filter, so that much gets past the parser.
            let start =
                Bool.random(using: &random)
                ? ["title = ", "tag contains ", "path like ", "size > ", "not taken < "].randomElement(using: &random)! : ""
            let text =
                start
                + (0..<Int.random(in: start.isEmpty ? 1...9 : 1...4, using: &random)).map { _ in
                    pieces[Int.random(in: 0..<pieces.count, using: &random)]
                }
                .joined(separator: Bool.random(using: &random) ? " " : "")
            do throws(WhereError) {
                let filter = try WhereFilter(text)
                accepted += 1
                #expect(throws: Never.self, "\(text)") { try library.search(Query(filter: filter)) }
            } catch {
                #expect(error.position >= 0 && error.position <= text.count && !error.description.isEmpty)
            }
        }
        #expect(accepted > 100)
        #expect(try library.status().files == 4)
    }
}
