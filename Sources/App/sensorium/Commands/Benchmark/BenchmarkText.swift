import ArgumentParser
import Catalog
import ModelKit
import PictureLibrary
import Tensors

extension BenchmarkCommand {
    struct TextTower: ParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "text", abstract: "Runs a text tower on one text's tokens and prints a JSON line with its speed.")

        @Option(name: .long, help: "A model's folder, a checkpoint file or a catalogue name.")
        var model: String

        @OptionGroup var precision: PrecisionOption

        @Option(name: .long, help: "The text; splitting it into tokens isn't measured.")
        var text: String

        @Option(name: .long, help: "Threads (default: all cores).")
        var threads: Int?

        @Option(name: .long, help: "Runs that are measured; 100 go before, after which weights lie as they stay.")
        var rounds = 50

        func validate() throws {
            guard (1...100_000).contains(rounds), (threads ?? 1) >= 1 else {
                throw ValidationError("--rounds and --threads must be at least 1.")
            }
        }

        func run() throws {
            if let threads { ThreadPool.limit(to: threads) }
            let place = try ModelPlace(model, precision: precision.precision), loaded = try place.load()
            guard let encoder = loaded.text, loaded.textAbsence == nil else {
                throw Failure(.unusable, "\(model): \(loaded.textAbsence ?? "it holds no text tower")")
            }
            let tokens = try encoder.tokenize([text])
            for _ in 0..<100 { _ = try encoder.embed(tokens) }
            let middle = try BenchmarkClock.median(of: rounds) { _ = try encoder.embed(tokens) }
            var line = JSONLine()
            line.add("model", place.name)
            line.add("tokens", tokens.ids.dim(1))
            line.add("threads", ThreadPool.threadCount)
            line.add("rounds", rounds)
            line.add("median_seconds", middle)
            Console.standard.line(line.text)
        }
    }
}
