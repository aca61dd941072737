import Autograd
import Catalog
import Checkpoints
import Foundation
import Layers
import ModelKit
import TestSupport
import Tensors
import Testing

@testable import Training

/// A tiny CLIP, Llama and U-Net against PyTorch: logits, the gradient of every parameter, ten losses of AdamW (reference.py).
@Suite struct TenLossesTests {
    static func file(_ name: String) throws -> SafetensorsFile {
        try SafetensorsFile(path: Golden.root.appendingPathComponent("Tests/TrainingTests/golden/\(name).safetensors").path)
    }

    /// The model of a golden folder with its parameters replaced by variables, without its tokenizer.
    static func build(_ folder: ModelFolder, _ store: ParameterStore, _ variables: [String: Tensor]) throws -> LoadedModel {
        try Catalog.load(ModelFolder(path: folder.path, config: folder.config, source: store.source(variables)))
    }

    /// What was found: the largest differences of logits and gradients, and of each loss.
    struct Found {
        var logits = 0.0, gradient = 0.0, parameters = 0
        var losses: [(own: Float, wanted: Float)] = []
    }

    private func learn(
        _ golden: SafetensorsFile, _ start: ParameterStore, renamed: (String) -> String = { $0 },
        _ loss: (ParameterStore, [String: Tensor]) throws -> (loss: Tensor, logits: Tensor)
    ) throws -> Found {
        var report = Found()
        var store = start
        let rate = try #require(golden.metadata["rate"].flatMap { Float($0) })
        let decay = try #require(golden.metadata["decay"].flatMap { Float($0) })
        var optimizer = Optimizer(.adamW(), weightDecay: decay) { _, _ in ParameterRule() }
        let expected = try golden.tensor("losses").floats()
        var losses: [Float] = []
        for step in expected.indices {
            let variables = store.variables()
            let (value, logits) = try loss(store, variables)
            losses.append(value.scalar)
            let found = try value.gradients()
            var gradients: [String: Tensor] = [:]
            for (name, variable) in variables { gradients[name] = found[variable] }
            if step == 0 {
                let difference = try TensorDifference(logits, golden.tensor("logits"))
                #expect(difference.isWithin(1e-4), "logits: \(difference)")
                report.logits = Double(difference.worst)
                var compared = 0
                for entry in golden.entries where entry.name.hasPrefix("gradient.") {
                    let name = renamed(String(entry.name.dropFirst(9))), wanted = try golden.tensor(entry.name)
                    let own = try #require(gradients[name], "no gradient of \(name)")
                    let largest = wanted.floats().map { abs($0) }.max() ?? 0
                    let difference = TensorDifference(own, wanted)
                    #expect(difference.isWithin(1e-4 * max(1, largest)), "gradient of \(name): \(difference)")
                    report.gradient = max(report.gradient, Double(difference.worst / max(1, largest)))
                    compared += 1
                }
                #expect(compared == gradients.count)
                report.parameters = compared
            }
            optimizer.update(&store, gradients: gradients, rate: rate)
        }
        for (step, (found, wanted)) in zip(losses, expected).enumerated() {
            #expect(abs(found - wanted) <= 1e-4 * max(1, abs(wanted)), "loss \(step): \(found), expected \(wanted)")
        }
        report.losses = Array(zip(losses, expected))
        return report
    }

    /// All three, and their table: losses.md.
    @Test func equalPyTorch() throws {
        var table = ParityTable(
            "Tests/TrainingTests/losses.md",
            head: """
                # Tiny models beside PyTorch's

                Ten steps of AdamW from the same weights on the same batch (Tests/TrainingTests/reference.py): the largest difference of an element
                of the logits and of any parameter's gradient at the first step, and every loss, ours and PyTorch's. Written by
                `SENSORIUM_TABLES=1 swift test -c release --filter TenLossesTests`.
                """,
            columns: ["model", "logits", "gradients (of how many tensors)"] + (1...10).map { "loss \($0)" })
        for (name, found) in [("CLIP", try clip()), ("Llama", try llama()), ("U-Net", try unet())] {
            #expect(found.losses.count == 10)
            table.add(
                name,
                [ParityTable.text(found.logits), "\(ParityTable.text(found.gradient)) (\(found.parameters))"]
                    + found.losses.map { String(format: "%.5f / %.5f", $0.own, $0.wanted) })
        }
        #expect(try table.missing().isEmpty)
    }

    /// The tiny CLIP as it starts, and its loss on the golden pictures and texts.
    private func clip(
        _ golden: SafetensorsFile
    ) throws -> (ParameterStore, (ParameterStore, [String: Tensor]) throws -> (loss: Tensor, logits: Tensor)) {
        let folder = try ModelFolder(path: Golden.root.appendingPathComponent("Sources/Models/DualEncoder/CLIP/golden/vit").path)
        var store = try ParameterStore(folder.source) { _ in true }
        store["logit_scale"] = Tensor(Float(2.6592))
        let pixels = try golden.tensor("in.pixels"), ids = try golden.tensor("in.ids")
        return (
            store,
            { store, variables in
                let model = try Self.build(folder, store, variables)
                let pictures = try (0..<pixels.dim(0)).map { try pixels.selected(0, $0) }
                let images = try #require(model.image).embed(pictures).unitLength()
                let texts = try #require(model.text).embed(TokenBatch(ids: ids)).unitLength()
                let scale = try #require(variables["logit_scale"]).exp()
                let loss = try Losses.contrastive(images, texts, scale: scale)
                return (loss, try (images.matmul(texts.transposed()) * scale).detached())
            }
        )
    }

    private func clip() throws -> Found {
        let golden = try Self.file("clip"), (store, loss) = try clip(golden)
        return try learn(golden, store, loss)
    }

    /// With products of bf16 the losses follow those of f32 as PyTorch's under autocast do, which are off by 0.021 at most: an operand
    /// is off by up to 2^-9 of itself, a cosine by about as much, and the temperature makes 14 of it.
    @Test func clipWithProductsOfBfloat() throws {
        let golden = try Self.file("clip"), (start, loss) = try clip(golden)
        let exact = try golden.tensor("losses").floats(), theirs = try Self.file("clip_bf16").tensor("losses").floats()
        func run() throws -> [Float] {
            var store = start, optimizer = Optimizer(.adamW(), weightDecay: 0.05) { _, _ in ParameterRule() }
            return try exact.map { _ in
                let variables = store.variables()
                let value = try Tensor.computing(in: .bf16) { try loss(store, variables).loss }
                let found = value.scalar
                let gradients = try value.gradients()
                optimizer.update(&store, gradients: variables.compactMapValues { gradients[$0] }, rate: 2e-3)
                return found
            }
        }
        let own = try run(), threads = ThreadPool.threadCount
        for step in own.indices {
            #expect(abs(own[step] - exact[step]) <= 2e-2, "loss \(step): \(own[step]), in f32 \(exact[step])")
            #expect(abs(own[step] - theirs[step]) <= 4e-2, "loss \(step): \(own[step]), PyTorch's under autocast \(theirs[step])")
        }
        #expect(own != exact)
        ThreadPool.limit(to: 1)
        defer { ThreadPool.limit(to: threads) }
        #expect(try run() == own)
    }

    private func llama() throws -> Found {
        let golden = try Self.file("llama")
        let folder = try ModelFolder(path: Golden.root.appendingPathComponent("Sources/Models/Language/Llama/golden/tied").path)
        let ids = try golden.tensor("in.ids"), following = try ids.sliced(1, 1..<ids.dim(1)).contiguous().ints()
        return try learn(golden, ParameterStore(folder.source) { _ in true }) { store, variables in
            let logits = try #require(try Self.build(folder, store, variables).language).logits(ids: ids)
            let flat = try logits.sliced(1, 0..<ids.dim(1) - 1).reshaped([following.count, logits.dim(-1)])
            return (try Losses.crossEntropy(flat, following), logits.detached())
        }
    }

    private func unet() throws -> Found {
        let golden = try Self.file("unet")
        var start: [String: Tensor] = [:]
        for entry in golden.entries where entry.name.hasPrefix("parameter.") {
            start[String(entry.name.dropFirst(10))] = try golden.tensor(entry.name)
        }
        let (x, t, noise) = (try golden.tensor("in.x"), try golden.tensor("in.t"), try golden.tensor("in.noise"))
        let store = try ParameterStore(EmptySource(), added: start) { _ in true }
        return try learn(golden, store) { store, variables in
            let model = try WeightLoader.load(from: store.source(variables), label: "U-Net") { TinyUNet($0) }
            let found = try model(x, t)
            return (try Losses.meanSquare(found, noise), found.detached())
        }
    }
}

struct EmptySource: TensorSource {
    var path: String { "nothing" }
    var entries: [TensorEntry] { [] }
    func tensor(_ name: String) throws(CheckpointError) -> Tensor { throw .absent(file: path, key: name, near: []) }
}

private struct GroupNorm {
    let weight, bias: Tensor

    init(_ weights: Weights, _ channels: Int) {
        (weight, bias) = (weights.tensor("weight", [channels]), weights.tensor("bias", [channels]))
    }

    func callAsFunction(_ x: Tensor) throws -> Tensor { try x.groupNorm(groups: 4, weight: weight, bias: bias, epsilon: 1e-5) }
}

private struct Residual {
    let norm1, norm2: GroupNorm
    let conv1, conv2: Convolution
    let time: Linear
    let shortcut: Convolution?

    init(_ weights: Weights, _ input: Int, _ width: Int) {
        (norm1, norm2) = (GroupNorm(weights["norm1"], input), GroupNorm(weights["norm2"], width))
        conv1 = Convolution(weights["conv1"], input, width, kernel: (3, 3), window: Window(padding: (1, 1)))
        conv2 = Convolution(weights["conv2"], width, width, kernel: (3, 3), window: Window(padding: (1, 1)))
        time = Linear(weights["time"], 16, width)
        shortcut = input == width ? nil : Convolution(weights["shortcut"], input, width, kernel: (1, 1))
    }

    func callAsFunction(_ x: Tensor, _ t: Tensor) throws -> Tensor {
        let shift = try time(t.silu()), wide = try shift.reshaped(shift.shape + [1, 1])
        let y = try conv1(norm1(x).silu()) + wide
        return try conv2(norm2(y).silu(), residual: shortcut?(x) ?? x)
    }
}

/// The U-Net of reference.py, out of the engine's layers.
private struct TinyUNet {
    let time1, time2, query, key, value, output: Linear
    let first, shrink, grow, last: Convolution
    let down, middle, up: Residual
    let norm, lastNorm: GroupNorm

    init(_ w: Weights) {
        (time1, time2) = (Linear(w["time1"], 8, 16), Linear(w["time2"], 16, 16))
        first = Convolution(w["first"], 3, 8, kernel: (3, 3), window: Window(padding: (1, 1)))
        shrink = Convolution(w["shrink"], 8, 16, kernel: (3, 3), window: Window(stride: (2, 2), padding: (1, 1)))
        grow = Convolution(w["grow"], 16, 8, kernel: (3, 3), window: Window(padding: (1, 1)))
        last = Convolution(w["last"], 8, 3, kernel: (3, 3), window: Window(padding: (1, 1)))
        (down, middle, up) = (Residual(w["down"], 8, 8), Residual(w["middle"], 16, 16), Residual(w["up"], 16, 8))
        (norm, lastNorm) = (GroupNorm(w["norm"], 16), GroupNorm(w["last_norm"], 8))
        (query, key) = (Linear(w["query"], 16, 16), Linear(w["key"], 16, 16))
        (value, output) = (Linear(w["value"], 16, 16), Linear(w["output"], 16, 16))
    }

    func callAsFunction(_ x: Tensor, _ t: Tensor) throws -> Tensor {
        let frequencies = try Tensor((0..<4).map { exp(Float($0) * -2) }, [1, 4]), angles = try t.reshaped([4, 1]) * frequencies
        let time = try time2(time1(Tensor.concatenated([angles.sin(), angles.cos()], axis: 1), activation: .silu))
        let start = try down(first(x), time)
        let y = try middle(shrink(start), time)  // [4, 16, 4, 4]
        let tokens = try norm(y).flattened(from: 2).transposed(1, 2)
        func heads(_ z: Tensor) throws -> Tensor { try z.reshaped([4, 16, 2, 8]).permuted([0, 2, 1, 3]) }
        let mixed = try Tensor.attention(queries: heads(query(tokens)), keys: heads(key(tokens)), values: heads(value(tokens)))
        let seen = try output(mixed.reshaped([4, 16, 16])).transposed(1, 2).reshaped(y.shape) + y
        let wide = try grow(seen.interpolated(height: 8, width: 8, .nearest))
        return try last(lastNorm(up(Tensor.concatenated([wide, start], axis: 1), time)).silu())
    }
}
