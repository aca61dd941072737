import Checkpoints
import Tensors

/// A recipe's section `adapter`: LoRA (Hu et al. 2021) on linear layers of a frozen model, whose matrices may be rounded (QLoRA, Dettmers
/// et al. 2023).
public struct AdapterOptions: Sendable, Hashable {
    private enum Kind: String, CaseIterable { case lora }

    public var rank = 8
    public var alpha: Float = 16
    /// Share of a layer's input that its addition doesn't see.
    public var dropout: Float = 0
    /// Layers as PEFT names them: the end of a path (`q_proj`), with stars a pattern of the whole path, or `all-linear`.
    public var targets: [String]
    /// Scale by `alpha / sqrt(rank)` instead of `alpha / rank`.
    public var isRankStabilised = false
    /// Patterns of the base's parameters that are trained, too (PEFT's `modules_to_save`).
    public var trainAlso: [String] = []
    /// What the frozen matrices are rounded to; nil leaves them as they are stored.
    public var basePrecision: WeightFormat?

    public init(targets: [String]) { self.targets = targets }

    init(_ reader: RecipeReader) throws {
        targets = try reader.strings("targets") ?? []
        guard !targets.isEmpty else {
            throw reader.fail("targets", "name linear layers: the ends of their paths, as [q_proj, v_proj], patterns, or all-linear")
        }
        let _: Kind? = try reader.choice("kind")
        rank = try reader.int("rank", in: 1...4096) ?? 8
        alpha = try reader.float("alpha", in: 1e-6...1e6) ?? 16
        dropout = try reader.float("dropout", in: 0...0.9) ?? 0
        isRankStabilised = try reader.flag("rslora") ?? false
        trainAlso = try reader.strings("train_also") ?? []
        basePrecision = try reader.choice("base_precision")
    }

    public var scale: Float { isRankStabilised ? alpha / Float(rank).squareRoot() : alpha / Float(rank) }

    /// Whether a layer is meant by one of the targets.
    func isTarget(_ path: String) -> Bool {
        targets.contains { target in
            // As PEFT has it, the head over a vocabulary isn't one of all.
            if target == "all-linear" { return path != "lm_head" && !path.hasSuffix(".lm_head") }
            return target.contains("*") ? NamePattern(target).match(path) != nil : path == target || path.hasSuffix("." + target)
        }
    }
}
