import Foundation
import Testing

import Tokenizers

@Suite("Equality with the reference packages, line by line")
struct ParityTests {
    @Test("tokenizer.json", arguments: ["clip", "gpt2", "qwen", "llama", "prefixed", "wordpiece", "wordlevel", "unigram"])
    func library(name: String) throws {
        try expectEqual(Tokenizer(json: Golden.bytes("\(name).json")), to: name)
    }

    @Test("SentencePiece .model", arguments: ["sentencepiece_unigram", "sentencepiece_bpe"])
    func sentencePiece(name: String) throws {
        try expectEqual(.sentencePiece(model: Golden.bytes("\(name).model")), to: name)
    }
}

/// Vocabularies that are not part of the repository; `make setup` puts them into the cache.
enum RealVocabularies {
    static func path(_ name: String) -> URL {
        let cache =
            ProcessInfo.processInfo.environment["SENSORIUM_CACHE"].map { URL(fileURLWithPath: $0) }
            ?? FileManager.default.homeDirectoryForCurrentUser.appendingPathComponent(".cache/sensorium")
        return cache.appendingPathComponent("vocabularies/\(name)")
    }

    static func exists(_ name: String) -> Bool { FileManager.default.fileExists(atPath: path(name).path) }
    static func bytes(_ name: String) throws -> [UInt8] { [UInt8](try Data(contentsOf: path(name))) }
}

@Suite("Equality with the published vocabularies")
struct RealVocabularyTests {
    @Test(.enabled(if: RealVocabularies.exists("clip_bpe.txt"), "vocabularies/clip_bpe.txt is not in the cache; `make setup` fetches it"))
    func clip() throws {
        try expectEqual(.clip(merges: RealVocabularies.bytes("clip_bpe.txt")), to: "real_clip")
    }

    @Test(
        .enabled(
            if: RealVocabularies.exists("chinese_bert.txt"), "vocabularies/chinese_bert.txt is not in the cache; `make setup` fetches it"))
    func chineseBERT() throws {
        try expectEqual(.bert(vocabulary: RealVocabularies.bytes("chinese_bert.txt")), to: "real_chinese_bert")
    }
}
