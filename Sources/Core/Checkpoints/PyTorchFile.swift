import Foundation
import Tensors

/// A file of `torch.save` (`.pt`, `.pth`, `.bin`): the ZIP form since torch 1.6, the legacy form before it, and the state of a
/// TorchScript archive. The pickle inside is read as data; none of its code is run.
public struct PyTorchFile: TensorSource {
    public let path: String
    public let entries: [TensorEntry]
    /// Numbers and texts that stand beside the tensors, such as `epoch`.
    public let metadata: [String: String]
    /// The dictionary that the tensors were taken from, e.g. `state_dict`; empty for the whole.
    public let root: String
    /// Dictionaries with tensors that `init(path:root:)` can choose.
    public let roots: [String]
    private let tensors: [String: PickleTensor]
    private let blocks: Blocks

    /// Where storages lie.
    private enum Blocks: Sendable {
        case archive(ZipArchive, prefix: String, swapped: Bool)
        case legacy(Storage, [String: Range<Int>])
    }

    /// Keys under which training scripts keep the weights, in the order in which they are looked for.
    static let usualRoots = [
        "state_dict", "model_state_dict", "model", "module", "ema", "model_ema", "ema_state_dict", "params_ema", "params",
    ]

    /// - Parameter root: the key of the dictionary to read, dots between levels; nil takes the whole when tensors stand there
    ///   themselves, else the first of the usual keys.
    public init(path: String, root: String? = nil) throws(CheckpointError) {
        self.path = path
        let storage = try Storage.checkpoint(path)
        let content: PickleContent
        if storage.bytes.starts(with: [0x50, 0x4B]) {
            let archive = try ZipArchive(path: path, storage: storage)
            guard let member = archive.members.first(where: { $0.name.hasSuffix("/data.pkl") && $0.name.split(separator: "/").count == 2 })
            else {
                throw .absent(file: path, key: "member <name>/data.pkl of a torch.save archive", near: [])
            }
            let prefix = String(member.name.dropLast("data.pkl".count))
            guard member.byteCount <= 1 << 30 else {
                throw .malformed(
                    file: path, field: member.name, offset: nil, problem: "\(member.byteCount) bytes are too many for a table of contents")
            }
            let pickle = try archive.contents(of: member)
            let bytes = UnsafeRawBufferPointer(start: pickle.storage.pointer + pickle.offset, count: member.byteCount)
            var unpickler = Unpickler(bytes, file: path, field: member.name)
            let top = try unpickler.run().root
            withExtendedLifetime(pickle.storage) {}
            content = PickleContent(table: unpickler.table, top: top)
            let order = archive.member(prefix + "byteorder") == nil ? [] : try archive.bytes(of: prefix + "byteorder", limit: 64)
            blocks = .archive(archive, prefix: prefix + "data/", swapped: order.starts(with: Array("big".utf8)))
        } else {
            let legacy = try LegacyPickles.read(storage, path)
            content = legacy.content
            blocks = .legacy(storage, legacy.blocks)
        }
        let picked = try content.pick(root, usual: Self.usualRoots, file: path)
        self.root = picked.root
        roots = picked.roots
        tensors = picked.tensors
        metadata = picked.metadata
        entries = picked.tensors.map { name, tensor in
            TensorEntry(name: name, type: tensor.type, shape: tensor.shape, byteCount: tensor.type.byteCount(tensor.shape) ?? 0)
        }.sorted { $0.name < $1.name }
    }

    public func tensor(_ name: String) throws(CheckpointError) -> Tensor {
        guard let tensor = tensors[name] else { throw absent(name) }
        let key = "tensor \(name)"
        guard let bits = tensor.type.bits, tensor.type.readsAs != nil else {
            throw .unsupported(file: path, key: key, found: "element type \(tensor.type)", advice: "convert it to f32, f16 or bf16 first")
        }
        let block = try block(tensor.storage, key)
        let available = block.count / (bits / 8)
        let view = try StridedView(tensor, available: available, file: path, key: key)
        let base = try tensor.type.tensor(
            over: block.storage, at: block.start + tensor.offset * (bits / 8), shape: view.baseShape, byteSwapped: block.swapped,
            file: path, key: key)
        do { return try view.apply(to: base) } catch { throw .operation(file: path, key: key, error) }
    }

    private func block(
        _ storage: PickleStorage, _ key: String
    ) throws(CheckpointError) -> (storage: Storage, start: Int, count: Int, swapped: Bool) {
        switch blocks {
        case let .archive(archive, prefix, swapped):
            guard let member = archive.member(prefix + storage.key) else { throw archive.absent(prefix + storage.key) }
            let contents = try archive.contents(of: member)
            return (contents.storage, contents.offset, member.byteCount, swapped)
        case let .legacy(file, ranges):
            guard let range = ranges[storage.key] else {
                throw .malformed(file: path, field: key, offset: nil, problem: "its storage \(storage.key) isn't in the file")
            }
            return (file, range.lowerBound, range.count, false)
        }
    }
}
