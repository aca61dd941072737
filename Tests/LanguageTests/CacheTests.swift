import Catalog
import Layers
import ModelKit
import Tensors
import TestSupport
import Testing

/// Decoding over a cache equals the whole pass, however the tokens are cut.
@Suite struct CacheTests {
    static let goldens = try! Golden.all(of: Catalog.all).filter { $0.has("token_logits") }

    private func model(_ golden: Golden) throws -> any LanguageModel {
        try #require(try Catalog.load(path: golden.path, precision: golden.precision).language)
    }

    @Test(arguments: goldens, [[1], [7, 1, 5], [19, 1]]) func piecesEqualTheWhole(_ golden: Golden, pieces: [Int]) throws {
        let model = try model(golden), ids = try golden.tensor("token_ids"), length = ids.dim(1)
        let whole = try model.logits(ids: ids)
        var cache = model.makeCache(batch: ids.dim(0), capacity: 1), parts: [Tensor] = [], turn = 0
        while cache.count < length {
            let start = cache.count, end = min(length, start + pieces[turn % pieces.count])
            turn += 1
            parts.append(try model.logits(model.states(model.embeddings(ids.sliced(1, start..<end)), cache: &cache)))
        }
        let difference = TensorDifference(try .concatenated(parts, axis: 1), whole)
        #expect(difference.isWithin(5e-5), "\(golden) in pieces \(pieces): \(difference)")
    }

    @Test(arguments: goldens) func rowsDontSeeEachOther(_ golden: Golden) throws {
        let model = try model(golden), ids = try golden.tensor("token_ids"), whole = try model.logits(ids: ids)
        let alone = try model.logits(ids: ids.sliced(0, 1..<2))
        let difference = TensorDifference(alone, try whole.sliced(0, 1..<2))
        #expect(difference.isWithin(5e-5), "\(golden): \(difference)")
    }

    /// Rounded activations may round another way in a product of another size, which a near tie then shows.
    @Test(arguments: goldens) func piecesOfStoredWeights(_ golden: Golden) throws {
        let model = try #require(try Catalog.load(path: golden.path).language), ids = try golden.tensor("token_ids").sliced(0, 0..<1)
        let whole = try model.logits(ids: ids).selected(0, 0)
        var cache = model.makeCache(batch: 1, capacity: 4)
        for (place, id) in ids.ints().enumerated() {
            let difference = TensorDifference(try model.nextLogits([Int32(id)], cache: &cache), try whole.selected(0, place))
            #expect(difference.isWithin(0.1), "\(golden) at \(place): \(difference)")
        }
    }

    @Test func aTruncatedCacheForgets() throws {
        let model = try model(Self.goldens[0]), ids = try Self.goldens[0].tensor("token_ids").selected(0, 0).ints().map(Int32.init)
        var cache = model.makeCache(batch: 1, capacity: 4)
        let first = try model.nextLogits(Array(ids[..<10]), cache: &cache)
        _ = try model.nextLogits(Array(ids[10...]), cache: &cache)
        cache.truncate(to: 9)
        let again = try model.nextLogits([ids[9]], cache: &cache)
        #expect(TensorDifference(again, first).isWithin(5e-5))
    }

    @Test func limitsAndBadTokensAreErrors() throws {
        let model = try model(Self.goldens[0])
        let long = try Tensor([Int32](repeating: 5, count: model.contextLength + 1), [1, model.contextLength + 1])
        #expect(throws: TensorError.self) { try model.logits(ids: long) }
        for bad in [Int32(model.vocabularySize), -1] {
            #expect(throws: TensorError.self) { try model.logits(ids: Tensor([bad], [1, 1])) }
        }
        var cache = model.makeCache(batch: 1, capacity: 4)
        #expect(throws: TensorError.self) { try model.nextLogits([], cache: &cache) }
        #expect(throws: TensorError.self) { try model.logits(ids: Tensor([Int32(1), 2], [2])) }
    }
}
