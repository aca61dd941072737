import Checkpoints
import Foundation
import TestSupport
import Tensors
import Testing

@testable import Training

/// Stored features with several views of each picture and a teacher's vectors.
@Suite struct FeaturePairsTests {
    private let folder = FileManager.default.temporaryDirectory.appendingPathComponent("feature-pairs-\(UUID().uuidString)")

    init() throws {
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        let lines = (0..<6).map { #"{"file": "\#($0).jpg", "captions": {"en": ["picture \#($0)"], "zh": ["图\#($0)"]}}"# }
        try Data((lines.joined(separator: "\n") + "\n").utf8).write(to: folder.appendingPathComponent("captions.jsonl"))
    }

    private func path(_ name: String) -> String { folder.appendingPathComponent(name).path }

    /// Row i of view v is `10 v + i`, twice.
    private func array(_ name: String, view: Float, rows: Int = 6, width: Int = 2) throws -> String {
        let writer = try NumpyWriter(path: path(name), shape: [rows, width], dtype: .f32)
        try writer.append(Tensor((0..<rows * width).map { 10 * view + Float($0 / width) }, [rows, width]))
        try writer.finish()
        return path(name)
    }

    private func set(_ features: [String], _ teachers: [String]) throws -> FeatureSet {
        try FeatureSet(
            name: nil, features: features, teachers: teachers, captions: path("captions.jsonl"), language: "en", weight: 1
        ) { $0 != "5.jpg" }
    }

    @Test func aViewIsDrawnWithItsTeacher() throws {
        let features = try (0..<3).map { try array("view\($0).npy", view: Float($0)) }
        let teachers = try (0..<3).map { try array("teacher\($0).npy", view: Float($0) + 5) }
        let set = try set(features, teachers)
        #expect(set.count == 5)
        var views: Set<Int> = []
        let supply = try FeaturePairSupply([set], batchSize: 5, parts: 1, others: 0, texts: 1, seed: 3)
        for step in 0..<12 {
            let batch = try supply.batch(step: step, part: 0)
            guard case let .features(rows) = batch.pictures else { return #expect(Bool(false), "features are expected") }
            let (found, taught) = (rows.floats(), try #require(batch.taught?.pictures).floats())
            for place in 0..<5 {
                let view = Int(found[2 * place]) / 10
                views.insert(view)
                #expect(Int(found[2 * place]) % 10 == batch.identities[place], "another picture's features")
                #expect(taught[2 * place] == found[2 * place] + 50, "another view's teacher")
                let texts = zip(batch.owners, batch.texts).filter { $0.0 == place }.map(\.1)
                #expect(texts == ["picture \(batch.identities[place])", "图\(batch.identities[place])"])
            }
            // The step alone says what it sees.
            let again = try FeaturePairSupply([set], batchSize: 5, parts: 1, others: 0, texts: 1, seed: 3).batch(step: step, part: 0)
            #expect(again.texts == batch.texts && again.identities == batch.identities)
        }
        #expect(views == [0, 1, 2])
    }

    @Test func oneTeacherServesAllViews() throws {
        let set = try set([array("a.npy", view: 0), array("b.npy", view: 1)], [array("t.npy", view: 7)])
        let batch = try FeaturePairSupply([set], batchSize: 4, parts: 1, others: 0, texts: 1, seed: 1).batch(step: 0, part: 0)
        #expect(try #require(batch.taught?.pictures).floats().allSatisfy { $0 >= 70 && $0 < 75 })
    }

    @Test func misfitsAreNamed() throws {
        let fine = try array("fine.npy", view: 0), short = try array("short.npy", view: 0, rows: 5)
        let wide = try array("wide.npy", view: 0, width: 3)
        for (features, teachers, part) in [
            ([short], [], "short.npy: shape [5, 2]"), ([fine, wide], [], "wide.npy: shape [6, 3]"),
            ([fine], [short], "short.npy: shape [5, 2]"), ([fine, fine, fine], [fine, fine], "3 files of features and 2 of a teacher"),
            ([], [], "0 files of features"),
        ] as [([String], [String], String)] {
            do {
                _ = try set(features, teachers)
                #expect(Bool(false), "\(part): an error is expected")
            } catch { #expect("\(error)".contains(part), "\(error)") }
        }
    }
}
