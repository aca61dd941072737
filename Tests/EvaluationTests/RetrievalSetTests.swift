import Evaluation
import Testing

@Suite struct RetrievalSetTests {
    private func read(
        _ text: String, as name: String = "captions.jsonl", split: String? = nil, pictures: [String]? = nil, needsText: Bool = true
    ) throws -> RetrievalSet {
        try RetrievalSet(files: [(name, Array(text.utf8))], split: split, pictures: pictures, needsText: needsText)
    }

    private let expected = ["one", "two", "three"]

    @Test(arguments: [
        #"{"file": "a.jpg", "captions": ["one", "two"]}"# + "\n\n" + #"{"file": "b.jpg", "captions": ["three"]}"#,
        #"{"image": "a.jpg", "caption": "one"}"# + "\r\n" + #"{"image": "a.jpg", "caption": "two"}"# + "\n"
            + #"{"image": "b.jpg", "text": "three"}"#,
        #"{"text_id": 1, "text": "one", "image_ids": ["a.jpg"]}"# + "\n" + #"{"text_id": 2, "text": "two", "image_ids": ["a.jpg"]}"#
            + "\n" + #"{"text_id": 3, "text": "three", "image_ids": ["b.jpg"]}"#,
        #"{"file_name": "a.jpg", "captions": [{"text": "one"}, {"caption": "two"}]}"# + "\n" + #"{"path": "b.jpg", "sentence": "three"}"#,
    ]) func linesAreRead(text: String) throws {
        let set = try read(text)
        #expect(set.pictures == ["a.jpg", "b.jpg"])
        #expect(set.captions.map(\.text) == expected && set.captions.map(\.pictures) == [[0], [0], [1]])
    }

    @Test func documentsOfCOCOAndKarpathyAreRead() throws {
        let coco = try read(
            """
            {"images": [{"id": 7, "file_name": "a.jpg"}, {"id": 9, "file_name": "b.jpg"}],
             "annotations": [{"image_id": 7, "caption": "one"}, {"image_id": 7, "caption": "two"}, {"image_id": 9, "caption": "three"}]}
            """, as: "captions.json")
        #expect(coco.pictures == ["a.jpg", "b.jpg"] && coco.captions.map(\.pictures) == [[0], [0], [1]])
        let karpathy = """
            {"images": [
              {"filename": "a.jpg", "filepath": "val2014", "split": "test", "sentences": [{"raw": "one"}, {"raw": "two"}]},
              {"filename": "c.jpg", "filepath": "val2014", "split": "train", "sentences": [{"raw": "other"}]},
              {"filename": "b.jpg", "split": "test", "sentences": [{"raw": "three"}]}]}
            """
        let test = try read(karpathy, as: "dataset.json", split: "test")
        #expect(test.pictures == ["val2014/a.jpg", "b.jpg"] && test.captions.map(\.text) == expected)
        #expect(try read(karpathy, as: "dataset.json").captions.count == 4)
        let list = try read(#"[{"image": "a.jpg", "caption": ["one", "two"]}, {"image": "b.jpg", "caption": "three"}]"#, as: "list.json")
        #expect(list.captions.map(\.text) == expected)
    }

    @Test func languagesAreTakenApart() throws {
        let set = try RetrievalSet(files: [
            ("val.en.jsonl", Array(#"{"image": "a", "captions": ["one", "two"]}"#.utf8)),
            ("val.zh.jsonl", Array((#"{"image": "a", "captions": ["一"]}"# + "\n" + #"{"image": "b", "text": "二"}"#).utf8)),
            ("more.jsonl", Array(#"{"image": "b", "text": "three", "lang": "en"}"#.utf8)),
        ])
        #expect(set.languages == ["en", "zh"] && set.pictures == ["a", "b"])
        let chinese = try set.part(inLanguage: "zh")
        #expect(chinese.captions == [2, 3] && chinese.pictures == [0, 1] && chinese.set.captions.map(\.text) == ["一", "二"])
        let english = try set.part(inLanguage: "en")
        #expect(english.captions == [0, 1, 4] && english.set.captions.map(\.pictures) == [[0], [0], [1]])
    }

    @Test func lostPicturesTakeTheirCaptions() throws {
        let set = try RetrievalSet(
            pictures: ["a", "b", "c"],
            captions: [.init(text: "one", pictures: [0]), .init(text: "both", pictures: [1, 2]), .init(text: "two", pictures: [1])])
        let part = try set.part(without: [1])
        #expect(part.set.pictures == ["a", "c"] && part.captions == [0, 1] && part.set.captions.map(\.pictures) == [[0], [1]])
        #expect(throws: EvaluationError.self) { try set.part(without: [0, 1, 2]) }
    }

    @Test func rowsOfArraysNeedNoText() throws {
        let set = try read(#"{"image": 1}"# + "\n" + #"{"image_ids": [0, 2]}"#, pictures: ["0", "1", "2"], needsText: false)
        #expect(set.captions.map(\.pictures) == [[1], [0, 2]] && set.pictures.count == 3)
    }

    @Test(arguments: [
        ("", "no captions"), ("{", "line 1"), ("[1]", "line 1: expected an object"), (#"{"captions": ["x"]}"#, "no picture is named"),
        (#"{"file": "a"}"#, "there are no captions"), (#"{"file": "a", "captions": [3]}"#, "expected a caption, found 3"),
        (#"{"image_ids": [], "text": "x"}"#, "belongs to no picture"), (#"{"file": {}, "text": "x"}"#, "found an object"),
        (#"{"file": "a", "text": "x"}"# + "\n{\"file\"", "line 2"),
    ]) func whatIsWrongIsNamed(text: String, problem: String) {
        do {
            _ = try read(text)
            Issue.record("accepted")
        } catch { #expect("\(error)".contains(problem), "\(error)") }
    }

    @Test func unknownRowsAreNamed() throws {
        #expect {
            try read(#"{"image": 3}"#, pictures: ["0", "1", "2"], needsText: false)
        } throws: { "\($0)".contains("picture 3 isn't among the 3 that there are numbered from 0") }
        #expect { try read(#"{"images": [], "annotations": [{"image_id": 1, "caption": "x"}]}"#, as: "x.json") } throws: {
            "\($0)".contains("image 1, which isn't among the images")
        }
        #expect { try read(#"{"file": "a", "text": "x", "split": "train"}"#, split: "test") } throws: { "\($0)".contains("split \"test\"") }
    }
}
