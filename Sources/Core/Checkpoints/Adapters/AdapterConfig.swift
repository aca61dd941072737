import Tensors

/// PEFT's `adapter_config.json` of a LoRA adapter.
public struct AdapterConfig: Sendable, Hashable {
    /// What the adapter belongs to: a folder or a name; nil where nobody noted it.
    public var base: String?
    public var rank: Int
    public var alpha: Double
    public var dropout: Double
    /// Scale by `alpha / sqrt(rank)` (Kalajdzievski 2023) instead of `alpha / rank`.
    public var isRankStabilised: Bool
    /// Paths of the layers that have an addition.
    public var targets: [String]
    /// Paths of the modules whose own parameters were trained.
    public var saved: [String]
    /// Alphas of layers that differ, by the ends of their paths.
    public var alphas: [String: Double] = [:]

    public static let fileName = "adapter_config.json"

    public init(
        base: String?, rank: Int, alpha: Double, dropout: Double = 0, isRankStabilised: Bool = false, targets: [String],
        saved: [String] = []
    ) {
        (self.base, self.rank, self.alpha, self.dropout) = (base, rank, alpha, dropout)
        (self.isRankStabilised, self.targets, self.saved) = (isRankStabilised, targets, saved)
    }

    /// Reads what PEFT wrote. Throws for a kind of adapter that isn't computed here, by the name of the field that asks for it.
    public init(_ config: ConfigReader) throws(CheckpointError) {
        let kind = try config.string("peft_type")
        guard kind == "LORA" else { throw Self.refused(config, "peft_type", "\"\(kind)\"") }
        try Self.refuseVariants(config)
        base = config.raw("base_model_name_or_path")?.string.flatMap { $0.isEmpty ? nil : $0 }
        rank = try config.int("r", default: 8, in: 1...1 << 16)
        alpha = try config.double("lora_alpha", default: 8)
        dropout = try config.double("lora_dropout", default: 0)
        isRankStabilised = try config.bool("use_rslora", default: false)
        // A text is a regular expression over all modules; which ones they were the tensors say.
        targets = config.raw("target_modules")?.array == nil ? [] : try config.strings("target_modules")
        saved = try config.strings("modules_to_save", default: [])
        let own = try config.sectionOrEmpty("alpha_pattern")
        for name in own.fields {
            guard !name.contains(where: { "^$*+?()[]{}|\\".contains($0) }) else {
                throw Self.refused(config, "alpha_pattern", "the regular expression \"\(name)\"")
            }
            alphas[name] = try own.double(name)
        }
    }

    /// Fields whose presence changes what the layers compute.
    private static func refuseVariants(_ config: ConfigReader) throws(CheckpointError) {
        for field in ["use_dora", "fan_in_fan_out", "lora_bias", "use_qalora"] {
            if try config.bool(field, default: false) { throw refused(config, field, "true") }
        }
        let bias = try config.string("bias", default: "none")
        guard bias == "none" else { throw refused(config, "bias", "\"\(bias)\"") }
        for field in ["layer_replication", "trainable_token_indices", "target_parameters", "alora_invocation_tokens", "arrow_config"] {
            switch config.raw(field) {
            case nil: continue
            case let .array(list) where list.isEmpty: continue
            case let found?: throw refused(config, field, found.summary)
            }
        }
        // These change the base's weights, too, before the training begins.
        if let start = config.raw("init_lora_weights")?.string?.lowercased(),
            ["pissa", "olora", "loftq", "corda", "lora_ga"].contains(where: { start.hasPrefix($0) })
        {
            throw refused(config, "init_lora_weights", "\"\(start)\", which changes the base's weights,")
        }
    }

    private static func refused(_ config: ConfigReader, _ field: String, _ found: String) -> CheckpointError {
        .unsupported(
            file: config.file, key: "field \(field)", found: found,
            advice: "plain LoRA is read; merge the adapter with its base by PEFT's merge_and_unload and save the whole model")
    }

    /// What `B A` of a layer is multiplied with.
    public func scale(of path: String, rank: Int) -> Float {
        // Where several end the path the longest says most.
        let own = alphas.keys.sorted { ($0.count, $0) > ($1.count, $1) }.first { path == $0 || path.hasSuffix("." + $0) }
        let alpha = own.flatMap { alphas[$0] } ?? alpha
        return Float(isRankStabilised ? alpha / Double(rank).squareRoot() : alpha / Double(rank))
    }

    /// The file's text, with every field that PEFT needs to read it.
    public var text: String {
        func list(_ values: [String]) -> String { "[" + values.map(JSONText.quoted).joined(separator: ", ") + "]" }
        let fields = [
            (
                "alpha_pattern",
                "{" + alphas.sorted { $0.key < $1.key }.map { "\(JSONText.quoted($0.key)): \($0.value)" }.joined(separator: ", ") + "}"
            ),
            ("base_model_name_or_path", base.map(JSONText.quoted) ?? "null"), ("bias", "\"none\""), ("fan_in_fan_out", "false"),
            ("inference_mode", "true"), ("init_lora_weights", "true"), ("lora_alpha", Self.number(alpha)), ("lora_dropout", "\(dropout)"),
            ("modules_to_save", saved.isEmpty ? "null" : list(saved)), ("peft_type", "\"LORA\""), ("r", "\(rank)"), ("rank_pattern", "{}"),
            ("target_modules", list(targets)), ("task_type", "null"), ("use_dora", "false"),
            ("use_rslora", isRankStabilised ? "true" : "false"),
        ]
        return "{\n" + fields.map { "  \"\($0.0)\": \($0.1)" }.joined(separator: ",\n") + "\n}\n"
    }

    private static func number(_ value: Double) -> String { Int(exactly: value).map(String.init) ?? "\(value)" }
}
