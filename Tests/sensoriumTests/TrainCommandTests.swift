import Checkpoints
import Foundation
import Testing

@Suite struct TrainCommandTests {
    @Test func aRunLeavesLogReportAndModels() throws {
        let workspace = try Workspace()
        try workspace.fillForExamples()
        let run = try CommandRun(["train", "base.yaml", "--json"], in: workspace)
        #expect(run.status == 0, "\(run.errors)")
        #expect(run.output.contains("\"event\":\"step\"") && run.output.contains("pairs.zh.r@10"))
        #expect(run.errors.contains("pairs.en.r@10"))
        let place = workspace.folder.appendingPathComponent("runs/base")
        let report = try String(contentsOf: place.appendingPathComponent("report.html"), encoding: .utf8)
        #expect(report.contains("<svg") && report.contains("loss") && !report.contains("http") && report.contains("<td>pairs.en.r@10<td>"))
        #expect(!report.contains("SQL") && report.utf8.count < 50_000)
        #expect(try String(contentsOf: place.appendingPathComponent("log.jsonl"), encoding: .utf8).split(separator: "\n").count >= 8)
        // The best checkpoint is a model like any other.
        let embed = try CommandRun(["embed", "--model", "runs/base/best", "--text", "a cat", "--output", "cat.npy"], in: workspace)
        #expect(embed.status == 0, "\(embed.errors)")
        let packed = try CommandRun(["models", "pack", "runs/base/best", "--output", "packed"], in: workspace)
        #expect(packed.status == 0, "\(packed.errors)")
        let file = try SafetensorsFile(path: workspace.folder.appendingPathComponent("packed/trained.safetensors").path)
        #expect(file.entries.allSatisfy { !$0.name.hasPrefix("vision_model.") } && file.entry("text_projection.weight") != nil)
    }

    @Test func aStoppedRunGoesOnToTheSameBits() throws {
        let workspace = try Workspace()
        try workspace.fillForExamples()
        #expect(try CommandRun(["train", "base.yaml", "--set", "output=whole", "--quiet"], in: workspace).status == 0)
        // Another length is another run, so the shorter part is made by hand: the last checkpoints of the whole run are taken away.
        #expect(try CommandRun(["train", "base.yaml", "--set", "output=again", "--quiet"], in: workspace).status == 0)
        let again = workspace.folder.appendingPathComponent("again")
        try FileManager.default.removeItem(at: again.appendingPathComponent("step-00000006"))
        #expect(try FileManager.default.contentsOfDirectory(atPath: again.path).contains("step-00000004"))
        #expect(try CommandRun(["train", "base.yaml", "--set", "output=again", "--quiet"], in: workspace).status == 0)
        let name = "step-00000006/model.safetensors"
        let one = try Data(contentsOf: workspace.folder.appendingPathComponent("whole/" + name))
        let other = try Data(contentsOf: again.appendingPathComponent(name))
        #expect(one == other)
    }

    @Test(arguments: ["base", "momentum", "dino"]) func aRunKilledThreeTimesEndsWithTheSameBits(_ recipe: String) throws {
        let workspace = try Workspace()
        try workspace.fillForExamples()
        let train = "sensorium train \(recipe).yaml --quiet --set steps=60"
        #expect(try CommandRun(shell: "\(train) --set output=whole", in: workspace).status == 0)
        for seconds in [0.05, 0.15, 0.25] {
            _ = try CommandRun(shell: "timeout -s KILL \(seconds) \(train) --set output=killed", in: workspace)
        }
        let last = try CommandRun(shell: "\(train) --set output=killed", in: workspace)
        #expect(last.status == 0, "\(last.errors)")
        for name in ["step-00000060/training_state.safetensors", "best/model.safetensors"] {
            let one = try Data(contentsOf: workspace.folder.appendingPathComponent("whole/" + name))
            #expect(try Data(contentsOf: workspace.folder.appendingPathComponent("killed/" + name)) == one, "\(name)")
        }
        #expect(
            try FileManager.default.contentsOfDirectory(atPath: workspace.folder.appendingPathComponent("killed").path)
                .allSatisfy { !$0.hasPrefix(".part-") })
    }

    @Test func picturesAreLearntAndARestartGoesOnInTheData() throws {
        let workspace = try Workspace()
        try workspace.fillForExamples()
        let whole = try CommandRun(["train", "pictures.yaml", "--set", "output=whole", "--json"], in: workspace)
        #expect(whole.status == 0 && whole.output.contains("animals.en.r@10"), "\(whole.errors)")
        #expect(try CommandRun(["train", "pictures.yaml", "--set", "output=again", "--quiet"], in: workspace).status == 0)
        let again = workspace.folder.appendingPathComponent("again")
        try FileManager.default.removeItem(at: again.appendingPathComponent("step-00000003"))
        #expect(try CommandRun(["train", "pictures.yaml", "--set", "output=again", "--quiet"], in: workspace).status == 0)
        let name = "step-00000003/training_state.safetensors"
        let one = try Data(contentsOf: workspace.folder.appendingPathComponent("whole/" + name))
        #expect(try Data(contentsOf: again.appendingPathComponent(name)) == one)
    }

    /// What comes of it is a model without the objective's own parameters.
    @Test(arguments: ["simclr", "byol", "dino", "masked"]) func picturesAlone(_ method: String) throws {
        let workspace = try Workspace()
        try workspace.fillForExamples()
        let run = try CommandRun(["train", method + ".yaml", "--json"], in: workspace)
        #expect(run.status == 0 && run.output.contains("animals.knn_per_class"), "\(run.errors)")
        let place = workspace.folder.appendingPathComponent("runs/\(method)/step-00000006")
        let model = try SafetensorsFile(path: place.appendingPathComponent("model.safetensors").path)
        let state = try SafetensorsFile(path: place.appendingPathComponent("training_state.safetensors").path)
        #expect(model.entries.allSatisfy { !$0.name.hasPrefix("objective.") && $0.name != "embeddings.mask_token" })
        #expect(state.entries.contains { $0.name.hasPrefix("parameter.objective.") })
        let embed = try CommandRun(
            ["embed", "--model", "runs/\(method)/best", "--image", "bike.jpg", "beach.jpg", "--output", "vectors.npy"], in: workspace)
        #expect(embed.status == 0, "\(embed.errors)")
    }

    /// Another seed is another start; without `initialise` a folder without weights is refused.
    @Test func randomWeightsAreAskedFor() throws {
        let workspace = try Workspace()
        try workspace.fillForExamples()
        func start(_ name: String, _ changes: [String]) throws -> Data {
            let run = try CommandRun(
                ["train", "simclr.yaml", "--quiet", "--set", "output=\(name)", "--set", "steps=1", "--set", "optimizer.rate=0"]
                    + changes.flatMap { ["--set", $0] }, in: workspace)
            #expect(run.status == 0, "\(run.errors)")
            return try Data(contentsOf: workspace.folder.appendingPathComponent(name + "/step-00000001/model.safetensors"))
        }
        let first = try start("one", [])
        #expect(try first == start("two", []) && first != start("three", ["seed=2"]))
        // As the reference implementation begins: deviations of 0.02, ones and zeros.
        let model = try SafetensorsFile(path: workspace.folder.appendingPathComponent("one/step-00000001/model.safetensors").path)
        let query = try model.tensor("encoder.layer.0.attention.attention.query.weight")
        #expect(abs((query.sumOfSquares() / Double(query.count)).squareRoot() - 0.02) < 0.002)
        #expect(try model.tensor("layernorm.weight").floats().allSatisfy { $0 == 1 })
        #expect(try model.tensor("encoder.layer.1.output.dense.bias").floats().allSatisfy { $0 == 0 })
        let refused = try CommandRun(["train", "simclr.yaml", "--set", "initialise=null"], in: workspace)
        #expect(refused.status == 2 && refused.errors.contains("initialise"), "\(refused.status) \(refused.errors)")
        let text = try String(contentsOf: workspace.folder.appendingPathComponent("simclr.yaml"), encoding: .utf8)
        try workspace.write("silent.yaml", text: text.replacing("initialise: random\n", with: ""))
        let silent = try CommandRun(["train", "silent.yaml"], in: workspace)
        #expect(silent.status == 3 && silent.errors.contains("tiny-vit"), "\(silent.status) \(silent.errors)")
    }

    @Test func aPictureModelTeachesADualEncoder() throws {
        let workspace = try Workspace()
        try workspace.fillForExamples()
        let teach = ["train", "pictures.yaml", "--set", "teacher.model=clip-folder", "--set", "epochs=1"]
        let run = try CommandRun(teach + ["--set", "teacher.cosine=1", "--set", "teacher.affinity=1", "--json"], in: workspace)
        #expect(run.status == 0 && run.output.contains("animals.en.r@10"), "\(run.errors)")
        let idle = try CommandRun(teach, in: workspace)
        #expect(idle.status == 2 && idle.errors.contains("relations"), "\(idle.errors)")
    }

    @Test(arguments: [
        (["momentum.yaml", "--set", "loss.kind=sigmoid"], 2, "softmax"), (["base.yaml", "--set", "teacher.cosine=1"], 2, "name its model"),
        (["dino.yaml", "--set", "model=clip-folder"], 3, "ViT and DINOv2"),
        (["dino.yaml", "--set", "objective.beta=1"], 2, "no such field"), (["masked.yaml", "--set", "objective.unit=24"], 2, "24"),
        (["base.yaml", "--set", "batch=x"], 2, "whole number"), (["base.yaml", "--set", "bach=4"], 2, "no such field"),
        (["none.yaml"], 2, "can't be read"), (["base.yaml", "--set", "model=nowhere"], 3, "nowhere"),
        (["base.yaml", "--set", "train=nothing"], 2, "no parameter"), (["base.yaml", "--set", "task=magic"], 2, "contrastive"),
    ]) func mistakesAreNamed(_ arguments: [String], _ status: Int32, _ said: String) throws {
        let workspace = try Workspace()
        try workspace.fillForExamples()
        let run = try CommandRun(["train"] + arguments, in: workspace)
        #expect(run.status == status && run.errors.contains(said), "\(run.status) \(run.errors)")
    }
}
