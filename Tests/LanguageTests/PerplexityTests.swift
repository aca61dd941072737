import Catalog
import Evaluation
import Foundation
import ModelKit
import Tensors
import TestSupport
import Testing

/// The measure against its definition, window by window from whole logits in double precision.
@Suite struct PerplexityTests {
    static let golden = CacheTests.goldens.first { $0.variant == "tied" }!

    /// Negative log-likelihood of `ids[place]` after `ids[start..<place]`.
    private func loss(_ model: any LanguageModel, _ ids: [Int32], _ start: Int, _ place: Int) throws -> Double {
        let context = Array(ids[start..<place])
        let logits = try model.logits(ids: Tensor(context, [1, context.count])).selected(0, 0).selected(0, context.count - 1).floats()
            .map(Double.init)
        let top = logits.max() ?? 0
        return log(logits.reduce(0) { $0 + exp($1 - top) }) + top - logits[Int(ids[place])]
    }

    @Test(arguments: [(64, 64), (16, 16), (16, 4), (16, 1), (2, 2), (20, 7)])
    func equalsTheDefinition(context: Int, stride: Int) throws {
        let model = try #require(try Catalog.load(path: Self.golden.path).language)
        let ids = try #require(model.tokenizer).encode("a photo of a red bicycle, two dogs run; 12345 \u{1F305}").ids
        #expect(ids.count > 20)
        // Each token but those that begin a window is scored once, by the first window that holds it.
        var scored: [Int: Double] = [:], seen: Set<Int> = [], start = 0
        while seen.count < ids.count {
            let end = min(start + context, ids.count)
            for place in start..<end where seen.insert(place).inserted && place > start {
                scored[place] = try loss(model, ids, start, place)
            }
            start += stride
        }
        let found = try Perplexity(of: ids, model: model, context: context, stride: stride)
        let total = scored.values.reduce(0, +)
        #expect(found.count == scored.count)
        #expect(abs(found.total - total) < 1e-4 * total, "\(found.total), expected \(total)")
        #expect(abs(found.value - exp(total / Double(scored.count))) < 1e-3 * found.value)
        #expect(found.standardError > 0 && found.standardError < found.value)
    }

    @Test func aLongerContextThanTheBlockOfLogits() throws {
        let model = try #require(try Catalog.load(path: Self.golden.path).language)
        let ids = (0..<64).map { Int32(3 + $0 * 37 % 300) }
        let found = try Perplexity(of: ids, model: model, context: 64, stride: 64)
        let total = try (1..<64).reduce(0.0) { $0 + (try loss(model, ids, 0, $1)) }
        #expect(found.count == 63 && abs(found.total - total) < 1e-4 * total)
    }

    @Test func uselessRequestsAreErrors() throws {
        let model = try #require(try Catalog.load(path: Self.golden.path).language)
        for (ids, context, stride) in [
            ([5], 16, 16), ([], 16, 16), ([5, 6, 7], 1, 1), ([5, 6, 7], 16, 0), ([5, 6, 7], 16, 17), ([5, 6], 65, 1),
        ]
            as [([Int32], Int, Int)]
        {
            #expect(throws: Perplexity.Failure.self) { try Perplexity(of: ids, model: model, context: context, stride: stride) }
        }
    }
}
