import ArgumentParser
import Catalog
import Checkpoints
import Foundation
import ModelKit

extension ModelsCommand {
    struct Pack: ParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "pack", abstract: "Writes what was trained of a model in 8 bits, to be shipped with the program.",
            discussion: """
                The picture tower isn't written: `sensorium models pull` fetches it and puts both together.

                EXAMPLES
                  sensorium models pack runs/base/best --output packed
                """, shouldDisplay: false)

        @Argument(help: "A model's folder: a checkpoint of a run.", completion: .directory)
        var model: String

        @Option(name: .long, help: ArgumentHelp("The folder to write; made where it isn't there.", valueName: "folder"))
        var output: String

        @Flag(name: .long, help: "Leave out the text tower: that of another shipped model is used.")
        var withoutTexts = false

        func run() throws {
            let folder = try ModelFolder(path: model)
            let packed = try ShippedWeights.pack(folder.source) {
                !$0.hasPrefix("vision_model.") && !$0.hasPrefix("visual_projection.") && !(withoutTexts && ShippedWeights.isText($0))
            }
            try FileManager.default.createDirectory(atPath: output, withIntermediateDirectories: true)
            try SafetensorsWriter.write(packed, to: output + "/trained.safetensors")
            for name in ["config.json", "preprocessor_config.json"] + (withoutTexts ? [] : ["tokenizer.json"]) {
                guard let source = folder.file(name), let data = FileManager.default.contents(atPath: source) else {
                    throw Failure(.unusable, "\(model)/\(name) isn't there")
                }
                let file = try AtomicFile(path: output + "/" + name)
                try file.write(Array(data))
                try file.commit()
            }
            let bytes = packed.values.reduce(0) { $0 + $1.count * $1.dtype.size }
            Console.standard.line("\(output)/trained.safetensors: \(packed.count) tensors, \(NumberText.grouped(bytes)) bytes")
        }
    }
}
