import Checkpoints
import Foundation
import Tensors
import Testing

/// Adapters and probes from the command line: trained, used, merged.
@Suite struct AdapterCommandTests {
    private func vectors(_ model: String, in workspace: Workspace) throws -> [Float] {
        let run = try CommandRun(
            ["embed", "--model", model, "--text", "a red bicycle", "a dog", "--output", "text.npy"], in: workspace)
        #expect(run.status == 0, "\(model): \(run.errors)")
        let pictures = try CommandRun(["embed", "--model", model, "--image", "a.jpg", "b.png", "--output", "image.npy"], in: workspace)
        #expect(pictures.status == 0, "\(model): \(pictures.errors)")
        return try ["text.npy", "image.npy"].flatMap {
            try NumpyFile(path: workspace.folder.appendingPathComponent($0).path).tensor().floats()
        }
    }

    private func expectEqual(_ a: [Float], _ b: [Float], _ tolerance: Float, _ what: String) {
        #expect(a.count == b.count && zip(a, b).allSatisfy { abs($0 - $1) <= tolerance }, "\(what)")
    }

    @Test func anAdapterIsTrainedUsedAndMerged() throws {
        let workspace = try Workspace()
        try workspace.fillForExamples()
        let run = try CommandRun(["train", "adapter.yaml", "--json"], in: workspace)
        #expect(run.status == 0 && run.errors.contains("an adapter on 10 layers of clip-folder"), "\(run.errors)")
        let place = workspace.folder.appendingPathComponent("runs/adapter/step-00000004")
        #expect(
            try FileManager.default.contentsOfDirectory(atPath: place.path).sorted() == [
                "adapter_config.json", "adapter_model.safetensors", "training_state.safetensors",
            ])
        // Only what is trained is kept.
        let state = try SafetensorsFile(path: place.appendingPathComponent("training_state.safetensors").path)
        let kept = state.entries.filter { !$0.name.hasPrefix("task.") }
        #expect(kept.count == 3 * 21 && kept.allSatisfy { $0.name.contains("lora_") || $0.name.hasSuffix("visual_projection.weight") })
        let adapter = try vectors("runs/adapter/step-00000004", in: workspace), base = try vectors("clip-folder", in: workspace)
        #expect(zip(adapter, base).contains { abs($0 - $1) > 1e-3 })
        let merge = try CommandRun(
            ["models", "merge", "clip-folder", "runs/adapter/step-00000004", "--output", "whole"], in: workspace)
        #expect(merge.status == 0, "\(merge.errors)")
        expectEqual(try vectors("whole", in: workspace), adapter, 1e-4, "merged")
        let checked = try CommandRun(["models", "verify", "whole", "runs/adapter/step-00000004"], in: workspace)
        #expect(checked.status == 0, "\(checked.errors)")
        let inspected = try CommandRun(["models", "inspect", "runs/adapter/step-00000004"], in: workspace)
        #expect(inspected.status == 0 && inspected.output.contains("base_model.model.visual_projection.weight"), "\(inspected.errors)")
    }

    @Test func aLibraryKnowsAnAdapterFromItsBase() throws {
        let workspace = try Workspace()
        try workspace.fillForExamples()
        for model in ["adapter", "clip-folder"] {
            let run = try CommandRun(["index", "--model", model, "Pictures", "--quiet"], in: workspace)
            #expect(run.status == 0, "\(run.errors)")
        }
        #expect(try CommandRun(["search", "--model", "adapter", "a red bicycle"], in: workspace).status == 0)
        let status = try CommandRun(["status"], in: workspace)
        #expect(status.output.contains("adapter") && status.output.contains("clip-folder"), "\(status.output)")
    }

    @Test func weightsOfAdaptersScaleThem() throws {
        let workspace = try Workspace()
        try workspace.fillForExamples()
        #expect(try CommandRun(["models", "merge", "clip-folder", "adapter=0", "--output", "none"], in: workspace).status == 0)
        expectEqual(try vectors("none", in: workspace), try vectors("clip-folder", in: workspace), 1e-5, "nothing of it")
        for parts in [["adapter", "second-adapter=0.5"], ["second-adapter=0.5", "adapter=1"]] {
            let run = try CommandRun(["models", "merge", "clip-folder"] + parts + ["--output", parts[0] + "-first"], in: workspace)
            #expect(run.status == 0, "\(run.errors)")
        }
        expectEqual(
            try vectors("adapter-first", in: workspace), try vectors("second-adapter=0.5-first", in: workspace), 1e-5, "their order")
    }

    @Test func aStoppedRunOfAnAdapterGoesOnToTheSameBits() throws {
        let workspace = try Workspace()
        try workspace.fillForExamples()
        let rounded = ["--set", "adapter.base_precision=q4_0", "--quiet"]
        #expect(try CommandRun(["train", "adapter.yaml", "--set", "output=whole"] + rounded, in: workspace).status == 0)
        #expect(try CommandRun(["train", "adapter.yaml", "--set", "output=again"] + rounded, in: workspace).status == 0)
        let again = workspace.folder.appendingPathComponent("again")
        try FileManager.default.removeItem(at: again.appendingPathComponent("step-00000004"))
        #expect(try CommandRun(["train", "adapter.yaml", "--set", "output=again"] + rounded, in: workspace).status == 0)
        for name in ["adapter_model.safetensors", "training_state.safetensors"] {
            let one = try Data(contentsOf: workspace.folder.appendingPathComponent("whole/step-00000004/" + name))
            #expect(try Data(contentsOf: again.appendingPathComponent("step-00000004/" + name)) == one, "\(name)")
        }
    }

    @Test func aProbeLearnsAndLeavesItsLabels() throws {
        let workspace = try Workspace()
        try workspace.fillForExamples()
        let run = try CommandRun(["train", "probe.yaml", "--json"], in: workspace)
        #expect(run.status == 0 && run.output.contains("\"top1\":"), "\(run.errors)")
        let best = workspace.folder.appendingPathComponent("runs/probe/best")
        let config = try ConfigReader(path: best.appendingPathComponent("config.json").path)
        #expect(
            try config.section("id2label").string("1") == "dog" && config.int("num_labels") == 3
                && config.string("encoder") == "dinov2-small")
        let width = try config.int("hidden_size"), head = try SafetensorsFile(path: best.appendingPathComponent("model.safetensors").path)
        #expect(head.entry("classifier.weight")?.shape == [3, width] && head.entry("classifier.bias")?.shape == [3])
        // Rows near the axes of their classes, from arrays: every one is found.
        try workspace.write(
            "rows.yaml",
            text: """
                task: linear-probe
                data: {train: train.npy, train_labels: train.txt, evaluate: test.npy, evaluate_labels: test.txt, normalize: true}
                batch: 5
                steps: 30
                optimizer: {rate: 0.1}

                """)
        let rows = try CommandRun(["train", "rows.yaml", "--json"], in: workspace)
        #expect(rows.status == 0 && rows.output.contains("\"top1\":100"), "\(rows.errors)\(rows.output.suffix(300))")
        #expect(!rows.output.contains("top5"))
    }

    @Test func aProbeReadsTablesAndHoldsOut() throws {
        let workspace = try Workspace()
        try workspace.fillForExamples()
        let pictures = ["cat", "dog", "horse"].flatMap { name in (0..<2).map { ("animals/\(name)/\($0).png", name) } }
        try workspace.write("classes.csv", text: "file,class\n" + pictures.map { "\($0),\($1)\n" }.joined())
        try workspace.write("classes.jsonl", text: pictures.map { #"{"file": "\#($0)", "label": "\#($1)"}"# + "\n" }.joined())
        for table in ["classes.csv", "classes.jsonl"] {
            let run = try CommandRun(
                ["train", "probe.yaml", "--check", "--set", "data.train=\(table)", "--set", "data.evaluate=animals-split/test"],
                in: workspace)
            #expect(run.status == 0 && run.output.contains("6 pictures of 3 classes, 12 to evaluate on"), "\(run.errors)\(run.output)")
        }
        try workspace.write(
            "held.yaml", text: "task: linear-probe\nmodel: dinov2-small\ndata: {train: animals, hold_out: 0.5}\nbatch: 3\nsteps: 2\n")
        let run = try CommandRun(["train", "held.yaml", "--check"], in: workspace)
        #expect(run.status == 0 && run.output.contains("3 pictures of 3 classes, 3 to evaluate on"), "\(run.errors)\(run.output)")
    }

    @Test(arguments: [
        (["train", "adapter.yaml", "--set", "adapter.targets=q_prj"], 2, "q_proj"),
        (["train", "adapter.yaml", "--set", "adapter.rank=0"], 2, "adapter.rank"),
        (["train", "adapter.yaml", "--set", "adapter.kind=dora"], 2, "lora"),
        (["train", "adapter.yaml", "--set", "adapter.base_precision=q3"], 2, "q4_0"),
        (["train", "adapter.yaml", "--set", "train=logit_scale"], 2, "train_also"),
        (["train", "adapter.yaml", "--set", "model=adapter"], 2, "models merge"),
        (["train", "probe.yaml", "--set", "data.train=nowhere"], 2, "nowhere"),
        (["train", "probe.yaml", "--set", "data.hold_out=0.5"], 2, "not both"),
        (["models", "merge", "clip-folder", "clip-folder", "--output", "x"], 3, "adapter_config.json"),
        (["models", "merge", "clip-folder", "adapter=much", "--output", "x"], 2, "number"),
        (["models", "merge", "clip-folder", "adapter", "--output", "Pictures"], 2, "already"),
        (["models", "merge", "dinov2-small", "adapter", "--output", "x"], 3, "there is no tensor"),
        (["models", "merge", "adapter", "adapter", "--output", "x"], 2, "base first"),
        (["embed", "--model", "lost", "--text", "a", "--output", "x.npy"], 3, "base_model_name_or_path"),
        (["embed", "--model", "circle", "--text", "a", "--output", "x.npy"], 3, "adapter, too"),
    ]) func mistakesAreNamed(_ arguments: [String], _ status: Int32, _ said: String) throws {
        let workspace = try Workspace()
        try workspace.fillForExamples()
        for (name, base) in [("lost", "somebody/some-model"), ("circle", "circle")] {
            let folder = workspace.folder.appendingPathComponent(name)
            try FileManager.default.copyItem(at: workspace.folder.appendingPathComponent("adapter"), to: folder)
            try AdapterFolder.write(
                AdapterConfig(base: base, rank: 1, alpha: 1, targets: ["q_proj"]), layers: [:], saved: [:], to: folder)
        }
        let run = try CommandRun(arguments, in: workspace)
        #expect(run.status == status && run.errors.contains(said), "\(run.status) \(run.errors)")
        #expect(!FileManager.default.fileExists(atPath: workspace.folder.appendingPathComponent("x").path))
    }
}
