import ArgumentParser
import Catalog
import Foundation
import ModelKit
import PictureLibrary
import Pipelines

struct GenerateCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "generate",
        abstract: "Continues a text with a language model.",
        discussion: """
            The text appears as it is made. How fast that went is told on the error output. The prompt goes to the model as it \
            stands; special tokens in it, such as <|im_start|> of chat models, are recognised.

            EXAMPLES
              sensorium generate smollm2-135m-instruct "The sea is"
              sensorium generate smollm2-135m-instruct "A red bicycle" --tokens 40 --temperature 0.8 --top-p 0.9 --seed 7
              sensorium generate model.gguf "Once upon a time" --tokens 20 --json
            """)

    @Argument(help: "A model's folder, a checkpoint file (GGUF, safetensors) or a catalogue name.", completion: .file())
    var model: String

    @Argument(help: "The text to continue.")
    var prompt: String

    @Option(name: [.customShort("n"), .long], help: ArgumentHelp("The most tokens to make.", valueName: "n"))
    var tokens = 256

    @Option(name: .long, help: ArgumentHelp("0 takes the most probable token each time; 1 draws as the model says.", valueName: "t"))
    var temperature: Float = 0

    @Option(name: .long, help: ArgumentHelp("Draws from the most probable tokens that have this probability together.", valueName: "p"))
    var topP: Float = 1

    @Option(name: .long, help: ArgumentHelp("Equal seeds draw equal texts.", valueName: "n"))
    var seed: UInt64 = 0

    @OptionGroup var precision: PrecisionOption

    @Flag(name: .long, help: "One JSON object at the end instead of the text as it is made.")
    var json = false

    @Flag(name: .long, help: "No remarks.")
    var quiet = false

    func validate() throws {
        guard tokens >= 1 else { throw ValidationError("--tokens must be at least 1.") }
        guard temperature >= 0, temperature.isFinite else { throw ValidationError("--temperature must be 0 or more.") }
        guard topP > 0, topP <= 1 else { throw ValidationError("--top-p must be above 0 and at most 1.") }
        guard !prompt.isEmpty else { throw ValidationError("The prompt is empty.") }
    }

    func run() throws {
        let place = try ModelPlace(model, precision: precision.precision), console = Console.standard
        let generator = try TextGenerator(place.languageModel(), name: place.name)
        let sampler = TokenSampler(temperature: temperature, topP: topP, seed: seed)
        let output = try generator.generate(prompt, limit: tokens, sampler: sampler) { piece in
            if !json { console.raw(Array((console.isTerminal ? TextWidth.printableLines(piece) : piece).utf8)) }
            return true
        }
        if json { return console.line(Self.json(output, generator.text(output), place).text) }
        console.line("")
        guard !quiet else { return }
        console.error(
            "prompt: \(NumberText.grouped(output.prompt.count)) tokens at \(Self.rate(output.prompt.count, output.promptTime)) a second; "
                + "then \(NumberText.grouped(output.tokens.count)) at \(Self.rate(output.steps, output.generationTime)) (\(Self.reason(output.ending)))"
        )
    }

    private static func reason(_ ending: TextGenerator.Ending) -> String {
        switch ending {
        case .end: "the model ended the text"
        case .length: "--tokens reached"
        case .context: "the model's context is full"
        }
    }

    private static func perSecond(_ count: Int, _ time: Duration) -> Double? {
        let seconds = time / .seconds(1)
        return count > 0 && seconds > 0 ? Double(count) / seconds : nil
    }

    private static func rate(_ count: Int, _ time: Duration) -> String { perSecond(count, time).map { NumberText.fixed($0, 1) } ?? "-" }

    private static func json(_ output: TextGenerator.Output, _ text: String, _ place: ModelPlace) -> JSONLine {
        var line = JSONLine()
        line.add("model", place.name)
        line.add("precision", place.precision?.rawValue)
        line.add("text", text)
        line.add("ending", output.ending.rawValue)
        line.add("prompt_tokens", output.prompt.count)
        line.add("tokens", output.tokens.count)
        line.add("token_ids", json: "[" + output.tokens.map(String.init).joined(separator: ",") + "]")
        line.add("prompt_seconds", output.promptTime / .seconds(1))
        line.add("prompt_tokens_per_second", perSecond(output.prompt.count, output.promptTime))
        line.add("generation_seconds", output.generationTime / .seconds(1))
        line.add("tokens_per_second", perSecond(output.steps, output.generationTime))
        return line
    }
}
