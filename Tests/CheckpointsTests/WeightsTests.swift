import Foundation
import Testing

@testable import Checkpoints
@testable import Tensors

/// Tensors in memory as a checkpoint.
struct MemorySource: TensorSource {
    let path = "memory.safetensors"
    let held: [String: Tensor]

    var entries: [TensorEntry] {
        held.map { TensorEntry(name: $0.key, type: .native($0.value.dtype), shape: $0.value.shape, byteCount: 0) }.sorted {
            $0.name < $1.name
        }
    }

    func tensor(_ name: String) throws(CheckpointError) -> Tensor {
        guard let tensor = held[name] else { throw absent(name) }
        return tensor
    }
}

private func range(_ shape: [Int]) throws -> Tensor { try Tensor.arange(shape.reduce(1, *)).asType(.f32).reshaped(shape) }

@Suite struct WeightsTests {
    private func source(_ shapes: [String: [Int]]) throws -> MemorySource { MemorySource(held: try shapes.mapValues { try range($0) }) }

    @Test func pullsByPath() throws {
        let source = try source(["model.layers.0.w": [2, 3], "model.layers.1.w": [2, 3], "model.norm": [3]])
        let sums = try WeightLoader.load(from: source, label: "Tiny") { weights -> [Float] in
            let model = weights["model"]
            #expect(model.count(of: "layers") == 2 && model["layers"].count() == 2 && model.count(of: "norm") == 0)
            #expect(model.has("norm") && model.has("layers") && !model.has("head") && !model.has("nor"))
            #expect(model.shape(of: "norm") == [3])
            #expect(model.optional("head", [1]) == nil)
            return [model["layers"][0].tensor("w", [2, 3]), model["layers.1"].tensor("w", [2, 3]), model.tensor("norm", [3])].map {
                $0.floats().reduce(0, +)
            }
        }
        #expect(sums == [15, 15, 3])
    }

    @Test func everyProblemIsReportedTogether() throws {
        let source = try source(["layers.0.q_proj.weight": [4, 4], "layers.0.norm.bias": [4], "layers.0.fc.weight": [8, 4], "step": [1]])
        let text = message {
            _ = try WeightLoader.load(from: source, ignoring: ["step"], label: "TinyModel") { weights in
                let layer = weights["layers"][0]
                return (layer.tensor("q_prj.weight", [4, 4]), layer.tensor("norm.weight", [4]), layer.tensor("fc.weight", [4, 8]))
            }
        }
        #expect(
            text == """
                memory.safetensors doesn't fit TinyModel: 2 missing, 1 misshapen, 2 unused keys
                  missing:
                    layers.0.q_prj.weight [4, 4]; near: layers.0.q_proj.weight
                    layers.0.norm.weight [4]; near: layers.0.norm.bias, layers.0.q_proj.weight
                  misshapen:
                    layers.0.fc.weight: expected [4, 8], found [8, 4]
                  unused:
                    layers.0.norm.bias [4]
                    layers.0.q_proj.weight [4, 4]
                  Check that config.json belongs to these weights; `sensorium models inspect` lists what the file holds.
                """)
    }

    @Test func theReportOutranksWhatTheBuilderThrows() throws {
        struct Stopped: Error {}
        let source = try source(["a": [1], "b": [1]])
        let text = message {
            try WeightLoader.load(from: source, label: "M") { weights in
                _ = weights.tensor("c", [1])
                throw Stopped()
            }
        }
        #expect(text.contains("1 missing, 0 misshapen, 0 unused"))
        #expect(throws: Stopped.self) { try WeightLoader.load(from: source, label: "M") { _ in throw Stopped() } }
    }

    @Test func placeholdersTakeNoMemory() throws {
        let text = message {
            try WeightLoader.load(from: try source(["a": [1]]), ignoring: ["a"], label: "Vast") { weights in
                let vast = weights.tensor("w", [1 << 20, 1 << 30])
                #expect(vast.shape == [1 << 20, 1 << 30] && vast.storage.byteCount <= 4)
                #expect(weights.tensor("x", [.max, .max]).shape == [1, 1])
                #expect(weights.tensor("y", [-3]).shape == [1])
            }
        }
        #expect(text.contains("3 missing"))
    }

    @Test func kindsAreChecked() throws {
        let source = MemorySource(held: ["half": try range([2]).asType(.f16), "ids": Tensor.arange(3)])
        try WeightLoader.load(from: source, label: "M") { weights in
            #expect(weights.tensor("half", [2]).dtype == .f32)
            #expect(weights.tensor("half", [2], as: .f16).dtype == .f16)
            #expect(weights.tensor("ids", [3], as: .i64).ints() == [0, 1, 2])
        }
        let text = message { try WeightLoader.load(from: source, ignoring: ["half"], label: "M") { _ = $0.tensor("ids", [3]) } }
        #expect(text.contains("ids: expected floating point, found i64"))
    }

    @Test func renames() throws {
        let source = try source([
            "module.blocks.0.attn.in_proj_weight": [6, 2], "module.blocks.0.mlp.c_fc.weight": [2, 3], "module.blocks.0.a": [1, 2],
            "module.blocks.0.b": [1, 2], "module.proj": [2, 3], "module.junk.x": [1], "module.patch": [3, 1, 2],
        ])
        let rules: Renames = [
            .rename("blocks.*.attn.**", to: "layers.*.attention.**"),
            .split("layers.*.attention.in_proj_weight", into: ["layers.*.q", "layers.*.k", "layers.*.v"]),
            .rename("blocks.*.mlp.c_fc.weight", to: "layers.*.fc1.weight"),
            .concatenate(["blocks.*.a", "blocks.*.b"], into: "layers.*.ab"),
            .transpose("proj"), .drop("junk.*"), .reshape("patch", [3, -1]),
        ]
        try WeightLoader.load(from: source, renames: .strippingPrefix("module.") + rules, label: "M") { weights in
            let layer = weights["layers"][0]
            #expect(layer.tensor("q", [2, 2]).floats() == [0, 1, 2, 3])
            #expect(layer.tensor("v", [2, 2]).floats() == [8, 9, 10, 11])
            _ = layer.tensor("k", [2, 2])
            #expect(layer.tensor("ab", [2, 2]).floats() == [0, 1, 0, 1])
            _ = layer.tensor("fc1.weight", [2, 3])
            #expect(weights.tensor("proj", [3, 2]).floats() == [0, 3, 1, 4, 2, 5])
            _ = weights.tensor("patch", [3, 2])
        }
    }

    @Test func renamesThatCollideOrDoNotFit() throws {
        let source = try source(["a.w": [3], "b.w": [3]])
        let collision = message { try WeightLoader.load(from: source, renames: [.rename("*.w", to: "w")], label: "M") { _ in } }
        #expect(collision.contains("two tensors would get this name"))
        let uneven = message {
            try WeightLoader.load(from: source, renames: [.split("a.w", into: ["x", "y"])], ignoring: ["**"], label: "M") {
                _ = $0.tensor("x", [1])
            }
        }
        #expect(uneven.contains("2 equal parts along axis 0"))
    }

    @Test func patternsMatch() {
        #expect(NamePattern("a.*.b").match("a.1.b") == ["1"])
        #expect(NamePattern("a.*.b").match("a.1.2.b") == nil)
        #expect(NamePattern("a.**.b").match("a.1.2.b") == ["1.2"])
        #expect(NamePattern("**.num").match("num") == nil)
        #expect(NamePattern("*.*").filled(["x", "y"]) == "x.y")
        #expect(NamePattern(String(repeating: "**a", count: 40) + "b").match(String(repeating: "a", count: 400)) == nil)
    }

    @Test func editDistance() {
        #expect(EditDistance.between(Array("kitten".utf8), Array("sitting".utf8), atMost: 3) == 3)
        #expect(EditDistance.between(Array("kitten".utf8), Array("sitting".utf8), atMost: 2) == nil)
        #expect(EditDistance.between([], [], atMost: 0) == 0)
        #expect(EditDistance.between([1], [], atMost: 1) == 1)
        #expect(EditDistance.nearest(to: "weight", among: ["wieght", "bias", "weights"]) == ["weights", "wieght"])
    }
}
