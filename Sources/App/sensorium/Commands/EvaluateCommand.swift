import ArgumentParser
import Catalog
import Evaluation
import Foundation
import Imaging
import ModelKit
import PictureLibrary

struct EvaluateCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "eval", abstract: "Measures how good a model is.",
        discussion: """
            EXAMPLES
              sensorium eval perplexity --model smollm2-135m-instruct --text captions.txt
              sensorium eval retrieval --model clip-folder --data captions.jsonl
              sensorium eval zero-shot --model clip-folder --data animals
              sensorium eval linear-probe --model dinov2-small --data animals-split
              sensorium eval knn --model dinov2-small --data animals-split
              sensorium eval alignment clip-folder dinov2-small --data ~/Pictures --neighbors 2
            """,
        subcommands: [
            PerplexityCommand.self, RetrievalCommand.self, ZeroShotCommand.self, LinearProbeCommand.self, NeighbourCommand.self,
            AlignmentCommand.self,
        ])

    /// The longest text that is read; a billion tokens would take weeks.
    static let longestText = 1 << 30
}

struct PerplexityCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "perplexity", abstract: "Measures how well a language model foretells a text: lower is better.",
        discussion: """
            exp of the mean negative log-likelihood of the text's tokens. The text goes through windows of --context tokens that \
            start --stride apart; each token is scored once, given those before it in its window. A stride below the context \
            gives every token more to go by, and takes longer.

            EXAMPLES
              sensorium eval perplexity --model smollm2-135m-instruct --text captions.txt
              sensorium eval perplexity --model model.gguf --text captions.txt --context 32 --stride 16 --json
              sensorium eval perplexity --model smollm2-135m-instruct --text captions.txt --precision int8
            """)

    @Option(name: .shortAndLong, help: "A model's folder, a checkpoint file or a catalogue name.", completion: .file())
    var model: String

    @Option(name: .long, help: ArgumentHelp("A file of UTF-8 text.", valueName: "file"), completion: .file())
    var text: String

    @Option(name: .long, help: ArgumentHelp("Tokens of a window (default: 512, or what the model takes).", valueName: "n"))
    var context: Int?

    @Option(name: .long, help: ArgumentHelp("Tokens from window to window (default: the context).", valueName: "n"))
    var stride: Int?

    @OptionGroup var precision: PrecisionOption

    @Flag(name: .long, help: "One JSON object.")
    var json = false

    func validate() throws {
        if let context, context < 2 { throw ValidationError("--context must be at least 2.") }
        if let stride, stride < 1 { throw ValidationError("--stride must be at least 1.") }
        if let context, let stride, stride > context { throw ValidationError("--stride must be at most the context.") }
    }

    func run() throws {
        let place = try ModelPlace(model, precision: precision.precision), language = try place.languageModel()
        guard let tokenizer = language.tokenizer else {
            throw RoleError(model: place.name, role: "measured model", reason: language.tokenizerAbsence ?? "it has no tokenizer")
        }
        let bytes = try Self.read(text)
        guard let words = String(validating: bytes, as: UTF8.self) else { throw Failure(.usage, "\(text) isn't UTF-8 text") }
        let ids = tokenizer.encode(words).ids
        let context = self.context ?? min(512, language.contextLength), stride = self.stride ?? context
        let start = ContinuousClock.now, progress = Console.standard.errorIsTerminal
        let found = try Perplexity(of: ids, model: language, context: context, stride: stride) { done in
            if progress { Console.standard.draw("\r\(NumberText.grouped(done)) of \(NumberText.grouped(ids.count)) tokens") }
        }
        if progress { Console.standard.draw("\r\u{1B}[K") }
        let seconds = start.duration(to: .now) / .seconds(1)
        var line = JSONLine()
        line.add("model", place.name)
        line.add("precision", place.precision?.rawValue)
        line.add("perplexity", found.value)
        line.add("standard_error", found.standardError)
        line.add("nats_per_token", found.mean)
        line.add("bits_per_byte", found.total / log(2) / Double(bytes.count))
        line.add("tokens", ids.count)
        line.add("scored_tokens", found.count)
        line.add("context", context)
        line.add("stride", stride)
        line.add("seconds", seconds)
        line.add("tokens_per_second", Double(ids.count) / seconds)
        if json { return Console.standard.line(line.text) }
        Console.standard.line(
            "perplexity \(NumberText.fixed(found.value, 4)) +/- \(NumberText.fixed(found.standardError, 4)) over "
                + "\(NumberText.grouped(found.count)) of \(NumberText.grouped(ids.count)) tokens "
                + "(context \(context), stride \(stride), \(NumberText.fixed(Double(ids.count) / seconds, 0)) tokens a second)")
    }

    private static func read(_ path: String) throws(Failure) -> [UInt8] {
        guard let file = FileHandle(forReadingAtPath: path) else {
            throw Failure(.usage, "\(path): \(String(cString: strerror(errno)))")
        }
        let data: Data
        do { data = try file.read(upToCount: EvaluateCommand.longestText + 1) ?? Data() } catch {
            throw Failure(.usage, "\(path) can't be read: \(error.localizedDescription)")
        }
        guard data.count <= EvaluateCommand.longestText else {
            throw Failure(.usage, "\(path) is longer than \(EvaluateCommand.longestText) bytes")
        }
        return [UInt8](data)
    }
}
