import Foundation
import Testing

@testable import Imaging

/// Resizing against Pillow and torch, whole processors against transformers and open_clip.
struct TransformTests {
    @Test func everyFilterEqualsPillowByteForByte() throws {
        let data = try Data(contentsOf: Fixtures.folder.appendingPathComponent("golden/resize.json"))
        let cases = try #require(try JSONSerialization.jsonObject(with: data) as? [[Any]])
        #expect(cases.count == 260 * 6)
        for item in cases {
            let numbers = item.dropLast().compactMap { $0 as? Int }
            let filter = try #require(ResizeFilter(rawValue: numbers[4]))
            let result = try Fixtures.noise(numbers[0], numbers[1], seed: numbers[5]).resized(
                width: numbers[2], height: numbers[3], filter: filter)
            #expect(ContentHash(of: result.pixels).hex.hasPrefix(item[6] as? String ?? "?"), "\(numbers)")
        }
    }

    struct TorchCase: Decodable {
        var `case`: [Int]
        var mode: String
        var bytes: Data
        var floats: Data
    }

    @Test func torchArithmetic() throws {
        let cases: [TorchCase] = try Fixtures.golden("torch-resize.json")
        #expect(cases.count > 20)
        for item in cases {
            let n = item.case
            let picture = try Fixtures.noise(n[0], n[1], seed: n[4])
            let filter: ResizeFilter = item.mode == "bicubic" ? .bicubic : .bilinear
            let bytes = Resampling.resizeAsTorchBytes(picture, to: .init(width: n[2], height: n[3]), filter: filter)
            #expect(Fixtures.largestDifference(bytes.pixels, [UInt8](item.bytes)) == 0, "bytes \(n) \(item.mode)")
            let floats = Resampling.resizeAsTorchFloat(picture, to: .init(width: n[2], height: n[3]), filter: filter)
            #expect(Fixtures.largestDifference(floats.pixels, [UInt8](item.floats)) <= 1, "floats \(n) \(item.mode)")
        }
    }

    struct ProcessorCase: Decodable {
        var kind: String
        var config: String
        var width: Int
        var height: Int
        var shape: [Int]
        var values: Data
        var tolerance: Float
    }

    @Test func processorsEqualTheirReferences() throws {
        let cases: [ProcessorCase] = try Fixtures.golden("transforms.json")
        #expect(cases.count > 18)
        for item in cases {
            let json = Array(item.config.utf8)
            let transform = item.kind == "open_clip" ? try ImageTransform(openCLIP: json) : try ImageTransform(huggingFace: json)
            let tensor = try transform.apply(Fixtures.noise(item.width, item.height, seed: item.width))
            #expect(tensor.shape == item.shape, "\(item.config)")
            guard tensor.shape == item.shape else { continue }
            let expected = item.values.withUnsafeBytes { Array($0.bindMemory(to: Float.self)) }
            let worst = zip(tensor.floats(), expected).reduce(Float(0)) { max($0, abs($1.0 - $1.1)) }
            #expect(worst <= item.tolerance, "\(item.kind) \(item.config): \(worst)")
        }
    }

    @Test func fingerprintsTellTransformsApart() throws {
        let one = try ImageTransform(resize: .shortestEdge(224), crop: .init(height: 224, width: 224))
        let other = try ImageTransform(resize: .shortestEdge(224), crop: .init(height: 224, width: 224), convention: .torchvision)
        #expect(one.fingerprint != other.fingerprint)
        #expect(one.fingerprint == (try ImageTransform(resize: .shortestEdge(224), crop: .init(height: 224, width: 224))).fingerprint)
        #expect(one.shortestUsefulSide == 224)
    }

    @Test(arguments: [
        #"[]"#, #"{"size": "x"}"#, #"{"size": {"height": 0, "width": 5}}"#, #"{"size": 1e300}"#, #"{"resample": 17}"#,
        #"{"image_mean": [1, 2]}"#,
        #"{"image_std": [0, 1, 1]}"#, #"{"do_flip_channel_order": true}"#, #"{"size": {"shortest_edge": 100000}}"#,
        #"{"crop_size": -4, "do_center_crop": true}"#,
        #"{"size": {"shortest_edge": 224}, "crop_pct": 0}"#, #"{"crop_pct": 1e-300, "size": {"shortest_edge": 224}}"#, #"{"do_resize": 7}"#,
    ]) func badConfigurationsSayTheField(json: String) {
        #expect(throws: TransformConfigurationError.self) { try ImageTransform(huggingFace: Array(json.utf8)) }
    }

    @Test func olderFilesWithPlainNumbers() throws {
        let clip =
            #"{"feature_extractor_type": "CLIPFeatureExtractor", "size": 224, "crop_size": 224, "resample": 3, "do_center_crop": true}"#
        #expect(try ImageTransform(huggingFace: Array(clip.utf8)).resize == .shortestEdge(224))
        let vit =
            #"{"feature_extractor_type": "ViTFeatureExtractor", "size": 384, "image_mean": [0.5, 0.5, 0.5], "image_std": [0.5, 0.5, 0.5], "resample": 2}"#
        #expect(try ImageTransform(huggingFace: Array(vit.utf8)).resize == .exact(height: 384, width: 384))
    }

    @Test func extremeShapes() throws {
        let transform = try ImageTransform(resize: .shortestEdge(224), crop: .init(height: 224, width: 224))
        #expect(try transform.apply(Fixtures.noise(1, 1, seed: 1)).shape == [3, 224, 224])
        #expect(try transform.apply(Fixtures.noise(1, 140, seed: 1)).shape == [3, 224, 224])
        #expect(try transform.apply(Fixtures.noise(1, 2000, seed: 1)).shape == [3, 224, 224])
        let uncropped = try ImageTransform(resize: .shortestEdge(224))
        #expect(throws: PictureError.self) { try uncropped.apply(Fixtures.noise(1, 2000, seed: 1)) }
    }
}
