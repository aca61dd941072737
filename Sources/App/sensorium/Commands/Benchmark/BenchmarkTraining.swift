import ArgumentParser
import Autograd
import Catalog
import Checkpoints
import Foundation
import ModelKit
import PictureLibrary
import Tensors
import Training

extension BenchmarkCommand {
    struct Learning: ParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "training", abstract: "Trains all of a dual encoder on one batch, again and again, and prints a JSON line.")

        @Option(name: .long, help: "A model's folder.")
        var model: String

        @Option(name: .long, help: "Pixels of the pictures, [batch, 3, height, width] (.npy).")
        var pixels: String

        @Option(name: .long, help: "Tokens of their texts, [batch, length] (.npy).")
        var ids: String

        @Option(name: .long, help: "The learning rate of AdamW.")
        var rate: Float = 1e-5

        @Option(name: .long, help: "What layers multiply: \(ProductPrecision.allCases.map(\.rawValue).joined(separator: " or ")).")
        var precision = ProductPrecision.f32

        @Option(name: .long, help: "Threads (default: all cores).")
        var threads: Int?

        @Option(name: .long, help: "Steps that are measured; one more goes before.")
        var rounds = 4

        func validate() throws {
            guard (1...1_000).contains(rounds), (threads ?? 1) >= 1 else {
                throw ValidationError("--rounds and --threads must be at least 1.")
            }
        }

        func run() throws {
            if let threads { ThreadPool.limit(to: threads) }
            let folder = try ModelPlace(model).folder()
            let pixels = try NumpyFile(path: pixels).tensor(), ids = try NumpyFile(path: ids).tensor()
            let pictures = try (0..<pixels.dim(0)).map { try pixels.selected(0, $0) }
            var store = try ParameterStore(folder.source) { _ in true }
            var optimizer = Optimizer(.adamW(), weightDecay: 0.01) { _, _ in ParameterRule() }
            let start = BufferPool.used
            var losses: [Float] = []
            let (middle, bytes) = try BufferPool.peak {
                try BenchmarkClock.median(of: rounds) {
                    let (loss, gradients) = try Tensor.computing(in: precision) { try step(folder, store, pictures, ids) }
                    losses.append(loss)
                    optimizer.update(&store, gradients: gradients, rate: rate)
                }
            }
            var line = JSONLine()
            line.add("threads", ThreadPool.threadCount)
            line.add("precision", precision.rawValue)
            line.add("losses", json: "[" + losses.map { "\($0)" }.joined(separator: ",") + "]")
            line.add("median_seconds", middle)
            line.add("tensor_mebibytes", Double(bytes + start) / Double(1 << 20))
            Console.standard.line(line.text)
        }

        private func step(
            _ folder: ModelFolder, _ store: ParameterStore, _ pictures: [Tensor], _ ids: Tensor
        ) throws -> (Float, [String: Tensor]) {
            let variables = store.variables()
            let model = try Catalog.rebuild(ModelFolder(path: folder.path, config: folder.config, source: store.source(variables)))
            guard let image = model.image, let text = model.text, let scale = variables["logit_scale"] else {
                throw Failure(.unusable, "\(self.model) is no dual encoder")
            }
            let loss = try Losses.contrastive(
                image.embed(pictures).unitLength(), text.embed(TokenBatch(ids: ids)).unitLength(), scale: scale.exp())
            let value = loss.scalar, found = try loss.gradients()
            return (value, variables.compactMapValues { found[$0] })
        }
    }
}

extension ProductPrecision: ExpressibleByArgument {}
