import ArgumentParser
import Catalog
import Foundation
import Imaging
import ModelKit
import PictureLibrary
import Pipelines
import Tensors

struct BenchmarkCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "benchmark", abstract: "Measures parts of the program; used by Benchmarks/.", shouldDisplay: false,
        subcommands: [Encoder.self, TextTower.self, Decoding.self, Learning.self, Products.self, Reading.self])

    struct Encoder: ParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "encoder", abstract: "Runs a picture encoder on prepared pictures and prints a JSON line with its speed.")

        @Option(name: .long, help: "A model's folder, a checkpoint file or a catalogue name.")
        var model: String

        @OptionGroup var precision: PrecisionOption

        @Option(name: .long, help: "Pictures in a batch.")
        var batch = 16

        @Option(name: .long, help: "Threads (default: all cores).")
        var threads: Int?

        @Option(name: .long, help: "Batches that are measured; 32 pictures go before, after which weights lie as they stay.")
        var rounds = 8

        func validate() throws {
            guard (1...4_096).contains(batch), (1...100_000).contains(rounds), (threads ?? 1) >= 1 else {
                throw ValidationError("--batch, --rounds and --threads must be at least 1.")
            }
        }

        func run() throws {
            if let threads { ThreadPool.limit(to: threads) }
            let place = try ModelPlace(model, precision: precision.precision)
            guard let encoder = try place.load().image else { throw Failure(.unusable, "\(model) holds no picture tower") }
            var generator = RandomGenerator(seed: 1)
            let side = max(64, encoder.shortestUsefulSide)
            let pixels = (0..<side * side * 3).map { _ in UInt8(truncatingIfNeeded: generator.next()) }
            let prepared = try encoder.prepare(Picture(width: side, height: side, pixels: pixels))
            let inputs = [Tensor](repeating: prepared, count: batch)
            for _ in 0..<max(1, 32 / batch) { _ = try encoder.embed(inputs) }
            let middle = try BenchmarkClock.median(of: rounds) { _ = try encoder.embed(inputs) }
            var line = JSONLine()
            line.add("model", place.name)
            line.add("batch", batch)
            line.add("threads", ThreadPool.threadCount)
            line.add("rounds", rounds)
            line.add("median_seconds", middle)
            line.add("pictures_per_second", Double(batch) / middle)
            Console.standard.line(line.text)
        }
    }
}
