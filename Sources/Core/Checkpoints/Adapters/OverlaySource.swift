import Tensors

/// A checkpoint of which some tensors are others', with additions to its linear layers.
public struct OverlaySource: TensorSource {
    private let base: any TensorSource
    private let replaced: [String: Tensor]
    public let entries: [TensorEntry]
    public let adapters: Adapters

    public var path: String { base.path }
    public var metadata: [String: String] { base.metadata }

    /// - Parameters:
    ///   - replaced: tensors in place of the base's, and those that it lacks.
    ///   - adapters: added to those of the base.
    ///   - isKept: the tensors that are shown, by name.
    public init(
        _ base: any TensorSource, replaced: [String: Tensor] = [:], adapters: Adapters = Adapters(),
        where isKept: (String) -> Bool = { _ in true }
    ) {
        let replaced = replaced.filter { isKept($0.key) }
        (self.base, self.replaced) = (base, replaced)
        self.adapters = base.adapters.layers.isEmpty ? adapters : Adapters(base.adapters.layers.merging(adapters.layers) { $1 })
        let others = base.entries.filter { replaced[$0.name] == nil && isKept($0.name) }
        let own = replaced.map { name, value in
            TensorEntry(name: name, type: .native(value.dtype), shape: value.shape, byteCount: value.count * value.dtype.size)
        }
        entries = (others + own).sorted { $0.name < $1.name }
    }

    public func tensor(_ name: String) throws(CheckpointError) -> Tensor {
        if let value = replaced[name] { return value }
        return try base.tensor(name)
    }

    public func rows(_ name: String) throws(CheckpointError) -> StoredRows? { replaced[name] == nil ? try base.rows(name) : nil }
}
