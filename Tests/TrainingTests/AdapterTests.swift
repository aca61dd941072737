import Autograd
import Catalog
import Checkpoints
import Foundation
import ModelKit
import TestSupport
import Tensors
import Testing

@testable import Training

/// LoRA as PEFT has it: its folders read, written and merged, its gradients and losses (tools/reference/adapters.py).
@Suite struct AdapterTests {
    static let place = Golden.root.appendingPathComponent("Tests/TrainingTests/golden/adapters")
    private static func golden() throws -> SafetensorsFile {
        try SafetensorsFile(path: place.appendingPathComponent("golden.safetensors").path)
    }

    private static func clip() throws -> ModelFolder {
        try ModelFolder(path: Golden.root.appendingPathComponent("Sources/Models/DualEncoder/CLIP/golden/vit").path)
    }

    private static func adapter(_ name: String) throws -> AdapterFolder { try AdapterFolder(path: place.appendingPathComponent(name).path) }

    private func expectEmbeddings(_ folder: ModelFolder, _ name: String, _ tolerance: Float = 1e-4) throws {
        let golden = try Self.golden(), model = try Catalog.load(folder), pixels = try golden.tensor("in.pixels")
        let image = try #require(model.image).embed((0..<pixels.dim(0)).map { try pixels.selected(0, $0) })
        let text = try #require(model.text).embed(TokenBatch(ids: golden.tensor("in.ids")))
        for (found, part) in [(image, "image"), (text, "text")] {
            let difference = try TensorDifference(found, golden.tensor("\(name).\(part)"))
            #expect(difference.isWithin(tolerance), "\(name).\(part): \(difference)")
        }
    }

    /// `ours` was written by this engine and read by PEFT, the others the other way round.
    @Test(arguments: ["plain", "patterns", "second", "ours"]) func foldersGivePEFTsEmbeddings(_ name: String) throws {
        try expectEmbeddings(Self.clip().adapted(by: Self.adapter(name)), name)
    }

    @Test func aLanguageModelsAdapterGivesPEFTsLogits() throws {
        let golden = try Self.golden()
        let base = try ModelFolder(path: Golden.root.appendingPathComponent("Sources/Models/Language/Llama/golden/tied").path)
        let ids = try golden.tensor("in.tokens")
        let logits = try #require(Catalog.load(base.adapted(by: Self.adapter("llama"))).language).logits(ids: ids)
        let difference = try TensorDifference(logits, golden.tensor("llama.logits"))
        #expect(difference.isWithin(1e-4), "\(difference)")
    }

    // MARK: Merging

    private func expectMerged(_ merged: [String: Tensor], _ prefix: String) throws {
        let golden = try Self.golden(), base = try Self.clip().source
        var changed = 0
        for entry in base.entries {
            let found = try #require(merged[entry.name])
            if golden.entry("\(prefix).\(entry.name)") != nil {
                let difference = try TensorDifference(found, golden.tensor("\(prefix).\(entry.name)"))
                #expect(difference.isWithin(1e-5), "\(entry.name): \(difference)")
                changed += 1
            } else {
                #expect(try found.floats() == base.tensor(entry.name).floats(), "\(entry.name) has changed")
            }
        }
        #expect(changed >= 12 && changed == golden.entries.count { $0.name.hasPrefix(prefix + ".") })
    }

    @Test func mergingIsPEFTs() throws {
        let base = try Self.clip().source
        try expectMerged(AdapterFolder.merged([(Self.adapter("plain"), 1)], into: base), "merged")
        try expectMerged(AdapterFolder.merged([(Self.adapter("patterns"), 0.7), (Self.adapter("second"), 0.3)], into: base), "mixed")
    }

    @Test func halfPrecisionStaysSo() throws {
        let base = try Self.clip().source,
            halves = try Dictionary(
                uniqueKeysWithValues: base.entries.map { ($0.name, try base.tensor($0.name).asType(.bf16)) })
        let merged = try AdapterFolder.merged([(Self.adapter("second"), 1)], into: OverlaySource(base, replaced: halves))
        #expect(merged.values.allSatisfy { $0.dtype == .bf16 || !$0.dtype.isFloatingPoint } && merged.count == base.entries.count)
    }

    @Test func twoAdaptersThatReplaceOneParameterArentMixed() throws {
        #expect(throws: CheckpointError.self) {
            _ = try AdapterFolder.merged([(Self.adapter("plain"), 0.5), (Self.adapter("plain"), 0.5)], into: Self.clip().source)
        }
    }

    // MARK: Training

    private static let options: AdapterOptions = {
        var options = AdapterOptions(targets: ["q_proj", "v_proj", "**.mlp.fc1"])
        (options.rank, options.alpha, options.trainAlso) = (4, 8, ["visual_projection.*"])
        return options
    }()

    private func training(_ options: AdapterOptions = options, seed: UInt64 = 1) throws -> AdapterTraining {
        let folder = try Self.clip()
        return try AdapterTraining(options, base: folder.source, seed: seed, file: "recipe.yaml") {
            _ = try Catalog.load(folder.network(over: $0))
        }
    }

    /// The parameters of a folder that PEFT wrote.
    private func start(_ training: AdapterTraining, at adapter: AdapterFolder) throws -> ParameterStore {
        var store = training.store
        for (path, layer) in adapter.layers {
            (store["\(path).lora_A.weight"], store["\(path).lora_B.weight"]) = (layer.down, layer.up)
        }
        for (name, value) in adapter.saved { store[name] = value }
        #expect(store.names.count == 2 * adapter.layers.count + adapter.saved.count)
        return store
    }

    private func loss(_ folder: ModelFolder, _ store: ParameterStore, _ variables: [String: Tensor]) throws -> Tensor {
        let golden = try Self.golden(), pixels = try golden.tensor("in.pixels")
        let model = try Catalog.load(folder.network(over: store.source(variables)))
        let images = try #require(model.image).embed((0..<pixels.dim(0)).map { try pixels.selected(0, $0) }).unitLength()
        let texts = try #require(model.text).embed(TokenBatch(ids: golden.tensor("in.ids"))).unitLength()
        return try Losses.contrastive(images, texts, scale: folder.source.tensor("logit_scale").exp())
    }

    @Test func gradientsAndTenLossesArePEFTs() throws {
        let golden = try Self.golden(), folder = try Self.clip()
        var store = try start(training(), at: Self.adapter("plain"))
        let rate = try #require(golden.metadata["rate"].flatMap { Float($0) })
        let decay = try #require(golden.metadata["decay"].flatMap { Float($0) })
        var optimizer = Optimizer(.adamW(), weightDecay: decay) { _, _ in ParameterRule() }
        for (step, wanted) in try golden.tensor("losses").floats().enumerated() {
            let variables = store.variables(), loss = try loss(folder, store, variables), value = loss.scalar
            #expect(abs(value - wanted) <= 1e-4 * max(1, abs(wanted)), "loss \(step): \(value), expected \(wanted)")
            let found = try loss.gradients(), gradients = variables.compactMapValues { found[$0] }
            if step == 0 {
                #expect(gradients.count == golden.entries.count { $0.name.hasPrefix("gradient.") })
                for (name, own) in gradients {
                    let wanted = try golden.tensor("gradient." + name), largest = wanted.floats().map { abs($0) }.max() ?? 0
                    let difference = TensorDifference(own, wanted)
                    #expect(largest > 0 && difference.isWithin(1e-4 * max(1, largest)), "gradient of \(name): \(difference)")
                }
            }
            optimizer.update(&store, gradients: gradients, rate: rate)
        }
    }

    @Test func theStartIsPEFTsAndSeeded() throws {
        let first = try training(), again = try training(), other = try training(seed: 2)
        var fewer = Self.options
        fewer.targets = ["v_proj"]
        let part = try training(fewer)
        #expect(first.layers.count == 12 && part.layers.count == 4 && part.store.names.count == 9)
        for layer in first.layers {
            let name = "\(layer.path).lora_A.weight", down = try #require(first.store[name]).floats()
            let bound = 1 / Float(layer.input).squareRoot()
            // Uniform within the bound: nothing beyond, something near it, a mean near zero.
            #expect(down.count == 4 * layer.input && down.allSatisfy { abs($0) <= bound } && down.contains { abs($0) > 0.9 * bound })
            #expect(abs(down.reduce(0, +) / Float(down.count)) < 0.2 * bound)
            #expect(again.store[name]?.floats() == down && other.store[name]?.floats() != down)
            #expect(part.store[name] == nil || part.store[name]?.floats() == down)
            #expect(first.store["\(layer.path).lora_B.weight"]?.floats().allSatisfy { $0 == 0 } == true)
        }
        // Before the first step it is the base.
        let folder = try Self.clip(), base = try ParameterStore(folder.source) { _ in false }
        #expect(try loss(folder, first.store, [:]).scalar == loss(folder, base, [:]).scalar)
    }

    /// PEFT read the folder `ours`, which must stay what is written: adapters.py then stored `ours.*`.
    @Test func whatIsWrittenIsWhatPEFTRead() throws {
        var options = AdapterOptions(targets: ["text_model.**.k_proj", "out_proj", "visual_projection"])
        (options.rank, options.alpha, options.isRankStabilised) = (3, 5, true)
        options.trainAlso = ["text_model.final_layer_norm.weight", "logit_scale"]
        let training = try training(options)
        var store = training.store
        for (place, name) in store.names.enumerated() {
            guard let shape = store[name]?.shape else { continue }
            var generator = RandomGenerator(seed: UInt64(place))
            let count = shape.reduce(1, *)
            store[name] = Tensor.makeFloats(shape) { out in for i in 0..<count { out[i] = (generator.uniform() - 0.5) * 0.5 } }
        }
        let folder = FileManager.default.temporaryDirectory.appendingPathComponent("sensorium-adapter-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        try training.export(store, base: "clip-folder", to: folder)
        for name in ["adapter_config.json", "adapter_model.safetensors"] {
            let held = try? Data(contentsOf: Self.place.appendingPathComponent("ours/\(name)"))
            let written = try Data(contentsOf: folder.appendingPathComponent(name))
            #expect(held == written, "copy \(folder.path) to golden/adapters/ours and run adapters.py")
            if held != written { return }
        }
        try FileManager.default.removeItem(at: folder)
    }

    @Test(arguments: [
        ("targets", "no linear layer"), ("train_also", "no parameter"), ("both", "take it out"),
    ]) func patternsThatFitNothingAreNamed(_ field: String, _ said: String) throws {
        var options = Self.options
        switch field {
        case "targets": options.targets = ["v_proj", "q_prj"]
        case "train_also": options.trainAlso = ["nothing.*"]
        default: options.trainAlso = ["**.q_proj.weight"]
        }
        do {
            _ = try training(options)
            Issue.record("it was taken")
        } catch let error as TrainingError {
            #expect("\(error)".contains(said) && (field != "targets" || "\(error)".contains("q_proj")), "\(error)")
        }
    }

    // MARK: Rounded bases

    @Test func aRoundedBaseIsHeldSmallAndLearns() throws {
        let folder = try Self.clip()
        var options = Self.options
        options.targets = ["all-linear"]
        options.trainAlso = []
        let plain = try training(options)
        options.basePrecision = .q4_0
        let rounded = try training(options), bytes = try #require(rounded.rounding)
        // 18 bytes for 32 numbers where rows are whole blocks; f16 for rows of 40.
        let expected = rounded.layers.reduce(0) { $0 + $1.output * ($1.input % 32 == 0 ? $1.input / 32 * 18 : $1.input * 2) }
        #expect(bytes.held == expected && bytes.stored == rounded.layers.reduce(0) { $0 + $1.output * $1.input * 4 })
        #expect(bytes.held * 2 < bytes.stored && plain.rounding == nil)
        var store = rounded.store, losses: [Float] = []
        var optimizer = Optimizer(.adamW())
        for _ in 0..<12 {
            let variables = store.variables(), loss = try loss(folder, store, variables)
            losses.append(loss.scalar)
            let found = try loss.gradients(), gradients = variables.compactMapValues { found[$0] }
            #expect(gradients.count == store.names.count && gradients.values.allSatisfy { $0.countNotFinite() == 0 })
            optimizer.update(&store, gradients: gradients, rate: 1e-2)
        }
        #expect(losses[11] < 0.7 * losses[0], "\(losses)")
    }

    @Test(arguments: [WeightFormat.q4_0, .q8_0, .int8, .q4_K]) func gradientsFlowThroughRoundedRows(_ format: WeightFormat) throws {
        var generator = RandomGenerator(seed: 3)
        let rows = StoredRows(Tensor.randomNormal([24, 256], using: &generator)).converted(to: format)
        let x = Tensor.randomNormal([5, 256], using: &generator).traced(), dy = Tensor.randomNormal([5, 24], using: &generator)
        let y = try WeightMatrix([rows]).apply(x)
        let found = try #require(y.gradients(seed: dy)[x])
        let difference = try TensorDifference(found, dy.matmul(rows.floats()))
        #expect(rows.format == format && rows.byteCount * 3 < 24 * 256 * 4 && difference.isWithin(1e-4), "\(difference)")
    }

    // MARK: What can't be read

    private func altered(_ name: String, _ change: (inout [String: Any]) -> Void) throws -> URL {
        let folder = FileManager.default.temporaryDirectory.appendingPathComponent("sensorium-adapter-\(UUID().uuidString)")
        try FileManager.default.copyItem(at: Self.place.appendingPathComponent(name), to: folder)
        let file = folder.appendingPathComponent("adapter_config.json")
        var fields = try #require(try JSONSerialization.jsonObject(with: Data(contentsOf: file)) as? [String: Any])
        change(&fields)
        try JSONSerialization.data(withJSONObject: fields).write(to: file)
        return folder
    }

    @Test(arguments: [
        "peft_type=\"IA3\"", "use_dora=true", "bias=\"all\"", "fan_in_fan_out=true", "lora_bias=true", "target_parameters=[\"x\"]",
        "trainable_token_indices=[3]", "layer_replication=[[0,2]]", "init_lora_weights=\"pissa_niter_4\"", "r=0", "lora_alpha=\"much\"",
        "alpha_pattern={\"^.*fc2\":2}", "modules_to_save=3", "arrow_config={\"top_k\":3}", "use_qalora=true",
    ]) func kindsOfAdaptersThatArentComputedAreNamed(_ field: String) throws {
        let parts = field.split(separator: "=", maxSplits: 1).map(String.init)
        let value = try JSONSerialization.jsonObject(with: Data(parts[1].utf8), options: .fragmentsAllowed)
        let folder = try altered("plain") { $0[parts[0]] = value }
        defer { try? FileManager.default.removeItem(at: folder) }
        do {
            _ = try AdapterFolder(path: folder.path)
            Issue.record("it was taken")
        } catch {
            #expect("\(error)".contains("adapter_config.json") && "\(error)".contains(parts[0]), "\(error)")
        }
    }

    @Test func damagedAdaptersAreNamed() throws {
        let folder = try altered("plain") { _ in }
        defer { try? FileManager.default.removeItem(at: folder) }
        let file = folder.appendingPathComponent("adapter_model.safetensors")
        let whole = try SafetensorsFile(path: Self.place.appendingPathComponent("plain/adapter_model.safetensors").path)
        var tensors: [String: Tensor] = [:]
        for entry in whole.entries { tensors[entry.name] = try whole.tensor(entry.name) }
        let layer = "base_model.model.text_model.encoder.layers.0.self_attn.q_proj"
        func message(_ change: (inout [String: Tensor]) throws -> Void) throws -> String {
            var changed = tensors
            try change(&changed)
            try SafetensorsWriter.write(changed, to: file.path)
            do {
                _ = try Catalog.load(Self.clip().adapted(by: AdapterFolder(path: folder.path)))
                return ""
            } catch let error as CheckpointError { return "\(error)" }
        }
        #expect(try message { _ in } == "")
        #expect(try message { $0[layer + ".lora_B.weight"] = nil }.contains("layers.0.self_attn.q_proj"))
        #expect(try message { $0[layer + ".lora_B.weight"] = .zeros([32, 5]) }.contains("factors"))
        #expect(try message { $0[layer + ".lora_A.weight"] = .zeros([4, 31]) }.contains("expected [4, 32], found [4, 31]"))
        #expect(try message { $0[layer + ".lora_magnitude_vector"] = .zeros([32]) }.contains("lora_magnitude_vector"))
        #expect(try message { $0["base_model.model.nothing.weight"] = .zeros([3]) }.contains("nothing.weight"))
        #expect(
            try message {
                $0["base_model.model.no.such.lora_A.weight"] = .zeros([4, 8])
                $0["base_model.model.no.such.lora_B.weight"] = .zeros([8, 4])
            }.contains("no.such.lora_A.weight"))
        try FileManager.default.removeItem(at: file)
        #expect(throws: CheckpointError.self) { _ = try AdapterFolder(path: folder.path) }
    }

    @Test func gguFilesTakeNoAdapters() throws {
        let base = try ModelFolder(
            path: Golden.root.appendingPathComponent("Sources/Models/Language/Llama/golden/gguf_q4_1/model.gguf").path)
        #expect(throws: CheckpointError.self) { _ = try base.adapted(by: Self.adapter("llama")) }
        #expect(throws: CheckpointError.self) { _ = try AdapterFolder.merged([(Self.adapter("llama"), 1)], into: base.source) }
        #expect(throws: TrainingError.self) {
            _ = try AdapterTraining(AdapterOptions(targets: ["q_proj"]), base: base.source, seed: 1, file: "x") {
                _ = try Catalog.load(base.network(over: $0))
            }
        }
    }
}
