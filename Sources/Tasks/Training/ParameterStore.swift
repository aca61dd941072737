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

    /// - Parameters:
    ///   - base: the checkpoint that training starts from.
    ///   - added: initial values of tensors that it lacks, or that replace its own.
    ///   - isTrained: which tensors change. Tensors of whole numbers never do.
    public init(_ base: any TensorSource, added: [String: Tensor] = [:], isTrained: (String) -> Bool) throws(CheckpointError) {
        self.base = base
        self.added = added
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
        VariableSource(base: base, replaced: added.merging(values) { $1 }.merging(variables) { $1 }, where: isKept)
    }

    /// Everything, trained or not, as it would be saved.
    public func tensors() throws(CheckpointError) -> [String: Tensor] {
        let source = source()
        var all: [String: Tensor] = [:]
        for entry in source.entries { all[entry.name] = try source.tensor(entry.name) }
        return all
    }
}

/// A checkpoint of which some tensors are others'.
private struct VariableSource: TensorSource {
    let base: any TensorSource
    let replaced: [String: Tensor]
    let entries: [TensorEntry]

    var path: String { base.path }
    var metadata: [String: String] { base.metadata }

    init(base: any TensorSource, replaced: [String: Tensor], where isKept: (String) -> Bool) {
        self.base = base
        let replaced = replaced.filter { isKept($0.key) }
        self.replaced = replaced
        let others = base.entries.filter { replaced[$0.name] == nil && isKept($0.name) }
        let own = replaced.map { name, value in
            TensorEntry(name: name, type: .native(value.dtype), shape: value.shape, byteCount: value.count * value.dtype.size)
        }
        entries = (others + own).sorted { $0.name < $1.name }
    }

    func tensor(_ name: String) throws(CheckpointError) -> Tensor {
        if let value = replaced[name] { return value }
        return try base.tensor(name)
    }

    func rows(_ name: String) throws(CheckpointError) -> StoredRows? { replaced[name] == nil ? try base.rows(name) : nil }
}
