import Checkpoints
import Tensors

/// A checkpoint whose linear layers' matrices are rounded once and held so. Everything else is read as it is stored.
struct RoundedSource: TensorSource {
    private let base: any TensorSource
    private let rounded: [String: StoredRows]
    /// Bytes of the rounded matrices before and after.
    let storedBytes, heldBytes: Int

    var path: String { base.path }
    var entries: [TensorEntry] { base.entries }
    var metadata: [String: String] { base.metadata }
    var adapters: Adapters { base.adapters }

    /// Matrices that renames make out of other tensors stay as they are.
    init(_ base: any TensorSource, layers: [LinearLayer], to precision: WeightFormat) throws(CheckpointError) {
        self.base = base
        var rounded: [String: StoredRows] = [:], stored = 0, held = 0
        for layer in layers {
            guard let name = layer.stored, rounded[name] == nil, let entry = base.entry(name) else { continue }
            let small = try Self.rows(name, of: base).converted(to: precision)
            rounded[name] = small
            (stored, held) = (stored + entry.byteCount, held + small.byteCount)
        }
        (self.rounded, storedBytes, heldBytes) = (rounded, stored, held)
    }

    func tensor(_ name: String) throws(CheckpointError) -> Tensor { try base.tensor(name) }

    func rows(_ name: String) throws(CheckpointError) -> StoredRows? {
        if let own = rounded[name] { return own }
        return try base.rows(name)
    }

    private static func rows(_ name: String, of base: any TensorSource) throws(CheckpointError) -> StoredRows {
        if let stored = try base.rows(name) { return stored }
        return StoredRows(try base.tensor(name))
    }
}
