import Catalog
import Checkpoints
import Foundation
import Imaging
import Tensors
import Testing

/// A home of its own for each test: pictures, models, a cache in which the fetched models are tiny stand-ins.
final class Workspace: Sendable {
    let folder: URL
    var home: URL { folder }
    var pictures: URL { folder.appendingPathComponent("Pictures") }

    static let root: URL = {
        var folder = URL(fileURLWithPath: #filePath)
        for _ in 0..<3 { folder.deleteLastPathComponent() }
        return folder
    }()

    static func golden(_ path: String) -> URL { root.appendingPathComponent("Sources/Models/" + path) }
    static var clip: String { golden("DualEncoder/CLIP/golden/vit").path }

    init() throws {
        folder = FileManager.default.temporaryDirectory.appendingPathComponent("sensorium-tests-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    }

    deinit { try? FileManager.default.removeItem(at: folder) }

    var environment: [String: String] {
        [
            "HOME": home.path, "PATH": ProcessInfo.processInfo.environment["PATH"] ?? "/usr/bin:/bin", "LANG": "C.UTF-8",
            "SENSORIUM_CACHE": folder.appendingPathComponent("cache").path, "SENSORIUM_THREADS": "1", "TERM": "dumb",
        ]
    }

    /// A picture whose bytes `seed` decides: a gradient with a block of colour.
    static func picture(seed: Int, width: Int = 96, height: Int = 64) throws -> Picture {
        let (red, green, blue) = (
            UInt8(truncatingIfNeeded: seed &* 97), UInt8(truncatingIfNeeded: seed &* 57 &+ 31), UInt8(truncatingIfNeeded: seed &* 23 &+ 90)
        )
        var pixels: [UInt8] = []
        pixels.reserveCapacity(width * height * 3)
        for y in 0..<height {
            for x in 0..<width {
                let isBlock = (x / 16 + seed) % 3 == 0 && (y / 16 + seed / 3) % 2 == 0
                pixels += isBlock ? [red, green, blue] : [UInt8(x * 255 / width), UInt8(y * 255 / height), red &+ UInt8(x % 7)]
            }
        }
        return try Picture(width: width, height: height, pixels: pixels)
    }

    @discardableResult
    func write(_ name: String, seed: Int, title: String? = nil, width: Int = 96, height: Int = 64) throws -> String {
        let file = folder.appendingPathComponent(name)
        try FileManager.default.createDirectory(at: file.deletingLastPathComponent(), withIntermediateDirectories: true)
        let encoding: PictureEncoding = name.hasSuffix(".png") ? .png(compression: 1) : .jpeg(quality: 90)
        try Data(Self.picture(seed: seed, width: width, height: height).encoded(as: encoding)).write(to: file)
        if let title { try Data((title + "\n").utf8).write(to: file.deletingPathExtension().appendingPathExtension("txt")) }
        return file.path
    }

    func write(_ name: String, text: String) throws {
        try Data(text.utf8).write(to: folder.appendingPathComponent(name))
    }

    /// What the examples of help and README name.
    func fillForExamples() throws {
        try write("Pictures/bike.jpg", seed: 1, title: "A red bicycle\n红色的自行车")
        try write("Pictures/2024/dog.jpg", seed: 2, title: "A dog in the garden", width: 1_200, height: 800)
        try write("Pictures/2024/flower.png", seed: 3, title: "A flower")
        try write("Pictures/old/sunset.jpg", seed: 4, title: "Sunset at the sea")
        try write("Camera/one.jpg", seed: 5)
        for (seed, name) in ["bike.jpg", "beach.jpg", "a.jpg", "b.png", "receipt.jpg"].enumerated() { try write(name, seed: seed + 11) }
        let files = FileManager.default
        try files.createSymbolicLink(at: folder.appendingPathComponent("clip-folder"), withDestinationURL: URL(fileURLWithPath: Self.clip))
        try files.copyItem(
            at: Self.golden("DualEncoder/CLIP/golden/vit/model.safetensors"), to: folder.appendingPathComponent("model.safetensors"))
        for name in ["model.pt", "pytorch_model.bin"] {
            try files.copyItem(at: Self.golden("DualEncoder/CLIP/golden/openai_vit/model.pt"), to: folder.appendingPathComponent(name))
        }
        try write(
            "serve.yaml", text: "# The service of this machine\nport: 8500\nlimits:\n  body: 64MB\nindex_folders: [Pictures, Camera]\n")
        try write("labels.tsv", text: "cat\ta photo of a cat\ncat\ta small cat\ndog\n猫\n")
        try write("captions.txt", text: "a cat on a table\na dog in the garden\n")
        try write("queries.txt", text: "# Bicycles\n\"a red bicycle\" -k 4\n--image bike.jpg\n")
        try files.copyItem(
            at: Self.golden("Language/Llama/golden/gguf_q4_1/model.gguf"), to: folder.appendingPathComponent("model.gguf"))
        try writeClipRetrievalFolder("clip-retrieval-folder", rows: 3, dimension: 24)
        try fillForEvaluation()
        try fillForTraining()
        try standIn("smollm2-135m-instruct", for: "Language/Llama/golden/tied")
        try standIn("sensorium-clip-base", for: "DualEncoder/SensoriumCLIP/golden/clip")
        try standIn("ppocr-small", for: "Vision/PPOCR/golden/tiny")
        try standIn("dinov2-small", for: "Vision/DINOv2/golden/plain")
        try standIn("clip-vit-b16-vision", for: "DualEncoder/CLIP/golden/vision_only")
        try standIn("resnet18-v2", for: "Vision/ViT/golden/classifier")
    }

    /// Embeddings as clip-retrieval lays them out.
    func writeClipRetrievalFolder(_ name: String, rows: Int, dimension: Int) throws {
        let place = folder.appendingPathComponent(name)
        for part in ["img_emb", "metadata"] {
            try FileManager.default.createDirectory(at: place.appendingPathComponent(part), withIntermediateDirectories: true)
        }
        var random = RandomGenerator(seed: 1)
        let vectors = try Tensor((0..<rows * dimension).map { _ in random.normal() }, [rows, dimension])
        try NumpyWriter.write(vectors, to: place.appendingPathComponent("img_emb/img_emb_0.npy").path)
        let table = try ParquetWriter(
            path: place.appendingPathComponent("metadata/metadata_0.parquet").path,
            columns: [.init("image_path", .text), .init("caption", .text)])
        try table.append([(0..<rows).map { .text("elsewhere/\($0).jpg") }, (0..<rows).map { .text("a windmill, number \($0)") }])
        try table.finish()
    }

    /// Puts a tiny model where a fetched one would be.
    private func standIn(_ name: String, for golden: String) throws {
        let package = try #require(ModelPackage.named(name))
        let cache = ModelCache(root: folder.appendingPathComponent("cache").path)
        let place = URL(fileURLWithPath: cache.path(of: package))
        try FileManager.default.createDirectory(at: place.deletingLastPathComponent(), withIntermediateDirectories: true)
        try FileManager.default.copyItem(at: Self.golden(golden), to: place)
        try Data(cache.note(of: package).utf8).write(to: place.appendingPathComponent("origin.json"))
    }
}
