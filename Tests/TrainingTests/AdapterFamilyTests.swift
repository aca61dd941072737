import Catalog
import Checkpoints
import Foundation
import ModelKit
import TestSupport
import Tensors
import Testing

@testable import Training

/// Adapters on every linear layer of every family: apart from the weights they give what they give merged.
@Suite struct AdapterFamilyTests {
    /// GGUF files take no adapters; residual networks without a classifier have no linear layer; a cn_clip archive of no published size is
    /// read with a file beside it, which networks built without their folder lack.
    static let goldens = try! Golden.all(of: Catalog.all).filter {
        !$0.path.hasSuffix(".gguf") && !$0.path.contains("cn_clip_vit") && !($0.family == "ResNet" && !$0.has("logits"))
    }

    private func outputs(_ golden: Golden, _ folder: ModelFolder) throws -> [String: Tensor] {
        let model = try Catalog.load(folder)
        var found: [String: Tensor] = [:]
        if golden.has("token_ids"), let language = model.language { found["tokens"] = try language.logits(ids: golden.tensor("token_ids")) }
        if let recognizer = model.reading?.recognizer, golden.has("line_probabilities_input") {
            found["lines"] = try recognizer.logits(features: recognizer.features(pixels: golden.tensor("line_probabilities_input")))
        }
        if let name = golden.pictureNames.first {
            let picture = try Golden.picture(name)
            if let classifier = model.classifier, golden.has("logits") {
                found["logits"] = try classifier.logits([classifier.prepare(picture)])
            }
            found["image"] = try model.image.map { try $0.embed([$0.prepare(picture)]) }
        }
        if golden.has("text_ids"), let text = model.text {
            let mask = golden.has("attention_mask") ? try golden.tensor("attention_mask") : nil
            found["text"] = try text.embed(TokenBatch(ids: golden.tensor("text_ids"), mask: mask))
        }
        return found
    }

    @Test(arguments: goldens) func anAdapterOnAllLayersIsItsMerge(_ golden: Golden) throws {
        let folder = try ModelFolder(path: golden.path)
        var options = AdapterOptions(targets: ["all-linear"])
        options.rank = 2
        let training = try AdapterTraining(options, base: folder.source, seed: 1, file: "x") {
            _ = try Catalog.load(folder.network(over: $0))
        }
        #expect(!training.layers.isEmpty)
        var store = training.store, generator = RandomGenerator(seed: 5)
        for name in store.names where name.hasSuffix("lora_B.weight") {
            let shape = try #require(store[name]).shape
            store[name] = Tensor.randomNormal(shape, deviation: 0.02, using: &generator)
        }
        let place = FileManager.default.temporaryDirectory.appendingPathComponent("sensorium-adapter-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: place, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: place) }
        try training.export(store, base: golden.path, to: place)
        let adapter = try AdapterFolder(path: place.path)
        let base = try outputs(golden, folder), adapted = try outputs(golden, folder.adapted(by: adapter))
        // Of a residual network only the classifier is linear, so its embedding stays.
        let changed = try adapted.filter { !TensorDifference($0.value, try #require(base[$0.key])).isWithin(1e-3) }
        #expect(!changed.isEmpty, "nothing has changed")
        // Layouts that keep their matrices under other names can't be merged, which is said.
        guard training.layers.allSatisfy({ folder.source.entry($0.path + ".weight") != nil }) else {
            #expect(throws: CheckpointError.self) { _ = try AdapterFolder.merged([(adapter, 1)], into: folder.source) }
            return
        }
        let merged = try AdapterFolder.merged([(adapter, 1)], into: folder.source)
        let whole = ModelFolder(
            path: folder.path, config: folder.config, source: OverlaySource(folder.source, replaced: merged), directory: folder.directory)
        for (name, value) in try outputs(golden, whole) {
            let found = try #require(adapted[name]), largest = value.floats().map { abs($0) }.max() ?? 1
            let difference = TensorDifference(found, value)
            #expect(difference.isWithin(1e-4 * max(1, largest)), "\(name): \(difference)")
        }
    }

    @Test func namesWithAComponentMoreOrLessAreTheSame() throws {
        let folder = try ModelFolder(path: Golden.root.appendingPathComponent("Sources/Models/Vision/DINOv2/golden/classifier").path)
        var options = AdapterOptions(targets: ["dense"])
        options.rank = 2
        let training = try AdapterTraining(options, base: folder.source, seed: 1, file: "x") {
            _ = try Catalog.load(folder.network(over: $0))
        }
        let layers = training.layers.map(\.path)
        #expect(!layers.isEmpty && layers.allSatisfy { $0.hasPrefix("dinov2.") })
        for rename in [{ String($0.dropFirst("dinov2.".count)) }, { $0 }, { "model." + $0 }] as [(String) -> String] {
            let place = FileManager.default.temporaryDirectory.appendingPathComponent("sensorium-adapter-\(UUID().uuidString)")
            try FileManager.default.createDirectory(at: place, withIntermediateDirectories: true)
            defer { try? FileManager.default.removeItem(at: place) }
            var additions: [String: LowRank] = [:]
            for layer in training.layers {
                additions[rename(layer.path)] = LowRank(down: .ones([2, layer.input]), up: .ones([layer.output, 2]), scale: 1)
            }
            try AdapterFolder.write(
                AdapterConfig(base: nil, rank: 2, alpha: 2, targets: ["dense"]), layers: additions, saved: [:], to: place)
            let fitted = try AdapterFolder(path: place.path).fitted(to: folder.source)
            #expect(fitted.layers.keys.sorted() == layers)
        }
    }
}
