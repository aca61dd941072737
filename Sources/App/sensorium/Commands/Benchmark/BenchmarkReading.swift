import ArgumentParser
import Catalog
import Foundation
import Imaging
import ModelKit
import PictureLibrary
import Pipelines
import Tensors

extension BenchmarkCommand {
    struct Reading: ParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "reading", abstract: "Reads the text in pictures again and again and prints a JSON line with the speed.")

        @Argument(help: "Pictures, decoded before the measurement.")
        var images: [String]

        @Option(name: .long, help: "A reading model's folder or catalogue name.")
        var model = RememberedModels.standardReader

        @Option(name: .long, help: "Threads (default: all cores).")
        var threads: Int?

        @Option(name: .long, help: "Times that all pictures are read; one more goes before.")
        var rounds = 3

        func validate() throws {
            guard (1...100_000).contains(rounds), (threads ?? 1) >= 1 else {
                throw ValidationError("--rounds and --threads must be at least 1.")
            }
        }

        func run() throws {
            if let threads { ThreadPool.limit(to: threads) }
            let place = try ModelPlace(model), reader = try PictureReader(place.load(), name: place.name)
            let pictures = try images.map { try PictureDecoder.decode(path: FilePath($0)) }
            var lines = 0
            let middle = try BenchmarkClock.median(of: rounds) { lines = try pictures.reduce(0) { try $0 + reader.read($1).count } }
            var line = JSONLine()
            line.add("model", place.name)
            line.add("pictures", pictures.count)
            line.add("lines", lines)
            line.add("threads", ThreadPool.threadCount)
            line.add("median_seconds", middle)
            line.add("pictures_per_second", Double(pictures.count) / middle)
            Console.standard.line(line.text)
        }
    }
}
