import Foundation
import Testing

import Tokenizers

@Suite("Model folders")
struct FolderTests {
    private func withFolder(_ files: [String: Data], _ body: (URL) throws -> Void) throws {
        let folder = FileManager.default.temporaryDirectory.appendingPathComponent("tokenizers-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: folder) }
        for (name, data) in files { try data.write(to: folder.appendingPathComponent(name)) }
        try body(folder)
    }

    /// The older files that a `tokenizer.json` of BPE kind stands for.
    private func bpeFiles(_ name: String) throws -> [String: Data] {
        let state = try #require(try JSONSerialization.jsonObject(with: Data(Golden.bytes("\(name).json"))) as? [String: Any])
        let model = try #require(state["model"] as? [String: Any])
        let merges = try #require(model["merges"] as? [[String]])
        return [
            "vocab.json": try JSONSerialization.data(withJSONObject: try #require(model["vocab"])),
            "merges.txt": Data(("#version: 0.2\n" + merges.map { $0.joined(separator: " ") }.joined(separator: "\n") + "\n").utf8),
        ]
    }

    @Test func clipFromVocabularyAndMerges() throws {
        try withFolder(bpeFiles("clip")) { folder in
            let tokenizer = try Tokenizer.load(folder: folder)
            let expected = try Tokenizer(json: Golden.bytes("clip.json"))
            #expect(Golden.corpus.prefix(1000).first { tokenizer.encode($0) != expected.encode($0) } == nil)
            #expect(tokenizer.specialTokens.end == 1 && tokenizer.specialTokens.beginning == 0 && tokenizer.specialTokens.padding == 1)
            #expect(tokenizer.decode(tokenizer.encode("A photograph of the sunset").ids) == "a photograph of the sunset")
        }
    }

    @Test func gpt2FromVocabularyAndMerges() throws {
        var files = try bpeFiles("gpt2")
        files["tokenizer_config.json"] = Data(#"{"add_prefix_space":true,"model_max_length":1024,"tokenizer_class":"GPT2Tokenizer"}"#.utf8)
        try withFolder(files) { folder in
            let tokenizer = try Tokenizer.load(folder: folder)
            #expect(tokenizer.modelMaximumLength == 1024)
            let expected = try Tokenizer(json: Golden.bytes("gpt2.json"))
            let lines = Golden.corpus.prefix(1000).filter { !$0.contains("café") && !$0.contains("<") && !$0.contains("single") }
            #expect(lines.first { tokenizer.encode($0).ids != expected.encode($0).ids } == nil)
        }
    }

    @Test func bertFromVocabulary() throws {
        let state = try #require(try JSONSerialization.jsonObject(with: Data(Golden.bytes("wordpiece.json"))) as? [String: Any])
        let vocabulary = try #require((state["model"] as? [String: Any])?["vocab"] as? [String: Int])
        let lines = vocabulary.sorted { $0.value < $1.value }.map(\.key).joined(separator: "\n") + "\n"
        try withFolder(["vocab.txt": Data(lines.utf8), "tokenizer_config.json": Data(#"{"do_lower_case":true}"#.utf8)]) { folder in
            let tokenizer = try Tokenizer.load(folder: folder)
            let expected = try Tokenizer(json: Golden.bytes("wordpiece.json"))
            #expect(Golden.corpus.prefix(1000).first { tokenizer.encode($0) != expected.encode($0) } == nil)
            #expect(tokenizer.specialTokens.mask == tokenizer.id(of: "[MASK]") && tokenizer.specialTokens.padding == 0)
        }
        try withFolder(["vocab.txt": Data(lines.utf8), "tokenizer_config.json": Data(#"{"do_lower_case":false}"#.utf8)]) { folder in
            let cased = try Tokenizer.load(folder: folder)
            #expect(cased.encode("BICYCLE").ids != cased.encode("bicycle").ids)
        }
    }

    @Test func sentencePieceWithEnd() throws {
        let model = Data(try Golden.bytes("sentencepiece_unigram.model"))
        try withFolder([
            "spiece.model": model, "tokenizer_config.json": Data(#"{"tokenizer_class":"T5Tokenizer","eos_token":"</s>"}"#.utf8),
        ]) { folder in
            let tokenizer = try Tokenizer.load(folder: folder)
            let plain = try Tokenizer.sentencePiece(model: [UInt8](model))
            let text = "a red bicycle 自行车"
            #expect(tokenizer.encode(text).ids == plain.encode(text).ids + [2])
            #expect(tokenizer.encode(text).specialTokensMask.last == 1)
            #expect(tokenizer.encode(text, maxLength: 3).ids == plain.encode(text).ids.prefix(2) + [2])
        }
    }

    @Test func configurationNamesItsField() throws {
        let files = [
            "tokenizer.json": Data(try Golden.bytes("clip.json")), "tokenizer_config.json": Data(#"{"do_lower_case":"yes"}"#.utf8),
        ]
        try withFolder(files) { folder in
            let error = #expect(throws: TokenizerError.self) { try Tokenizer.load(folder: folder) }
            #expect(error?.field == "do_lower_case")
            #expect(error?.file.hasSuffix("tokenizer_config.json") == true)
        }
    }
}
