import Checkpoints
import Foundation
import Layers
import Tensors
import Testing

/// Layers of language models against stored arrays of transformers (tools/reference/layers.py).
@Suite struct RotaryAndNormTests {
    static let golden = try! SafetensorsFile(
        path: URL(fileURLWithPath: #filePath).deletingLastPathComponent().appendingPathComponent("golden/layers.safetensors").path)
    static let positions = [0, 1, 2, 7, 40, 1000, 8191]

    private static func scaling(_ name: String) -> RotaryEmbedding.Scaling {
        switch name {
        case "linear": .linear(4)
        case "llama3": .llama3(factor: 8, low: 1, high: 4, original: 8192)
        default: .none
        }
    }

    private func worst(_ a: Tensor, _ b: Tensor) -> Float {
        #expect(a.shape == b.shape)
        return zip(a.floats(), b.floats()).map { abs($0 - $1) }.max() ?? .infinity
    }

    /// The tokens stand at positions far apart: each is turned by itself.
    private func turned(_ rotary: RotaryEmbedding, _ x: Tensor) throws -> Tensor {
        try Tensor.concatenated(
            Self.positions.enumerated().map { place, position in
                try rotary(x.sliced(1, place..<place + 1), rotary.angles(from: position, count: 1))
            }, axis: 1)
    }

    @Test(arguments: ["plain", "linear", "llama3"]) func halves(_ name: String) throws {
        let x = try Self.golden.tensor("x")
        let rotary = RotaryEmbedding(width: 16, base: 500_000, pairing: .halves, scaling: Self.scaling(name))
        let stored = try Self.golden.tensor("frequencies.\(name)").floats()
        #expect(zip(rotary.frequencies, stored).allSatisfy { abs($0 - $1) <= 1e-6 * $1 } && stored.count == 8)
        // A last bit of the frequency is 5e-4 of a turn at position 8191.
        #expect(try worst(turned(rotary, x), Self.golden.tensor("halves.\(name)")) < 2e-3)
        let near = try turned(rotary, x).sliced(1, 0..<5)
        #expect(try worst(near, Self.golden.tensor("halves.\(name)").sliced(1, 0..<5)) < 1e-5)
    }

    @Test func neighbours() throws {
        let rotary = RotaryEmbedding(width: 16, base: 500_000, pairing: .neighbours)
        let found = try turned(rotary, Self.golden.tensor("x")), stored = try Self.golden.tensor("neighbours.plain")
        #expect(worst(found, stored) < 2e-3)
        #expect(try worst(found.sliced(1, 0..<5), stored.sliced(1, 0..<5)) < 1e-5)
    }

    @Test func divisorsAreThoseOfTheScaling() throws {
        let plain = try Self.golden.tensor("frequencies.plain").floats(), scaled = try Self.golden.tensor("frequencies.llama3").floats()
        let divisors = zip(plain, scaled).map { $0 / $1 }
        let rotary = RotaryEmbedding(width: 16, base: 500_000, pairing: .halves, scaling: .divisors(divisors))
        #expect(zip(rotary.frequencies, scaled).allSatisfy { abs($0 - $1) <= 1e-6 * $1 })
    }

    @Test func oneCallTurnsLikeManyAndLeavesTheRest() throws {
        let x = try Self.golden.tensor("x"), rotary = RotaryEmbedding(width: 12, base: 10_000, pairing: .halves)
        let whole = try rotary(x, rotary.angles(from: 30, count: 7))
        for token in 0..<7 {
            let alone = try rotary(x.sliced(1, token..<token + 1), rotary.angles(from: 30 + token, count: 1))
            #expect(try worst(alone, whole.sliced(1, token..<token + 1)) == 0)
        }
        #expect(try worst(whole.sliced(3, 12..<16), x.sliced(3, 12..<16)) == 0)
        #expect(throws: TensorError.self) { try rotary(x, rotary.angles(from: 0, count: 6)) }
    }

    @Test func rootMeanSquareNorm() throws {
        let source = NormSource(weight: try Self.golden.tensor("norm.weight"))
        let norm = try WeightLoader.load(from: source, label: "norm") { RMSNorm($0, 16, epsilon: 1e-5) }
        #expect(try worst(norm(Self.golden.tensor("x")), Self.golden.tensor("norm.y")) < 2e-6)
    }
}

private struct NormSource: TensorSource {
    let path = "norm"
    let weight: Tensor
    var entries: [TensorEntry] { [TensorEntry(name: "weight", type: .native(.f32), shape: weight.shape, byteCount: weight.count * 4)] }
    func tensor(_ name: String) throws(CheckpointError) -> Tensor { weight }
}

/// What the cache of keys and values promises by itself.
@Suite struct KeyValueCacheTests {
    private func part(_ tokens: Int, _ start: Float) throws -> Tensor {
        try Tensor((0..<2 * tokens * 3).map { start + Float($0) }, [1, tokens, 2, 3])
    }

    @Test func growsAndKeeps() throws {
        var cache = KeyValueCache(layers: 1, batch: 1, heads: 2, width: 3, capacity: 1, limit: 6)
        var all: [Tensor] = []
        for tokens in [1, 3, 2] {
            let new = try part(tokens, Float(cache.count * 100))
            all.append(new)
            try cache.reserve(tokens)
            let seen = try cache.append(layer: 0, keys: new, values: new.negated())
            cache.advance(by: tokens)
            let wanted = try Tensor.concatenated(all, axis: 1).permuted([0, 2, 1, 3])
            #expect(seen.keys.floats() == wanted.floats() && seen.values.floats() == wanted.negated().floats())
        }
        #expect(cache.count == 6)
        #expect(throws: TensorError.self) { try cache.reserve(1) }
        cache.truncate(to: 2)
        #expect(cache.count == 2)
        try cache.reserve(4)
    }

    @Test func aCopyGoesItsOwnWay() throws {
        var first = KeyValueCache(layers: 1, batch: 1, heads: 2, width: 3, capacity: 8, limit: 8)
        try first.reserve(2)
        _ = try first.append(layer: 0, keys: part(2, 0), values: part(2, 0))
        first.advance(by: 2)
        var second = first
        let a = try first.append(layer: 0, keys: part(1, 50), values: part(1, 50)).keys
        let b = try second.append(layer: 0, keys: part(1, 90), values: part(1, 90)).keys
        #expect(try a.selected(2, 2).floats() == [50, 51, 52, 53, 54, 55] && b.selected(2, 2).floats() == [90, 91, 92, 93, 94, 95])
        #expect(try a.sliced(2, 0..<2).floats() == b.sliced(2, 0..<2).floats())
    }
}
