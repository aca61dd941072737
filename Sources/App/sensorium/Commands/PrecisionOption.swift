import ArgumentParser
import Tensors

/// How the matrices of a model's linear layers are held: a choice between memory, speed and exactness.
struct PrecisionOption: ParsableArguments {
    @Option(
        name: .long,
        help: ArgumentHelp(
            "Round the weights of linear layers; int8 is the fastest (default: as the file has them).",
            valueName: "format"))
    var precision: WeightFormat?
}

extension WeightFormat: ExpressibleByArgument {
    public init?(argument: String) {
        guard let format = Self.allCases.first(where: { $0.rawValue.lowercased() == argument.lowercased() }) else { return nil }
        self = format
    }

    public static var allValueStrings: [String] { allCases.map(\.rawValue) }
    public var defaultValueDescription: String { rawValue }
}
