import ArgumentParser
import Evaluation
import PictureLibrary

/// Options that all measuring commands have.
struct EvaluationOptions: ParsableArguments {
    @OptionGroup var precision: PrecisionOption

    @Option(name: .long, help: ArgumentHelp("Pictures or texts that go through the model together.", valueName: "n"))
    var batch = 16

    @Flag(name: .long, help: "Leave out pictures that can't be read.")
    var skipFailed = false

    @Flag(name: .long, help: "One JSON object.")
    var json = false

    func validate() throws {
        guard (1...4_096).contains(batch) else { throw ValidationError("--batch must be 1 to 4096.") }
    }
}

/// Options of the confidence intervals.
struct BootstrapOptions: ParsableArguments {
    @Option(name: .long, help: ArgumentHelp("Draws for the 95% confidence intervals; 0 leaves them out.", valueName: "n"))
    var resamples = 1_000

    @Option(name: .long, help: ArgumentHelp("Of the draws: equal seeds give equal intervals.", valueName: "n"))
    var seed: UInt64 = 0

    var bootstrap: Bootstrap { Bootstrap(resamples: resamples, seed: seed) }

    func validate() throws {
        guard (0...1_000_000).contains(resamples) else { throw ValidationError("--resamples must be 0 to 1000000.") }
    }
}

extension JSONLine {
    /// A value, and its interval as a list of two.
    mutating func add(_ name: String, _ estimate: Estimate) {
        add(name, estimate.value)
        if let interval = estimate.interval { add(name + "_interval", json: "[\(interval.lowerBound),\(interval.upperBound)]") }
    }

    mutating func add(_ name: String, _ line: JSONLine) { add(name, json: line.text) }
}

extension Estimate {
    /// `21.3 [20.1, 22.4]`, a share as hundredths.
    var percent: String { text(100, 1) }
    var plain: String { text(1, 1) }

    func text(_ scale: Double, _ places: Int) -> String {
        func fixed(_ value: Double) -> String { NumberText.fixed(value * scale, places) }
        return fixed(value) + (interval.map { " [\(fixed($0.lowerBound)), \(fixed($0.upperBound))]" } ?? "")
    }
}
