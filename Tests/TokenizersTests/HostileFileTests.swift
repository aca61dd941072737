import Foundation
import Testing

import Tokenizers

@Suite("Files that are wrong")
struct HostileFileTests {
    private func model(_ fields: String) -> String {
        #"{"model":{"type":"BPE","vocab":{"a":0,"b":1,"ab":2},"merges":["a b"]\#(fields.isEmpty ? "" : "," + fields)}}"#
    }

    @Test(
        "the error names the field",
        arguments: [
            ("", ""), ("{", ""), ("[]", ""), ("{\"a\":1,}", ""), (String(repeating: "[", count: 5000), ""), ("{\"x\":\"\\ud800\"}", ""),
            ("{\"x\":01}", ""),
            ("{}", "model"), (#"{"version":"2.0"}"#, "version"), (#"{"model":{"type":"Magic"}}"#, "model.type"),
            (#"{"model":{"type":"BPE","vocab":{"a":-1},"merges":[]}}"#, "model.vocab"),
            (#"{"model":{"type":"BPE","vocab":{"a":1.5},"merges":[]}}"#, "model.vocab"),
            (#"{"model":{"type":"BPE","vocab":{"a":99999999999},"merges":[]}}"#, "model.vocab"),
            (#"{"model":{"type":"BPE","vocab":{"a":0,"b":0},"merges":[]}}"#, "model.vocab"),
            (#"{"model":{"type":"BPE","vocab":{"a":0}}}"#, "model.merges"),
            (#"{"model":{"type":"BPE","vocab":{"a":0},"merges":["a"]}}"#, "model.merges[0]"),
            (#"{"model":{"type":"BPE","vocab":{"a":0},"merges":["a b c"]}}"#, "model.merges[0]"),
            (#"{"model":{"type":"BPE","vocab":{"a":0},"merges":["a b"]}}"#, "model.merges[0]"),
            (#"{"model":{"type":"BPE","vocab":{"a":0},"merges":[["a"]]}}"#, "model.merges"),
            (#"{"model":{"type":"BPE","vocab":{},"merges":[],"dropout":0.5}}"#, "model.dropout"),
            (#"{"model":{"type":"Unigram","unk_id":3,"vocab":[["a",0]]}}"#, "model.unk_id"),
            (#"{"model":{"type":"Unigram","vocab":[["a"]]}}"#, "model.vocab"),
            (
                #"{"model":{"type":"WordPiece","vocab":{"a":0},"unk_token":"u","continuing_subword_prefix":"","max_input_chars_per_word":9}}"#,
                "model.unk_token"
            ),
        ])
    func fields(json: String, field: String) {
        let error = #expect(throws: TokenizerError.self) { try Tokenizer(json: Array(json.utf8), file: "t.json") }
        #expect(error?.file == "t.json")
        #expect(error?.field == field, "\(String(describing: error))")
        #expect(error.map { $0.description.hasPrefix("t.json: ") } == true)
    }

    @Test(
        "unknown and malformed components are named",
        arguments: [
            (#""normalizer":{"type":"Magic"}"#, "normalizer.type"),
            (#""normalizer":{"type":"Sequence","normalizers":[{"type":"NFC"},{"type":"X"}]}"#, "normalizer.normalizers[1].type"),
            (#""pre_tokenizer":{"type":"UnicodeScripts"}"#, "pre_tokenizer.type"), (#""decoder":{"type":"X"}"#, "decoder.type"),
            (#""post_processor":{"type":"X"}"#, "post_processor.type"),
            (
                #""pre_tokenizer":{"type":"Split","pattern":{"Regex":"("},"behavior":"Removed","invert":false}"#,
                "pre_tokenizer.pattern.Regex"
            ),
            (#""pre_tokenizer":{"type":"Split","pattern":{"String":"a"},"behavior":"No","invert":false}"#, "pre_tokenizer.behavior"),
            (#""pre_tokenizer":{"type":"Metaspace","replacement":"ab"}"#, "pre_tokenizer.replacement"),
            (#""normalizer":{"type":"Precompiled","precompiled_charsmap":"/////w=="}"#, "normalizer.precompiled_charsmap"),
            (#""normalizer":{"type":"Precompiled","precompiled_charsmap":"**"}"#, "normalizer.precompiled_charsmap"),
            (
                #""post_processor":{"type":"TemplateProcessing","single":[{"SpecialToken":{"id":"x","type_id":0}}],"pair":[],"special_tokens":{}}"#,
                "post_processor.single[0].SpecialToken.id"
            ),
            (
                #""padding":{"strategy":{"Fixed":99999999999},"direction":"Left","pad_id":0,"pad_type_id":0,"pad_token":""}"#,
                "padding.strategy.Fixed"
            ),
            (#""truncation":{"max_length":-1,"strategy":"LongestFirst","stride":0}"#, "truncation.max_length"),
            (#""added_tokens":[{"id":-1,"content":"a"}]"#, "added_tokens[0].id"),
        ])
    func components(member: String, field: String) {
        let json = #"{"model":{"type":"BPE","vocab":{"a":0},"merges":[]},"# + member + "}"
        let error = #expect(throws: TokenizerError.self) { try Tokenizer(json: Array(json.utf8)) }
        #expect(error?.field == field, "\(String(describing: error))")
    }

    @Test func vocabularyFiles() {
        #expect(throws: TokenizerError(file: "vocab.txt", "the unknown token [UNK] is missing")) {
            try Tokenizer.bert(vocabulary: Array("a\nb".utf8))
        }
        #expect(throws: TokenizerError.self) { try Tokenizer.clip(merges: Array("#\nxx yy\n".utf8)) }
        #expect(throws: TokenizerError.self) { try Tokenizer.clip(merges: Array("#\na b</w>\na b</w>\n".utf8)) }
        #expect(throws: TokenizerError.self) { try Tokenizer.clip(merges: [0x23, 10, 0xFF, 0x20, 0xFE]) }
        #expect(throws: TokenizerError.self) { try Tokenizer.sentencePiece(model: []) }
        #expect(throws: TokenizerError.self) { try Tokenizer.sentencePiece(model: [0x0A, 0xFF, 0xFF, 0xFF, 0xFF, 0x7F]) }
        let nowhere = URL(fileURLWithPath: "/nonexistent-folder")
        #expect(throws: TokenizerError.self) { try Tokenizer.load(folder: nowhere) }
    }

    private static let names = [
        "clip.json", "gpt2.json", "qwen.json", "llama.json", "prefixed.json", "wordpiece.json", "wordlevel.json", "unigram.json",
        "sentencepiece_unigram.model", "sentencepiece_bpe.model",
    ]

    /// 200 damaged copies of each file: what still loads must still encode and decode.
    @Test("damaged files never trap", arguments: names)
    func damaged(name: String) throws {
        let original = try Golden.bytes(name)
        let text = Golden.corpus[100..<104].joined(separator: " ") + "<sp> 自行车"
        var state = original.reduce(UInt64(0x9E37)) { ($0 ^ UInt64($1)) &* 0x100_0000_01B3 }
        func random(_ bound: Int) -> Int {
            state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
            return Int(state >> 33) % bound
        }
        // Structure lies in the first and last parts; most of the rest is vocabulary.
        func place(_ count: Int) -> Int {
            switch random(3) {
            case 0: random(min(count, 3000))
            case 1: count - 1 - random(min(count, 300))
            default: random(count)
            }
        }
        for round in 0..<200 {
            var bytes = original
            for _ in 0...random(4) {
                let at = place(bytes.count)
                switch random(5) {
                case 0: bytes[at] = UInt8(random(256))
                case 1: bytes[at] ^= 1 << UInt8(random(8))
                case 2: bytes.remove(at: at)
                case 3: bytes.insert([0x22, 0x2C, 0x5D, 0x7D, 0x30, 0x39, 0xFF, 0x80][random(8)], at: at)
                default:
                    if round % 10 == 0 {
                        bytes.removeSubrange(at...)
                    } else {
                        bytes.replaceSubrange(at..<min(at + 4, bytes.count), with: bytes[0..<min(4, bytes.count)])
                    }
                }
                if bytes.isEmpty { break }
            }
            guard let tokenizer = try? name.hasSuffix(".model") ? Tokenizer.sentencePiece(model: bytes) : Tokenizer(json: bytes) else {
                continue
            }
            let encoding = tokenizer.encode(text, pair: text, maxLength: 50)
            #expect(encoding.tokens.count == encoding.ids.count && encoding.offsets.count == encoding.ids.count)
            _ = tokenizer.decode(encoding.ids)
        }
    }
}
