import Catalog
import Checkpoints
import Evaluation
import Foundation
import ModelKit
import Pipelines
import Tensors
import TestSupport
import Testing

/// SmolLM2-135M-Instruct's GGUF file against llama.cpp and transformers (tools/reference/language_model.py). `make test` fetches
/// the file; a plain `swift test` skips these where it isn't there.
@Suite(.enabled(if: RealModel.isHere, "needs `make weights`")) struct RealModelTests {
    /// In f32, as the reference computes; and as the file stores it, with activations rounded to 8 bits.
    static let model = try! Catalog.load(path: ModelCache().path(of: RealModel.package), precision: .f32).language!
    static let rounded = try! Catalog.load(path: ModelCache().path(of: RealModel.package)).language!
    static let stored = try! SafetensorsFile(path: Golden.root.appendingPathComponent("Tests/Fixtures/real/smollm2_135m.safetensors").path)

    private func note(_ key: String) throws -> JSONValue {
        try JSONValue.parse(#require(Self.stored.metadata[key]), file: "smollm2_135m.safetensors")
    }

    private func number(_ key: String) throws -> Double {
        guard case let .number(value) = try note(key) else { throw Golden.Unreadable() }
        return value
    }

    private static func fnv(_ ids: [Int32]) -> Int64 {
        var value: UInt64 = 0xCBF2_9CE4_8422_2325
        for id in ids { for byte in 0..<4 { value = (value ^ UInt64(UInt8(truncatingIfNeeded: id >> (8 * byte)))) &* 0x100_0000_01B3 } }
        return Int64(bitPattern: value)
    }

    @Test func tokensAreThoseOfLlamaCpp() throws {
        let tokenizer = try #require(Self.model.tokenizer)
        let corpus = try String(contentsOf: Golden.root.appendingPathComponent("Tests/TokenizersTests/golden/corpus.txt"), encoding: .utf8)
        let lines = corpus.unicodeScalars.split(separator: "\n", omittingEmptySubsequences: false)
        let hashes = try Self.stored.tensor("hashes").ints()
        var wrong: [Int] = []
        for (index, hash) in hashes.enumerated() {
            let line = String(String.UnicodeScalarView(lines[index].map { $0 == "\u{240A}" ? "\n" : $0 }))
            let ids = tokenizer.encode(line).ids
            if Self.fnv(ids) != Int64(hash) { wrong.append(index) }
        }
        #expect(hashes.count == 3000 && wrong.isEmpty, "\(wrong.count) lines differ: \(wrong.prefix(20))")
    }

    @Test func logitsAndGreedyTokens() throws {
        let every = try #require(try note("every").int), prompts = try #require(try note("prompts").array)
        let generator = try TextGenerator(Self.model, name: "SmolLM2")
        for (index, prompt) in prompts.enumerated() {
            let text = try #require(prompt.string), ids = try Self.stored.tensor("prompt.\(index)")
            #expect(try #require(Self.model.tokenizer).encode(text).ids.map(Int.init) == ids.ints(), "\(text)")
            let logits = try Self.model.logits(ids: ids.reshaped([1, ids.count])).selected(0, 0)
            let sample = try logits.gathered(
                Tensor(stride(from: 0, to: logits.dim(1), by: every).map(Int64.init), [logits.dim(1) / every]), axis: 1)
            let difference = TensorDifference(sample, try Self.stored.tensor("logits.\(index)"))
            #expect(difference.isWithin(5e-4), "logits after \(text): \(difference)")
            print("SmolLM2, logits after \(text.debugDescription): worst difference from transformers \(difference.worst)")
            let greedy = try Self.stored.tensor("greedy.\(index)").ints()
            let output = try generator.generate(text, limit: greedy.count)
            #expect(output.tokens.map(Int.init) == Array(greedy.prefix(output.tokens.count)), "continuation of \(text)")
            #expect(output.tokens.count == greedy.count || Self.model.endTokens.map(Int.init).contains(greedy[output.tokens.count]))
        }
    }

    @Test func perplexityIsThatOfThePeers() throws {
        let text = try String(contentsOf: Golden.root.appendingPathComponent("Tests/Fixtures/texts/english.txt"), encoding: .utf8)
        let ids = try #require(Self.model.tokenizer).encode(text).ids
        #expect(try ids.map(Int.init) == Self.stored.tensor("text_ids").ints())
        let context = try #require(try note("context").int)
        let found = try Perplexity(of: ids, model: Self.model, context: context, stride: context)
        let exact = try number("perplexity_transformers"), peer = try number("perplexity_llama_cpp")
        print("SmolLM2, perplexity \(found.value); transformers (f32) \(exact), llama.cpp (8-bit activations) \(peer)")
        #expect(try found.count == note("scored").int)
        #expect(abs(found.value / exact - 1) < 1e-4, "\(found.value), transformers \(exact)")
        let rounded = try Perplexity(of: ids, model: Self.rounded, context: context, stride: context)
        print("SmolLM2, perplexity of the weights as stored \(rounded.value)")
        #expect(abs(rounded.value / peer - 1) < 0.005, "\(rounded.value), llama.cpp \(peer)")
    }
}

private enum RealModel {
    static let package = ModelPackage.named("smollm2-135m-instruct")!
    static let isHere = ModelCache().has(package)
}

extension Golden {
    struct Unreadable: Error {}
}
