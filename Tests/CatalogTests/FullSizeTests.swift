import Catalog
import Checkpoints
import Foundation
import ModelKit
import Tensors
import TestSupport
import Testing

/// A checkpoint that answers every name with zeros or small random numbers of the shape that the model asks for.
struct MadeUpSource: TensorSource {
    let path = "made up"
    let shapes: [String: [Int]]
    var entries: [TensorEntry] {
        shapes.keys.sorted().map { TensorEntry(name: $0, type: .native(.f32), shape: shapes[$0]!, byteCount: shapes[$0]!.reduce(4, *)) }
    }
    func entry(_ name: String) -> TensorEntry? {
        shapes[name].map { TensorEntry(name: name, type: .native(.f32), shape: $0, byteCount: $0.reduce(4, *)) }
    }
    func tensor(_ name: String) throws(CheckpointError) -> Tensor {
        let shape = shapes[name]!
        var generator = RandomGenerator(seed: UInt64(name.utf8.count))
        let width = shape.count > 1 ? shape.dropFirst().reduce(1, *) : 1
        // Uniform numbers are enough here and cheap to make; a variance is positive.
        let shift: Float = name.hasSuffix("running_var") ? 1 : 0
        return Tensor.makeFloats(shape) { out in
            for i in 0..<shape.reduce(1, *) { out[i] = (generator.uniform() - 0.5) / Float(width).squareRoot() + shift }
        }
    }
}

@Suite struct FullSizeTests {
    struct Published: Sendable, CustomTestStringConvertible {
        let family: Family
        let checkpoint: PublishedCheckpoint
        var testDescription: String { checkpoint.name }
    }

    static let published = Catalog.all.flatMap { family in family.published.map { Published(family: family, checkpoint: $0) } }

    private func folder(_ published: Published, _ source: MadeUpSource) throws -> ModelFolder {
        ModelFolder(
            path: published.checkpoint.name, config: try ConfigReader(text: published.checkpoint.config, file: "config.json"),
            source: source)
    }

    /// The shapes that a model of this configuration asks for: what it reports as missing from an empty checkpoint.
    private func shapes(_ published: Published) throws -> [String: [Int]] {
        do {
            _ = try published.family.load(folder(published, MadeUpSource(shapes: [:])))
        } catch let CheckpointError.mismatch(report) {
            return Dictionary(report.missing.map { ($0.name, $0.shape) }, uniquingKeysWith: { first, _ in first })
        }
        Issue.record("\(published.checkpoint.name) loaded from nothing")
        return [:]
    }

    /// Every published size: its configuration is understood, recognised by its family and asks for a whole network.
    @Test(arguments: published) func configurationLoads(_ published: Published) throws {
        let shapes = try shapes(published)
        #expect(shapes.count > 20)
        let parameters = shapes.values.reduce(0) { $0 + $1.reduce(1, *) }
        #expect(parameters > 1_000_000, "\(published.checkpoint.name): \(parameters) parameters")
        let family = try Catalog.family(of: folder(published, MadeUpSource(shapes: [:])))
        #expect(family.name == published.family.name)
    }

    /// Full-size networks with random weights run: ViT-B/32, B/16 and H/14.
    @Test(arguments: ["openai/clip-vit-base-patch32", "openai/clip-vit-base-patch16", "laion/CLIP-ViT-H-14-laion2B-s32B-b79K"])
    func runs(_ name: String) throws {
        let published = try #require(Self.published.first { $0.checkpoint.name == name })
        let model = try published.family.load(folder(published, MadeUpSource(shapes: shapes(published))))
        let encoder = try #require(model.image), text = try #require(model.text)
        let embedding = try encoder.embed([encoder.prepare(Golden.picture("photo_160x120.png"))])
        #expect(embedding.shape == [1, encoder.dimension])
        #expect(embedding.floats().allSatisfy { $0.isFinite })
        let words = try text.embed(TokenBatch(ids: Tensor([Int64(49406), 320, 1125, 49407], [1, 4])))
        #expect(words.shape == [1, encoder.dimension])
        #expect(words.floats().allSatisfy { $0.isFinite })
    }
}
