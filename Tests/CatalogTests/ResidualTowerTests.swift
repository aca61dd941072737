import Catalog
import Checkpoints
import Foundation
import ModelKit
import TestSupport
import Tensors
import Testing

/// CLIP's and Chinese-CLIP's ResNet towers at their published sizes, in the original layouts, which have no configuration: all
/// sizes are read off the tensors. Random weights.
@Suite struct ResidualTowerTests {
    struct Size: Sendable, CustomTestStringConvertible {
        let name: String
        let width, embedding, side: Int
        let layers: [Int]
        var testDescription: String { name }
    }

    static let openAI = [
        Size(name: "RN50", width: 64, embedding: 1024, side: 7, layers: [3, 4, 6, 3]),
        Size(name: "RN101", width: 64, embedding: 512, side: 7, layers: [3, 4, 23, 3]),
        Size(name: "RN50x4", width: 80, embedding: 640, side: 9, layers: [4, 6, 10, 6]),
    ]

    private func norm(_ name: String, _ channels: Int) -> [String: [Int]] {
        var shapes: [String: [Int]] = [:]
        for part in ["weight", "bias", "running_mean", "running_var"] { shapes["\(name).\(part)"] = [channels] }
        return shapes
    }

    /// The picture tower's tensors (Radford et al. 2021, `clip/model.py`, ModifiedResNet).
    private func tower(_ size: Size) -> [String: [Int]] {
        let width = size.width
        var shapes: [String: [Int]] = [
            "visual.conv1.weight": [width / 2, 3, 3, 3], "visual.conv2.weight": [width / 2, width / 2, 3, 3],
            "visual.conv3.weight": [width, width / 2, 3, 3],
            "visual.attnpool.positional_embedding": [size.side * size.side + 1, width * 32], "logit_scale": [],
        ]
        for (index, channels) in [width / 2, width / 2, width].enumerated() { shapes.merge(norm("visual.bn\(index + 1)", channels)) { $1 } }
        for part in ["q", "k", "v", "c"] {
            let out = part == "c" ? size.embedding : width * 32
            shapes["visual.attnpool.\(part)_proj.weight"] = [out, width * 32]
            shapes["visual.attnpool.\(part)_proj.bias"] = [out]
        }
        var input = width
        for (stage, count) in size.layers.enumerated() {
            for block in 0..<count {
                let name = "visual.layer\(stage + 1).\(block)", channels = width << stage
                shapes["\(name).conv1.weight"] = [channels, input, 1, 1]
                shapes["\(name).conv2.weight"] = [channels, channels, 3, 3]
                shapes["\(name).conv3.weight"] = [channels * 4, channels, 1, 1]
                for (index, width) in [channels, channels, channels * 4].enumerated() {
                    shapes.merge(norm("\(name).bn\(index + 1)", width)) { $1 }
                }
                if block == 0 {
                    shapes["\(name).downsample.0.weight"] = [channels * 4, input, 1, 1]
                    shapes.merge(norm("\(name).downsample.1", channels * 4)) { $1 }
                }
                input = channels * 4
            }
        }
        return shapes
    }

    private func run(_ shapes: [String: [Int]], _ size: Size, tokens: [Int64]) throws {
        let model = try Catalog.load(ModelFolder(path: size.name, config: nil, source: MadeUpSource(shapes: shapes)))
        let image = try #require(model.image), text = try #require(model.text)
        let embedding = try image.embed([image.prepare(Golden.picture("photo_160x120.png"))])
        #expect(embedding.shape == [1, size.embedding])
        #expect(embedding.floats().allSatisfy { $0.isFinite })
        let words = try text.embed(TokenBatch(ids: Tensor(tokens, [1, tokens.count])))
        #expect(words.shape == [1, size.embedding])
    }

    @Test(arguments: openAI) func openAIRuns(_ size: Size) throws {
        let width = size.name == "RN50x4" ? 640 : 512
        var shapes = tower(size)
        shapes.merge([
            "token_embedding.weight": [49408, width], "positional_embedding": [77, width], "text_projection": [width, size.embedding],
            "ln_final.weight": [width], "ln_final.bias": [width],
        ]) { $1 }
        for layer in 0..<12 {
            let name = "transformer.resblocks.\(layer)"
            for (part, shape) in [
                ("attn.in_proj", [3 * width, width]), ("attn.out_proj", [width, width]), ("mlp.c_fc", [4 * width, width]),
                ("mlp.c_proj", [width, 4 * width]), ("ln_1", [width]), ("ln_2", [width]),
            ] {
                let separator = part == "attn.in_proj" ? "_" : "."
                shapes["\(name).\(part)\(separator)weight"] = shape
                shapes["\(name).\(part)\(separator)bias"] = [shape[0]]
            }
        }
        try run(shapes, size, tokens: [49406, 320, 49407])
    }

    /// RN50 with the three-layer RBT3 text tower.
    @Test func chineseRuns() throws {
        let size = Size(name: "CN-CLIP RN50", width: 64, embedding: 1024, side: 7, layers: [3, 4, 6, 3]), width = 768
        var shapes = tower(size)
        shapes.merge([
            "text_projection": [width, 1024], "bert.embeddings.word_embeddings.weight": [21128, width],
            "bert.embeddings.position_embeddings.weight": [512, width], "bert.embeddings.token_type_embeddings.weight": [2, width],
            "bert.embeddings.LayerNorm.weight": [width], "bert.embeddings.LayerNorm.bias": [width],
        ]) { $1 }
        for layer in 0..<3 {
            for (part, shape) in [
                ("attention.self.query", [width, width]), ("attention.self.key", [width, width]), ("attention.self.value", [width, width]),
                ("attention.output.dense", [width, width]), ("attention.output.LayerNorm", [width]), ("intermediate.dense", [3072, width]),
                ("output.dense", [width, 3072]), ("output.LayerNorm", [width]),
            ] {
                shapes["bert.encoder.layer.\(layer).\(part).weight"] = shape
                shapes["bert.encoder.layer.\(layer).\(part).bias"] = [shape[0]]
            }
        }
        try run(shapes, size, tokens: [101, 102])
    }
}
