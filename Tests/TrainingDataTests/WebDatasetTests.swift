import Foundation
import Imaging
import Testing

@testable import TrainingData

@Suite struct WebDatasetTests {
    private func samples(_ source: WebDatasetSource, _ shard: Int = 0) throws -> [Sample] {
        let reader = try source.open(shard: shard)
        var samples: [Sample] = []
        while let sample = try reader.next() { samples.append(try sample.load()) }
        return samples
    }

    @Test(arguments: [false, true]) func neighboursAreOneSample(gzip: Bool) throws {
        let scratch = try Scratch()
        let archive = try Made.shard(0..<5)
        let path = scratch.path(gzip ? "s.tar.gz" : "s.tar")
        if gzip { try Made.gzipped(archive, path) } else { try scratch.write("s.tar", archive) }
        let samples = try samples(WebDatasetSource(path: path))
        #expect(samples.map(\.id) == (0..<5).map { String(format: "set/%05d", $0) })
        #expect(samples[3].captions == [Caption("text 3"), Caption("第3张", language: "zh")])
        #expect(samples[4].label == 1)
        #expect(try samples[2].pictureBytes() == Made.jpeg(2))
        #expect(samples[0].place == path + "/set/00000.jpg")
    }

    @Test func recordsOfJSON() throws {
        let scratch = try Scratch()
        let path = try scratch.write(
            "s.tar",
            Made.tar([
                ("1.png", Made.png(1)), ("1.txt", Array("same".utf8)),
                ("1.json", Array("{\"caption\": \"same\", \"text\": \"other\", \"lang\": \"EN\", \"label\": 7}".utf8)),
                ("2.json", Array("{}".utf8)), ("3.jpg", Made.jpeg(3)), ("3.json", Array("{".utf8)), ("4.cls", Array("x".utf8)),
                ("5.seg.png", Made.png(1)), ("readme", []), ("folder.d/.hidden", []),
            ]))
        let reader = try WebDatasetSource(path: path).open(shard: 0)
        let first = try #require(try reader.next()?.load())
        #expect(first.captions == [Caption("same"), Caption("other", language: "en")])
        #expect(first.label == 7)
        let second = try #require(try reader.next()), third = try #require(try reader.next()), fourth = try #require(try reader.next())
        #expect(dataError { _ = try second.load() }?.problem.contains("no picture") == true)
        #expect(dataError { _ = try third.load() }?.file == path + "/3.json")
        #expect(dataError { _ = try fourth.load() }?.problem.contains("class number") == true)
        #expect(try reader.next() == nil)
    }

    @Test func longNamesAndLargeNumbers() throws {
        let scratch = try Scratch()
        let long = String(repeating: "d/", count: 80) + "name"
        var bytes = Made.tarMember("././@LongLink", Array((long + ".jpg\0").utf8), type: UInt8(ascii: "L"))
        bytes += Made.tarMember("cut", try Made.jpeg(1))
        let records = Made.paxRecord("mtime", "1") + Made.paxRecord("path", long + ".txt")
        bytes += Made.tarMember("PaxHeaders/x", Array(records.utf8), type: UInt8(ascii: "x"))
        bytes += Made.tarMember("cut", Array("caption".utf8))
        bytes += Made.tarMember("a/folder/", [], type: UInt8(ascii: "5"))
        bytes += Made.tarMember("2.jpg", try Made.jpeg(2))
        let samples = try samples(WebDatasetSource(path: scratch.write("s.tar", bytes + [UInt8](repeating: 0, count: 512))))
        #expect(samples.map(\.id) == [long, "2"])
        #expect(samples[0].captions == [Caption("caption")])
    }

    @Test func bracesAndFolders() throws {
        #expect(try BraceExpansion.expand("s-{008..011}.tar") == ["s-008.tar", "s-009.tar", "s-010.tar", "s-011.tar"])
        #expect(try BraceExpansion.expand("{a,b{1..2}}-{x,y}") == ["a-x", "a-y", "b1-x", "b1-y", "b2-x", "b2-y"])
        #expect(try BraceExpansion.expand("{plain}") == ["{plain}"])
        #expect(try BraceExpansion.expand("open{1..2") == ["open{1..2"])
        #expect(throws: BraceExpansion.Problem.self) { try BraceExpansion.expand("{1..2000000}") }
        #expect(throws: BraceExpansion.Problem.self) { try BraceExpansion.expand("{5..2}") }
        #expect(throws: BraceExpansion.Problem.self) { try BraceExpansion.expand("{0..999}{0..999}{0..999}") }
        let scratch = try Scratch()
        for index in 0..<3 { try scratch.write("s-\(index).tar", Made.shard(index..<index + 1)) }
        #expect(try WebDatasetSource(path: scratch.path).shardCount == 3)
        let named = try WebDatasetSource(path: scratch.path("s-{0..1}.tar") + "::" + scratch.path("s-2.tar"))
        #expect(named.shardCount == 3)
        #expect(dataError { _ = try WebDatasetSource(path: scratch.path("s-{0..3}.tar")) }?.file.hasSuffix("s-3.tar") == true)
    }

    /// Each stands for a way in which an archive can be wrong, with a word of the message.
    @Test(arguments: [
        ("checksum", "checksum"), ("cut header", "cut off within a header"), ("cut body", "cut off"), ("huge", "over the limit"),
        ("binary size", "out of range"), ("letters", "octal"), ("pax", "pax header"), ("pax size", "pax header"),
        ("long name", "extension"),
    ])
    func hostileArchives(kind: String, word: String) throws {
        let scratch = try Scratch()
        let good = Made.tarMember("1.txt", Array("first".utf8))
        var bytes = Made.tarMember("2.txt", Array("second".utf8))
        func resealed() {
            for place in 148..<156 { bytes[place] = 0x20 }
            let sum = String(bytes[..<512].reduce(0) { $0 + Int($1) }, radix: 8)
            for (index, byte) in (String(repeating: "0", count: 6 - sum.utf8.count) + sum).utf8.enumerated() { bytes[148 + index] = byte }
        }
        switch kind {
        case "checksum": bytes[0] ^= 1
        case "cut header": bytes = Array(bytes[..<300])
        case "cut body": bytes = Made.tarMember("2.txt", Array("second".utf8), size: 100_000)
        case "huge": bytes = Made.tarMember("2.txt", [], size: 0o7777777777)
        case "binary size":
            for place in 124..<136 { bytes[place] = 0xFF }
            resealed()
        case "letters":
            bytes[124] = UInt8(ascii: "x")
            resealed()
        case "pax": bytes = Made.tarMember("x", Array("99 path=short\n".utf8), type: UInt8(ascii: "x"))
        case "pax size": bytes = Made.tarMember("x", Array(Made.paxRecord("size", "-5").utf8), type: UInt8(ascii: "x"))
        default: bytes = Made.tarMember("x", [UInt8](repeating: 65, count: 2 << 20), type: UInt8(ascii: "L"))
        }
        let path = try scratch.write("s.tar", good + bytes + [UInt8](repeating: 0, count: kind.hasPrefix("cut") ? 0 : 1024))
        let reader = try WebDatasetSource(path: path).open(shard: 0)
        let error = dataError { while let sample = try reader.next() { _ = sample.byteCount } }
        #expect(error?.file == path)
        #expect(error?.problem.contains(word) == true, "\(String(describing: error))")
    }

    @Test func damagedGzip() throws {
        let scratch = try Scratch()
        try Made.gzipped(try Made.shard(0..<20), scratch.path("whole.tar.gz"))
        var bytes = [UInt8](try Data(contentsOf: URL(fileURLWithPath: scratch.path("whole.tar.gz"))))
        let cut = try scratch.write("cut.tar.gz", Array(bytes.prefix(bytes.count / 2)))
        bytes[bytes.count / 2] ^= 0x55
        let flipped = try scratch.write("flipped.tar.gz", bytes)
        for path in [cut, flipped] {
            let reader = try WebDatasetSource(path: path).open(shard: 0)
            let error = dataError { while let sample = try reader.next() { _ = sample.byteCount } }
            #expect(error != nil, "\(path)")
        }
    }
}

@Suite struct HostileBytes {
    /// A changed byte, a cut, an inserted run: nothing may trap, and what is wrong is a `DataError`.
    private func mutated(_ bytes: [UInt8], _ generator: inout SplitMix) -> [UInt8] {
        var bytes = bytes
        for _ in 0...generator.below(4) {
            guard !bytes.isEmpty else { break }
            let place = generator.below(bytes.count)
            switch generator.below(5) {
            case 0: bytes[place] = UInt8(truncatingIfNeeded: generator.next())
            case 1: bytes.removeLast(min(bytes.count, generator.below(600)))
            case 2: bytes.insert(contentsOf: [UInt8](repeating: bytes[place], count: generator.below(50)), at: place)
            case 3: bytes.removeSubrange(place..<min(bytes.count, place + generator.below(40)))
            default: bytes[place] ^= 1 << UInt8(generator.below(8))
            }
        }
        return bytes
    }

    @Test func mutatedArchives() throws {
        let scratch = try Scratch()
        var generator = SplitMix(seed: 11)
        var archive = try Made.shard(0..<2)
        archive = Made.tarMember("x", Array(Made.paxRecord("path", "long/name.jpg").utf8), type: UInt8(ascii: "x")) + archive
        var whole = 0
        for _ in 0..<400 {
            let path = try scratch.write("s.tar", mutated(archive, &generator))
            let reader = try WebDatasetSource(path: path).open(shard: 0)
            let error = dataError { while let sample = try reader.next() { _ = dataError { _ = try sample.load() } } }
            if error == nil { whole += 1 }
        }
        // Changes of pictures and texts leave an archive whole; those of headers don't.
        #expect(whole > 20 && whole < 380)
    }

    @Test func mutatedTables() throws {
        let scratch = try Scratch()
        var generator = SplitMix(seed: 12)
        let tables = [
            ("t.csv", "image,caption,lang,label\n1.jpg,\"a, \"\"b\"\"\nc\",en,1\n2.jpg,二,zh,2\n3.jpg,x,en,3\n"),
            ("t.tsv", "image\tcaption\tlang\n1.jpg\t\"a\"\ten\n2.jpg\t二\tzh\n"),
            (
                "t.jsonl",
                "{\"image\": \"1.jpg\", \"captions\": [\"a\", {\"text\": \"b\"}], \"lang\": \"en\"}\n{\"image\": \"2.jpg\", \"caption\": \"\\u4e8c\"}\n"
            ),
            ("t.json", "{\"images\": [{\"id\": 1, \"file_name\": \"1.jpg\"}], \"annotations\": [{\"image_id\": 1, \"caption\": \"x\"}]}"),
        ]
        for (name, text) in tables {
            var read = 0
            for _ in 0..<300 {
                let path = try scratch.write(name, mutated(Array(text.utf8), &generator))
                let error = dataError {
                    guard let source = try DataOpener.open(path) as? any IndexedSource else { return }
                    for index in 0..<source.count { read += try source.sample(index).captions.count }
                }
                if let error { #expect(error.file.contains(name)) }
            }
            #expect(read > 0)
        }
    }

    @Test func mutatedChineseCLIP() throws {
        let scratch = try Scratch()
        var generator = SplitMix(seed: 13)
        let pictures = "1\t\(Data(try Made.jpeg(1)).base64EncodedString())\n2\t\(Data(try Made.png(2)).base64EncodedString())\n"
        let texts = "{\"text\": \"一\", \"image_ids\": [1]}\n{\"text\": \"二\", \"image_ids\": [2, 1]}\n"
        for _ in 0..<200 {
            let path = try scratch.write("d_imgs.tsv", mutated(Array(pictures.utf8), &generator))
            try scratch.write("d_texts.jsonl", mutated(Array(texts.utf8), &generator))
            _ = dataError {
                let source = try ChineseCLIPSource(pictures: path)
                for index in 0..<source.count { _ = dataError { _ = try source.sample(index).decoded() } }
            }
        }
    }
}

/// The same numbers in every run.
struct SplitMix {
    private var state: UInt64
    init(seed: UInt64) { state = seed }
    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        return SampleRandom.mix(state)
    }
    mutating func below(_ bound: Int) -> Int { Int(next() % UInt64(max(bound, 1))) }
}
