import ArgumentParser
import Tensors

/// How the matrices of a model's linear layers are held: a choice between memory, speed and exactness.
struct PrecisionOption: ParsableArguments {
    @Option(
        name: .long,
        help: ArgumentHelp(
            "Weights of linear layers as f32, f16, bf16, int8 (fastest), q8_0, q6_K, q5_K, q4_K, q5_1, q5_0, q4_1 or q4_0 (default: as the file has them).",
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
