import Foundation
import Testing

import Tokenizers

@Suite("Pairs, truncation, padding")
struct OptionTests {
    private struct Case: Decodable {
        let tokenizer: String
        let text: String
        let pair: String?
        let special: Bool
        let ids: [Int32]
        let types: [Int32]
        let mask: [UInt8]
        let attention: [UInt8]
        let offsets: [[Int]]
    }

    /// The small tokenizer's file with other settings in it.
    private static func tokenizer(_ name: String, _ settings: [String: Any]) throws -> Tokenizer {
        var state = try #require(try JSONSerialization.jsonObject(with: Data(Golden.bytes("\(name).json"))) as? [String: Any])
        for field in ["truncation", "padding"] { state[field] = settings[field] ?? NSNull() }
        return try Tokenizer(json: JSONSerialization.data(withJSONObject: state))
    }

    @Test func equalsTheReference() throws {
        let data = Data(try Golden.bytes("options.json"))
        let cases = try JSONDecoder().decode([Case].self, from: data)
        let raw = try #require(try JSONSerialization.jsonObject(with: data) as? [[String: Any]])
        #expect(cases.count > 200)
        for (index, expected) in cases.enumerated() {
            let tokenizer = try Self.tokenizer(expected.tokenizer, raw[index])
            let found = tokenizer.encode(expected.text, pair: expected.pair, addSpecialTokens: expected.special)
            let name: Comment = "case \(index): \(expected.tokenizer), \(String(describing: raw[index]["truncation"]))"
            #expect(found.ids == expected.ids, name)
            #expect(found.typeIDs == expected.types, name)
            #expect(found.specialTokensMask == expected.mask, name)
            #expect(found.attentionMask == expected.attention, name)
            #expect(found.offsets.map { [$0.lowerBound, $0.upperBound] } == expected.offsets, name)
        }
    }

    @Test func callersLengthAndBatchPadding() throws {
        let tokenizer = try Tokenizer(json: Golden.bytes("clip.json"))
        let text = "a photograph of an enormous cathedral"
        let whole = tokenizer.encode(text)
        let cut = tokenizer.encode(text, maxLength: 5)
        #expect(cut.ids == [whole.ids[0]] + whole.ids[1...3] + [whole.ids[whole.count - 1]])
        #expect(tokenizer.encode(text, maxLength: 0).ids == [0, 1])
        let batch = tokenizer.encodeBatch(["a", text, ""], padTo: .longest)
        #expect(batch.map(\.count) == [whole.count, whole.count, whole.count])
        #expect(batch[2].attentionMask == [1, 1] + Array(repeating: 0, count: whole.count - 2))
        #expect(tokenizer.encodeBatch(["a"], padTo: .fixed(77))[0].count == 77)
        #expect(tokenizer.encodeBatch(["a"], padTo: .none)[0] == tokenizer.encode("a"))
    }

    @Test func rawBytesNeedNotBeUTF8() throws {
        let tokenizer = try Tokenizer(json: Golden.bytes("llama.json"))
        let broken: [UInt8] = [0x61, 0xFF, 0x62, 0xE4, 0xB8, 0x20, 0xED, 0xA0, 0x80, 0xF4]
        #expect(tokenizer.encode(utf8: broken) == tokenizer.encode(String(decoding: broken, as: UTF8.self)))
        #expect(tokenizer.encode(utf8: Array("自行车 a".utf8)) == tokenizer.encode("自行车 a"))
    }

    @Test func lookUp() throws {
        let tokenizer = try Tokenizer(json: Golden.bytes("wordpiece.json"))
        let id = try #require(tokenizer.id(of: "[SEP]"))
        #expect(tokenizer.token(of: id) == "[SEP]")
        #expect(tokenizer.id(of: "no such token") == nil)
        #expect(tokenizer.token(of: -1) == nil && tokenizer.token(of: Int32.max) == nil)
        #expect(tokenizer.vocabularySize == 1500)
        #expect(tokenizer.decode([Int32.max, -5]) == "")
    }

    /// The comparison itself must be able to fail.
    @Test func hashesSeeEveryPart() {
        var encoding = Encoding()
        encoding.append(id: 3, token: "a", offsets: 0..<1, type: 0, special: false)
        let hash = FNV.hash(encoding)
        for change in 0..<4 {
            var other = Encoding()
            other.append(
                id: change == 0 ? 4 : 3, token: change == 1 ? "b" : "a", offsets: 0..<(change == 2 ? 2 : 1), type: 0, special: change == 3)
            #expect(FNV.hash(other) != hash)
        }
    }
}
