import Catalog
import ModelKit
import Pipelines
import Tensors
import TestSupport
import Testing

@Suite struct GenerationTests {
    private func model() throws -> any LanguageModel { try #require(try Catalog.load(path: PerplexityTests.golden.path).language) }
    private func generator() throws -> TextGenerator { try TextGenerator(model(), name: "tiny") }

    @Test func greedyTokensAreThoseOfWholePasses() throws {
        let model = try model(), generator = try generator(), prompt = "a photo of a red"
        let output = try generator.generate(prompt, limit: 12)
        var ids = try #require(model.tokenizer).encode(prompt).ids
        #expect(output.prompt == ids && !output.tokens.isEmpty)
        for token in output.tokens {
            let logits = try model.logits(ids: Tensor(ids, [1, ids.count])).selected(0, 0).selected(0, ids.count - 1)
            #expect(try Int32(logits.argmax().ints()[0]) == token)
            ids.append(token)
        }
        #expect(output.ending == .length && output.tokens.count == 12 && output.steps == 11 || output.ending == .end)
    }

    @Test func seedsRepeatAndDiffer() throws {
        let generator = try generator()
        func tokens(_ seed: UInt64, _ topP: Float = 1) throws -> [Int32] {
            try generator.generate("two dogs", limit: 20, sampler: TokenSampler(temperature: 1, topP: topP, seed: seed)).tokens
        }
        #expect(try tokens(3) == tokens(3))
        #expect(try Set([1, 2, 3, 4].map { try tokens($0) }).count > 1)
        // The nucleus of next to nothing is the most probable token.
        #expect(try tokens(9, 1e-6) == generator.generate("two dogs", limit: 20).tokens)
    }

    @Test func piecesAreWholeCharactersAndMakeTheText() throws {
        let generator = try generator()
        for seed in 0..<4 {
            var pieces: [String] = []
            let output = try generator.generate("日落", limit: 40, sampler: TokenSampler(temperature: 2, seed: UInt64(seed))) {
                pieces.append($0)
                return true
            }
            // Random bytes rarely form characters; what does is never cut.
            #expect(
                pieces.joined().unicodeScalars.filter { $0 != "\u{FFFD}" }
                    == generator.text(output).unicodeScalars.filter { $0 != "\u{FFFD}" })
        }
    }

    @Test func charactersOfSeveralTokensComeWhole() throws {
        let tokenizer = try #require(try model().tokenizer)
        let text = "a\u{1F305}é日b"
        var stream = TextStream(tokenizer), pieces: [String] = []
        for id in tokenizer.encode(text).ids { if let piece = stream.append(id) { pieces.append(piece) } }
        if let rest = stream.finish() { pieces.append(rest) }
        #expect(pieces.joined() == text && !pieces.contains { $0.contains("\u{FFFD}") })
    }

    @Test func endsWhereItMust() throws {
        let generator = try generator()
        let long = try generator.generate("a", limit: 10_000, sampler: TokenSampler(temperature: 1, seed: 5))
        #expect(
            long.ending == .context && long.prompt.count + long.tokens.count == generator.model.contextLength + 1 || long.ending == .end)
        var calls = 0
        let stopped = try generator.generate("a", limit: 30) { _ in
            calls += 1
            return calls < 3
        }
        #expect(calls == 3 && stopped.tokens.count < 30)
        #expect(try generator.generate("a", limit: 0).tokens.isEmpty)
        #expect(throws: RoleError.self) { try generator.generate("", limit: 3) }
        #expect(throws: RoleError.self) { try generator.generate(String(repeating: "a b ", count: 100), limit: 3) }
    }

    @Test func drawsFollowTheProbabilities() throws {
        let logits = try Tensor([Float(0), 1, 2, -Float.infinity], [4])
        let weights = [1, exp1, exp1 * exp1], total = weights.reduce(0, +)
        var sampler = TokenSampler(temperature: 1, seed: 11), counts = [0, 0, 0, 0]
        for _ in 0..<20_000 { counts[Int(try sampler.choose(logits))] += 1 }
        for (count, weight) in zip(counts, weights) { #expect(abs(Double(count) / 20_000 - weight / total) < 0.015) }
        #expect(counts[3] == 0)
        // 0.7 is reached by the two largest: the third is never drawn.
        var nucleus = TokenSampler(temperature: 1, topP: 0.7, seed: 1)
        let drawn = try Set((0..<2_000).map { _ in try nucleus.choose(logits) })
        #expect(drawn == [1, 2])
        var cold = TokenSampler(temperature: 1e-30, seed: 1)
        #expect(try cold.choose(logits) == 2)
    }

    private let exp1 = 2.718281828459045
}
