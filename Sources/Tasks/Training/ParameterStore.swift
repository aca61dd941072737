import Checkpoints
import Tensors

/// The parameters of a model by their checkpoint names: those that are trained, in f32, and the rest as the checkpoint has it.
/// A model is built anew from `source` for each step, with the trained ones as variables.
public struct ParameterStore: Sendable {
    /// Names of the trained parameters, sorted.
    public private(set) var names: [String] = []
    private var values: [String: Tensor] = [:]
    private let base: any TensorSource
    /// Tensors that the checkpoint doesn't have: new heads, adapters.
    private let added: [String: Tensor]
    /// Scales of the additions to linear layers, by the layers' paths; their matrices are in `added`.
    private let scales: [String: Float]

    /// - Parameters:
    ///   - base: the checkpoint that training starts from.
    ///   - added: initial values of tensors that it lacks, or that replace its own.
    ///   - scales: of low-rank additions, by the paths of the linear layers; `added` holds `PATH.lora_A.weight` and `PATH.lora_B.weight`.
    ///   - isTrained: which tensors change. Tensors of whole numbers never do.
    public init(
        _ base: any TensorSource, added: [String: Tensor] = [:], scales: [String: Float] = [:], isTrained: (String) -> Bool
    )
        throws(CheckpointError)
    {
        (self.base, self.added, self.scales) = (base, added, scales)
        for entry in base.entries where added[entry.name] == nil && isTrained(entry.name) {
            let value = try base.tensor(entry.name)
            if value.dtype.isFloatingPoint { values[entry.name] = value.ownFloats() }
        }
        for (name, value) in added where isTrained(name) { values[name] = value.asType(.f32).contiguous() }
        names = values.keys.sorted()
    }

    /// Number of trained elements.
    public var count: Int { values.values.reduce(0) { $0 + $1.count } }

    public subscript(_ name: String) -> Tensor? {
        get { values[name] }
        set {
            guard let newValue, values[name] != nil else { return }
            values[name] = newValue
        }
    }

    /// Changes a parameter in place.
    package mutating func update(_ name: String, _ body: (UnsafeMutablePointer<Float>, Int) -> Void) {
        guard let count = values[name]?.count else { return }
        values[name]?.update { body($0, count) }
    }

    /// The trained parameters as variables, for one step.
    public func variables() -> [String: Tensor] { values.mapValues { $0.traced() } }

    /// A tensor that isn't trained, as f32; nil where there is none.
    func constant(_ name: String) throws(CheckpointError) -> Tensor? {
        if let value = added[name] { return value.asType(.f32) }
        return base.entry(name) == nil ? nil : try base.tensor(name).asType(.f32)
    }

    /// What a model is built from: `variables` in place of the trained parameters.
    /// - Parameter isKept: the tensors that it is shown, by name.
    public func source(_ variables: [String: Tensor] = [:], where isKept: (String) -> Bool = { _ in true }) -> any TensorSource {
        var replaced = added.merging(values) { $1 }.merging(variables) { $1 }, layers: [String: LowRank] = [:]
        for (path, scale) in scales {
            guard let down = replaced.removeValue(forKey: "\(path).\(LowRank.downName)"),
                let up = replaced.removeValue(forKey: "\(path).\(LowRank.upName)")
            else { preconditionFailure("no matrices of the addition to \(path)") }
            layers[path] = LowRank(down: down, up: up, scale: scale)
        }
        return OverlaySource(base, replaced: replaced, adapters: Adapters(layers), where: isKept)
    }

    /// Everything, trained or not, as it would be saved.
    public func tensors() throws(CheckpointError) -> [String: Tensor] {
        let source = source()
        var all: [String: Tensor] = [:]
        for entry in source.entries { all[entry.name] = try source.tensor(entry.name) }
        return all
    }
}
