import Tensors

/// One line of a checkpoint's table of contents.
public struct TensorEntry: Sendable, Hashable {
    public let name: String
    public let type: StoredType
    public let shape: [Int]
    /// Bytes in the file.
    public let byteCount: Int

    public init(name: String, type: StoredType, shape: [Int], byteCount: Int) {
        self.name = name
        self.type = type
        self.shape = shape
        self.byteCount = byteCount
    }

    /// Number of elements.
    public var count: Int { shape.reduce(1, *) }
}

/// Named tensors in a file or a set of files. Opening reads the table of contents alone; a tensor's bytes are mapped, and copied
/// only where layout, alignment or type ask for it.
public protocol TensorSource: Sendable {
    /// The file or folder, for messages.
    var path: String { get }
    /// Sorted by name.
    var entries: [TensorEntry] { get }
    /// What the file says of itself beside the tensors.
    var metadata: [String: String] { get }
    func entry(_ name: String) -> TensorEntry?
    func tensor(_ name: String) throws(CheckpointError) -> Tensor
    /// A matrix as the file stores it, to be computed with where it lies; nil where that isn't possible, `tensor` then reads it.
    func rows(_ name: String) throws(CheckpointError) -> StoredRows?
    /// What is added to the matrices of linear layers.
    var adapters: Adapters { get }
}

extension TensorSource {
    public var metadata: [String: String] { [:] }

    public func rows(_ name: String) throws(CheckpointError) -> StoredRows? { nil }

    public var adapters: Adapters { Adapters() }

    public func entry(_ name: String) -> TensorEntry? {
        var low = 0, high = entries.count
        while low < high {
            let middle = (low + high) / 2
            if entries[middle].name < name { low = middle + 1 } else { high = middle }
        }
        return low < entries.count && entries[low].name == name ? entries[low] : nil
    }

    func absent(_ name: String) -> CheckpointError {
        .absent(file: path, key: "tensor \(name)", near: EditDistance.nearest(to: name, among: entries.lazy.map(\.name)))
    }
}

extension Storage {
    /// A memory map whose failure is a `CheckpointError`.
    static func checkpoint(_ path: String) throws(CheckpointError) -> Storage {
        do {
            return try mapping(path: path)
        } catch {
            throw .unreadable(file: path, reason: error.reason)
        }
    }

    var bytes: UnsafeRawBufferPointer { UnsafeRawBufferPointer(start: pointer, count: byteCount) }
}

/// Sorts by place and refuses tensors that share bytes.
func refuseOverlap(_ entries: inout [(entry: TensorEntry, start: Int)], _ path: String) throws(CheckpointError) {
    entries.sort { ($0.start, $0.entry.byteCount, $0.entry.name) < ($1.start, $1.entry.byteCount, $1.entry.name) }
    var end = 0
    for (entry, start) in entries where entry.byteCount > 0 {
        guard start >= end else {
            throw .malformed(
                file: path, field: "tensor \(entry.name)", offset: start, problem: "its bytes overlap those of another tensor")
        }
        end = start + entry.byteCount
    }
}
