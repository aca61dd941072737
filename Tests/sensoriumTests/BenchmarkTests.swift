import Checkpoints
import Foundation
import Imaging
import ModelKit
import Tensors
import Testing

/// What is timed is what the rest of the program computes.
@Suite struct BenchmarkTests {
    @Test func productsAreThoseOfTheNumbersThatPeersMakeAgain() throws {
        let run = try CommandRun(["benchmark", "kernels", "3x5x7", "70x33x9", "--rounds", "2"], in: Workspace())
        let lines = try #require(run.objects)
        #expect(run.status == 0 && lines.count == 2, "\(run.errors)")
        for (line, (m, k, n)) in zip(lines, [(3, 5, 7), (70, 33, 9)]) {
            func value(_ place: Int, _ seed: Int) -> Double {
                Double((UInt64(place + seed) * 2_654_435_761 % (1 << 32)) >> 8) / Double(1 << 24) - 0.5
            }
            let product = (0..<m * n).map { place in
                (0..<k).reduce(0.0) { $0 + value(place / n * k + $1, 1) * value(place % n * k + $1, 2) }
            }
            let sample = try #require(line["sample"] as? [Double]), step = m * n / sample.count
            #expect(sample.count == min(m * n, 64))
            #expect(zip(0..., sample).allSatisfy { abs($1 - product[$0 * step]) < 1e-5 })
            #expect(line["median_seconds"] as? Double ?? 0 > 0)
        }
    }

    @Test(arguments: ["3x5", "0x5x7", "3x5x7x9", "3xfivex7", "70000x1x1"]) func shapesThatAreNoneAreRefused(_ shape: String) throws {
        let run = try CommandRun(["benchmark", "kernels", shape], in: Workspace())
        #expect(run.status == 2)
        #expect(run.errors.contains(shape), "\(run.errors)")
    }

    @Test(arguments: [true, false]) func decodedPixelsAreThoseOfTheTransform(_ shrink: Bool) throws {
        let workspace = try Workspace()
        let paths = try [(1, 640), (2, 1_800), (3, 300)].map { try workspace.write("\($0).jpg", seed: $0, width: $1, height: $1 * 3 / 4) }
        let run = try CommandRun(
            ["benchmark", "decode", "--rounds", "1", "--threads", "2", "--output", "pixels.npy"] + (shrink ? ["--shrink"] : []) + paths,
            in: workspace)
        #expect(run.status == 0 && run.objects?.first?["pictures"] as? Int == 3, "\(run.errors)")
        let found = try Array(Data(contentsOf: workspace.folder.appendingPathComponent("pixels.npy")))
        let transform = try ImageTransform.shortestEdge(224, crop: 224, filter: .bicubic, statistics: ImageTransform.Statistics.clip)
        let expected = try paths.flatMap {
            try transform.apply(PictureDecoder.decode(path: $0, shortestUsefulSide: shrink ? transform.shortestUsefulSide : nil)).floats()
        }
        let floats = found.suffix(expected.count * 4).withUnsafeBytes { Array($0.bindMemory(to: Float.self)) }
        #expect(found.count > expected.count * 4 && floats == expected)
    }

    @Test func aTextTowerNeedsOne() throws {
        let workspace = try Workspace()
        let run = try CommandRun(
            ["benchmark", "text", "--model", Workspace.clip, "--text", "a red bicycle", "--rounds", "2"], in: workspace)
        #expect(run.status == 0, "\(run.errors)")
        #expect(run.objects?.first?["tokens"] as? Int ?? 0 > 2)
        #expect(run.objects?.first?["median_seconds"] as? Double ?? 0 > 0)
        let without = try CommandRun(
            ["benchmark", "text", "--model", Workspace.golden("Vision/DINOv2/golden/plain").path, "--text", "a"], in: workspace)
        #expect(without.status != 0 && without.errors.contains("text tower"), "\(without.errors)")
    }
}
