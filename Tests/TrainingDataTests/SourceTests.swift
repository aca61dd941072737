import Checkpoints
import Foundation
import Imaging
import Tensors
import Testing

@testable import TrainingData

@Suite struct FolderSourceTests {
    @Test func captionsBesidePictures() throws {
        let scratch = try Scratch()
        try scratch.write("a/x.jpg", Made.jpeg(1))
        try scratch.write("a/x.txt", "a dog\n\n  a dog  \na cat\r\n")
        try scratch.write("a/x.zh.txt", "\u{FEFF}一只狗")
        try scratch.write("b.PNG", Made.png(2))
        try scratch.write("b.PNG.txt", "named after the whole name")
        try scratch.write("alone.jpg", Made.jpeg(3))
        try scratch.write("gone.txt", "no picture")
        try scratch.write(".hidden.jpg", Made.jpeg(4))
        let source = try FolderSource(path: scratch.path)
        #expect(source.layout == .captions)
        #expect(source.count == 2)
        #expect(try source.sample(0).id == "b.PNG")
        let sample = try source.sample(1)
        #expect(sample.id == "a/x.jpg")
        #expect(Set(sample.captions) == [Caption("a dog"), Caption("a cat"), Caption("一只狗", language: "zh")])
        #expect(try sample.decoded().width == 24)
        #expect(source.problems.count == 2)
        #expect(source.problems.first.contains { $0.file.hasSuffix("gone.txt") && $0.problem.contains("without its picture") })
        #expect(source.problems.first.contains { $0.file.hasSuffix("alone.jpg") })
    }

    @Test func foldersAreClasses() throws {
        let scratch = try Scratch()
        for (index, name) in ["dog/1.jpg", "dog/deeper/2.jpg", "cat/3.jpg"].enumerated() { try scratch.write(name, Made.jpeg(index)) }
        try scratch.write("stray.jpg", Made.jpeg(9))
        let source = try FolderSource(path: scratch.path)
        #expect(source.layout == .classes)
        #expect(source.classNames == ["cat", "dog"])
        #expect(try (0..<source.count).map { try source.sample($0).label } == [0, 1, 1])
        #expect(source.problems.count == 1)
    }

    @Test func emptyFoldersAndLoopsOfLinks() throws {
        let scratch = try Scratch()
        try scratch.write("empty/readme.md", "")
        let error = dataError { _ = try FolderSource(path: scratch.path("empty")) }
        #expect(error?.problem.contains("no pictures") == true)
        #expect(dataError { _ = try FolderSource(path: scratch.path("absent")) } != nil)
        try scratch.write("loop/x.jpg", Made.jpeg(1))
        try FileManager.default.createSymbolicLink(atPath: scratch.path("loop/again"), withDestinationPath: scratch.path("loop"))
        #expect(try FolderSource(path: scratch.path("loop")).count == 1)
        let captions = dataError { _ = try FolderSource(path: scratch.path("loop"), layout: .captions) }
        #expect(captions?.problem.contains("no caption beside any") == true)
    }
}

@Suite struct TableSourceTests {
    @Test func rowsOfOnePictureAreOneSample() throws {
        let scratch = try Scratch()
        let path = try scratch.write(
            "t.csv",
            "\u{FEFF}filepath,title,lang,label\r\np/1.jpg,\"a \"\"big\"\", red\ncar\",en,car\np/2.jpg,一棵树,zh,tree\np/1.jpg,一辆车,zh,car\n")
        let source = try TableSource(path: path)
        #expect(source.count == 2)
        #expect(source.problems.isEmpty)
        #expect(source.classNames == ["car", "tree"])
        let sample = try source.sample(0)
        #expect(sample.captions == [Caption("a \"big\", red\ncar", language: "en"), Caption("一辆车", language: "zh")])
        #expect(sample.label == 0)
        guard case let .file(file) = sample.picture else {
            Issue.record("another kind of picture")
            return
        }
        #expect(file.description == scratch.path("p/1.jpg"))
    }

    @Test func tablesOfTwoLanguagesJoin() throws {
        let scratch = try Scratch()
        let en = try scratch.write(
            "val.en.jsonl",
            "{\"image\": \"v/1.jpg\", \"captions\": [\"a dog\", \"dogs\"]}\n{\"image\": \"v/2.jpg\", \"captions\": [\"tree\"]}\n")
        let zh = try scratch.write(
            "val.zh.jsonl", "{\"image\": \"v/2.jpg\", \"captions\": [\"树\"]}\n{\"image\": \"v/1.jpg\", \"captions\": []}\n")
        let source = try TableSource([.init(en), .init(zh)])
        #expect(source.count == 2)
        #expect(try source.sample(0).captions == [Caption("a dog", language: "en"), Caption("dogs", language: "en")])
        #expect(try source.sample(1).captions == [Caption("tree", language: "en"), Caption("树", language: "zh")])
        let opened = try DataOpener.open("\(en), \(zh)")
        #expect(opened.fingerprint == source.fingerprint)
    }

    @Test func captionsInTheirManyForms() throws {
        let scratch = try Scratch()
        let path = try scratch.write(
            "t.jsonl",
            """
            {"image": "1.jpg", "caption": {"en": "one", "zh": ["一", "壹"]}, "label": 4}
            {"image": "2.jpg", "captions": [{"text": "two", "lang": "en"}, "zwei"], "lang": "de"}
            {"image": "3.jpg", "caption_en": "three", "caption_zh": "三"}

            """)
        let source = try TableSource(path: path)
        #expect(source.problems.isEmpty)
        #expect(
            try source.sample(0).captions == [Caption("one", language: "en"), Caption("一", language: "zh"), Caption("壹", language: "zh")])
        #expect(try source.sample(0).label == 4)
        #expect(try source.sample(1).captions == [Caption("two", language: "en"), Caption("zwei", language: "de")])
        #expect(Set(try source.sample(2).captions) == [Caption("three", language: "en"), Caption("三", language: "zh")])
    }

    @Test func badRowsAreNamedAndLeftOut() throws {
        let scratch = try Scratch()
        var bytes = Array(
            "image\tcaption\tlang\n1.jpg\t\"quoted\" only in part\ten\n2.jpg\tshort\n\tx\ten\n3.jpg\tx\tnot a tag\n4.jpg\t".utf8)
        bytes += [0xFF, 0xFE] + Array("\ten\n5.jpg\tlast\ten".utf8)
        let path = try scratch.write("t.tsv", bytes)
        let source = try TableSource(path: path)
        #expect(source.count == 2)
        #expect(try source.sample(0).captions == [Caption("\"quoted\" only in part", language: "en")])
        #expect(try source.sample(1).captions == [Caption("last", language: "en")])
        #expect(source.problems.first.map(\.line) == [3, 4, 5, 6])
        #expect(source.problems.first.map(\.field) == [nil, "image", "lang", "caption"])
    }

    @Test func missingColumnsSayWhatIsThere() throws {
        let scratch = try Scratch()
        let path = try scratch.write("t.csv", "bild,titel\n1.jpg,x\n")
        let error = dataError { _ = try TableSource(path: path) }
        #expect(error?.description.contains("bild") == true && error?.line == 1)
        let source = try TableSource(path: path, columns: TableColumns(picture: "bild", captions: ["titel"]))
        #expect(try source.sample(0).captions == [Caption("x")])
        let near = dataError { _ = try TableSource(path: path, columns: TableColumns(picture: "bidl")) }
        #expect(near?.problem.contains("did you mean") == true)
    }

    @Test func longLinesAndOpenQuotes() throws {
        let scratch = try Scratch()
        var limits = DataLimits()
        limits.lineBytes = 64
        let long = "{\"image\": \"" + String(repeating: "x", count: 4 << 20) + "\"}"
        let path = try scratch.write("t.jsonl", long + "\n{\"image\": \"1.jpg\", \"caption\": \"x\"}\n" + long)
        let source = try TableSource(path: path, limits: limits)
        #expect(source.count == 1)
        #expect(source.problems.first.map(\.line) == [1, 3])
        let open = try scratch.write("t.csv", "image,caption\n1.jpg,x\n2.jpg,\"never closed\n3.jpg,x\n")
        let table = try TableSource(path: open)
        #expect(table.count == 1)
        #expect(table.problems.first.map(\.line) == [3])
    }

    @Test func aTableThatShrankIsAnError() throws {
        let scratch = try Scratch()
        let path = try scratch.write("t.csv", "image,caption\n1.jpg,x\n2.jpg,y\n")
        let source = try TableSource(path: path)
        let handle = try #require(FileHandle(forWritingAtPath: path))
        try handle.truncate(atOffset: 20)
        #expect(dataError { _ = try source.sample(1) }?.problem.contains("ends at byte") == true)
    }
}

@Suite struct OtherSourceTests {
    @Test func chineseCLIP() throws {
        let scratch = try Scratch()
        let pictures = try (0..<3).map { try Made.jpeg($0) }
        let base64 = pictures.map { Data($0).base64EncodedString() }
        let urlSafe = base64[1].replacingOccurrences(of: "+", with: "-").replacingOccurrences(of: "/", with: "_")
            .replacingOccurrences(of: "=", with: "")
        let path = try scratch.write("MUGE_imgs.tsv", "7\t\(base64[0])\n8\t\(urlSafe)\n9\t\(base64[2])\n10\t!!!!\nbroken\n")
        try scratch.write(
            "MUGE_texts.jsonl",
            """
            {"text_id": 1, "text": "高跟鞋", "image_ids": [7, 8]}
            {"text_id": 2, "text": "连衣裙", "image_ids": [8]}
            {"text_id": 3, "text": "没有图", "image_ids": [99]}
            {"text_id": 4, "text": "坏", "image_ids": [10]}
            {"text_id": 5, "image_ids": [7]}
            """)
        let source = try ChineseCLIPSource(pictures: path)
        #expect(source.count == 3)
        #expect(try source.sample(0).captions == [Caption("高跟鞋", language: "zh")])
        #expect(try source.sample(1).captions.map(\.text) == ["高跟鞋", "连衣裙"])
        #expect(try source.sample(0).pictureBytes() == pictures[0])
        #expect(try source.sample(1).pictureBytes() == pictures[1])
        let bad = dataError { _ = try source.sample(2) }
        #expect(bad?.line == 4 && bad?.problem.contains("base64") == true)
        #expect(source.problems.count == 4)
        #expect(try DataOpener.open(scratch.path).fingerprint == source.fingerprint)
    }

    @Test func base64OfAllLengths() throws {
        var generator = RandomGenerator(seed: 3)
        for count in 0..<70 {
            let bytes = (0..<count).map { _ in UInt8(truncatingIfNeeded: generator.next()) }
            let text = Array(Data(bytes).base64EncodedString().utf8)
            #expect(try Base64.decode(text[...]) == bytes)
            #expect(try Base64.decode(text.filter { $0 != 0x3D }[...]) == bytes)
        }
        for bad in ["A", "AA=A", "AAAA=", "AB C", "AAAAA===", "====", "A==="] {
            #expect(throws: Base64.Problem.self) { try Base64.decode(Array(bad.utf8)[...]) }
        }
    }

    @Test func cocoCaptions() throws {
        let scratch = try Scratch()
        let path = try scratch.write(
            "captions.json",
            """
            {"images": [{"id": 1, "file_name": "1.jpg"}, {"id": 2, "file_name": "2.jpg"}, {"file_name": "3.jpg"}],
             "annotations": [{"image_id": 1, "caption": "A dog. "}, {"image_id": 1, "caption": "Dogs."}, {"image_id": 5, "caption": "gone"},
                             {"image_id": 1}]}
            """)
        let source = try COCOSource(path: path, pictures: "/pictures")
        #expect(source.count == 1)
        #expect(try source.sample(0).captions == [Caption("A dog.", language: "en"), Caption("Dogs.", language: "en")])
        guard case let .file(file) = try source.sample(0).picture else {
            Issue.record("another kind of picture")
            return
        }
        #expect(file.description == "/pictures/1.jpg")
        #expect(source.problems.count == 4)
        let karpathy = try scratch.write(
            "k.json",
            """
            {"images": [{"imgid": 0, "filename": "a.jpg", "filepath": "val2014", "split": "val", "sentences": [{"raw": "x"}]},
                        {"imgid": 1, "filename": "b.jpg", "split": "train", "sentences": [{"raw": "y"}]}]}
            """)
        #expect(try COCOSource(path: karpathy).count == 2)
        let part = try COCOSource(path: karpathy, split: "val")
        #expect(part.count == 1)
        #expect(try part.sample(0).captions.map(\.text) == ["x"])
        let other = try scratch.write("o.json", "{\"a\": 1}")
        #expect(dataError { _ = try COCOSource(path: other) }?.field == "images")
        let cut = try scratch.write("c.json", "{\"images\": [")
        #expect(dataError { _ = try COCOSource(path: cut) }?.problem.contains("not JSON") == true)
    }

    @Test func featuresOfSamples() throws {
        let scratch = try Scratch()
        let table = try scratch.write("t.csv", "image,caption,id\na.jpg,x,a\nb.jpg,y,b\nc.jpg,z,c\n")
        let base = try TableSource(path: table)
        let rows = try Tensor([Float](arrayLiteral: 1, 2, 3, 4, 5, 6), [3, 2])
        try NumpyWriter.write(rows.asType(.f16), to: scratch.path("f.npy"))
        let source = try FeatureSource(path: scratch.path("f.npy"), base: base)
        guard case let .features(row) = try source.sample(1).picture else {
            Issue.record("another kind of picture")
            return
        }
        #expect(row.floats() == [3, 4] && row.dtype == .f16)
        #expect(try source.sample(1).captions == [Caption("y")])
        let ids = try scratch.write("ids.txt", "c\na\nb\n")
        guard case let .features(other) = try FeatureSource(path: scratch.path("f.npy"), base: base, ids: ids).sample(0).picture else {
            Issue.record("another kind of picture")
            return
        }
        #expect(other.floats() == [3, 4])
        try NumpyWriter.write(Tensor([Int64](arrayLiteral: 2, 0, 1), [3]), to: scratch.path("l.npy"))
        #expect(try FeatureSource(path: scratch.path("f.npy"), labels: scratch.path("l.npy")).sample(0).label == 2)
        let few = try JoinedSource([base, base])
        #expect(dataError { _ = try FeatureSource(path: scratch.path("f.npy"), base: few) }?.problem.contains("3 rows for the 6") == true)
    }

    @Test func joinedAndSubsetSources() throws {
        let scratch = try Scratch()
        let first = try TableSource(path: scratch.write("a.csv", "image,caption\na.jpg,x\nb.jpg,y\n"))
        let second = try TableSource(path: scratch.write("b.csv", "image,caption\nc.jpg,z\n"))
        let joined = try JoinedSource([first, second], repeats: [1, 3])
        #expect(try (0..<joined.count).map { try joined.sample($0).id } == ["a.jpg", "b.jpg", "c.jpg", "c.jpg", "c.jpg"])
        #expect(dataError { _ = try JoinedSource([first], repeats: [0]) } != nil)
        let subset = try SubsetSource(joined, indices: [2, 0])
        #expect(try (0..<subset.count).map { try subset.sample($0).id } == ["c.jpg", "a.jpg"])
        #expect(dataError { _ = try SubsetSource(joined, indices: [5]) } != nil)
        #expect(subset.fingerprint != joined.fingerprint)
    }

    @Test func whatCannotBeOpenedSaysWhy() throws {
        let scratch = try Scratch()
        #expect(dataError { _ = try DataOpener.open(scratch.path("absent")) }?.problem.contains("no such folder") == true)
        #expect(dataError { _ = try DataOpener.open(scratch.path("absent.csv")) }?.file.hasSuffix("absent.csv") == true)
        #expect(dataError { _ = try DataOpener.open("") } != nil)
    }
}
