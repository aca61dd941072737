import Catalog
import ArgumentParser
import Checkpoints
import Foundation
import ModelKit
import Tensors

extension ModelsCommand {
    struct Merge: ParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "merge", abstract: "Works adapters into their base, as one model.",
            discussion: """
                Adapters are LoRA folders as Hugging Face's PEFT writes them, or as a recipe with a section `adapter` leaves them. The \
                result is an ordinary folder: the base's files, and its weights with the products of the adapters' matrices added, each \
                times the number behind its name. `--model ADAPTER` uses an adapter without merging.

                EXAMPLES
                  sensorium models merge clip-folder adapter --output merged
                  sensorium models merge clip-folder adapter=0.7 second-adapter=0.3 --output mixed
                """)

        @Argument(help: "The base: a model's folder, a checkpoint file or a catalogue name.", completion: .file())
        var base: String

        @Argument(
            help: ArgumentHelp("Folders of adapters, each with a weight (default: 1).", valueName: "adapter[=weight]"),
            completion: .directory)
        var adapters: [String]

        @Option(name: .long, help: ArgumentHelp("The folder to write; it mustn't be there yet.", valueName: "folder"))
        var output: String

        func run() throws {
            let place = try ModelPlace(base), folder = try place.folder()
            guard place.adapter == nil else { throw Failure(.usage, "\(base) is an adapter itself: name its base first") }
            guard !FileManager.default.fileExists(atPath: output) else {
                throw Failure(.usage, "--output \(output) is there already: name a new folder")
            }
            let all = try adapters.map { try Self.adapter($0) }
            let merged = try AdapterFolder.merged(all, into: folder.source)
            let target = URL(fileURLWithPath: output), part = URL(fileURLWithPath: output + ".part-\(getpid())")
            do {
                try FileManager.default.createDirectory(at: part, withIntermediateDirectories: true)
                try ModelExport.write(merged, of: folder, to: part)
                try FileManager.default.moveItem(at: part, to: target)
            } catch {
                try? FileManager.default.removeItem(at: part)
                if error is CheckpointError { throw error }
                throw Failure(.notWritten, "\(output) can't be written: \(error.localizedDescription)")
            }
            let layers = Set(all.flatMap { $0.folder.layers.keys }).count
            Console.standard.line("\(output): \(merged.count) tensors, \(layers) layers changed")
        }

        /// `folder` or `folder=weight`.
        private static func adapter(_ text: String) throws -> (folder: AdapterFolder, weight: Float) {
            var (path, weight) = (text, Float(1))
            if !FileManager.default.fileExists(atPath: text), let equals = text.lastIndex(of: "=") {
                guard let number = Float(text[text.index(after: equals)...]), number.isFinite else {
                    throw Failure(.usage, "\(text): a number is expected behind =")
                }
                (path, weight) = (String(text[..<equals]), number)
            }
            guard AdapterFolder.isOne(path) else {
                throw Failure(.unusable, "\(path) is no adapter: a folder with \(AdapterConfig.fileName) is expected")
            }
            return (try AdapterFolder(path: path), weight)
        }
    }
}
