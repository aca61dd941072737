import Catalog
import Checkpoints
import Foundation
import Imaging
import ModelKit
import Pipelines
import Tensors
import TestSupport
import Testing

/// The registries' real weights against onnxruntime on real photographs. `make test` puts both into the cache; a plain
/// `swift test` skips what isn't there.
@Suite struct RealWeightTests {
    static let cache = ModelCache()
    static func has(_ names: String...) -> Bool {
        names.allSatisfy { ModelPackage.named($0).map(cache.has) ?? false }
    }

    /// Photographs with a colour profile other than sRGB: we convert them, the reference reads their numbers as sRGB.
    static let otherProfiles: Set = ["000000023781.jpg", "000000039551.jpg", "000000161032.jpg"]

    private func stored(_ name: String) throws -> SafetensorsFile {
        try SafetensorsFile(path: Golden.root.appendingPathComponent("Tests/Fixtures/real/\(name).safetensors").path)
    }

    private func list(_ file: SafetensorsFile, _ key: String) throws -> [String] {
        let text = try #require(file.metadata[key]), value = try JSONValue.parse(text, file: file.path)
        return try #require(value.array).compactMap(\.string)
    }

    private func picture(_ name: String) throws -> Picture {
        if name.hasSuffix(".png") { return try Golden.picture(name) }
        let package = try #require(ModelPackage.named("photographs/coco45"))
        return try PictureDecoder.decode(path: Self.cache.path(of: package) + "/" + name)
    }

    private func model(_ name: String) throws -> LoadedModel {
        let package = try #require(ModelPackage.named(name))
        return try Catalog.load(path: Self.cache.path(of: package))
    }

    /// From photograph to embedding; the tolerance grows with the size of the values, as rounding does.
    private func check(_ name: String, _ golden: String, tolerance: Float) throws {
        let file = try stored(golden), loaded = try model(name), encoder = try #require(loaded.image)
        let names = try list(file, "pictures"), expected = try file.tensor("image_embeds"), sample = try file.tensor("pixels_sample")
        var prepared: [Tensor] = []
        var rows: [Int] = []
        for (row, name) in names.enumerated() where !Self.otherProfiles.contains(name) {
            let pixels = try encoder.prepare(picture(name))
            rows.append(row)
            let difference = TensorDifference(
                try pixels.sliced(1, 0..<224, step: 14).sliced(2, 0..<224, step: 14), try sample.selected(0, row))
            #expect(difference.isWithin(0.02), "pixels of \(name): \(difference)")
            prepared.append(pixels)
        }
        let difference = try TensorDifference(encoder.embed(prepared), .stacked(rows.map { try expected.selected(0, $0) }))
        #expect(difference.isWithin(tolerance), "\(golden): \(difference)")
        print("parity on real weights, \(golden): worst absolute difference \(difference.worst)")
    }

    @Test(.enabled(if: has("clip-vit-b16-vision", "photographs/coco45"), "needs `make weights`"))
    func clip() throws { try check("clip-vit-b16-vision", "clip_vit_b16", tolerance: 1e-4) }

    @Test(.enabled(if: has("dinov2-small", "photographs/coco45"), "needs `make weights`"))
    func dinov2() throws { try check("dinov2-small", "dinov2_vits14", tolerance: 1e-4) }

    @Test(.enabled(if: has("tiny-vit-5m", "photographs/coco45"), "needs `make weights`"))
    func tinyViT() throws { try check("tiny-vit-5m", "tiny_vit_5m", tolerance: 1e-4) }

    @Test(.enabled(if: has("resnet18-v2", "photographs/coco45"), "needs `make weights`"))
    func resNet() throws {
        try check("resnet18-v2", "resnet18_v2", tolerance: 1e-4)
        let file = try stored("resnet18_v2"), loaded = try model("resnet18-v2"), classifier = try #require(loaded.classifier)
        let names = try list(file, "pictures"), rows = names.indices.filter { !Self.otherProfiles.contains(names[$0]) },
            logits = try file.tensor("logits")
        let difference = try TensorDifference(
            classifier.logits(rows.map { try classifier.prepare(picture(names[$0])) }), .stacked(rows.map { try logits.selected(0, $0) }))
        #expect(difference.isWithin(1e-4), "logits: \(difference)")
    }

    /// Labels of 45 photographs out of 80 by the published class vectors: the same best label as the reference for each, and
    /// right where the reference is.
    @Test(.enabled(if: has("clip-vit-b16-vision", "photographs/coco45"), "needs `make weights`"))
    func zeroShotLabelsOfPhotographs() throws {
        let file = try stored("coco80_b16"), loaded = try model("clip-vit-b16-vision"), encoder = try #require(loaded.image)
        let names = try list(file, "pictures"), labels = try list(file, "names"), right = Set(try list(file, "right"))
        let classifier = ZeroShotClassifier(
            image: encoder, labels: labels, vectors: try file.tensor("vectors"), similarity: Similarity(scale: 100))
        let scores = try file.tensor("scores"), text = try #require(file.metadata["labels"])
        let expected = try JSONValue.parse(text, file: file.path)
        var correct = 0
        for (row, name) in names.enumerated() {
            let found = try classifier.classify([picture(name)])[0]
            let best = try #require(expected[name]?.array?.first?.string)
            #expect(found[0].label == best, "\(name)")
            let score = try scores.selected(0, row).max().scalar
            if !Self.otherProfiles.contains(name) { #expect(abs(found[0].similarity - score) < 1e-4, "\(name)") }
            if right.contains(name), found[0].label == best { correct += 1 }
        }
        #expect(correct == right.count)
        #expect(right.count >= 37)
    }
}
