import Foundation
import Tensors

/// Several files and an index that says which holds which tensor: `model.safetensors.index.json` or `pytorch_model.bin.index.json`.
public struct ShardedFile: TensorSource {
    public let path: String
    public let entries: [TensorEntry]
    public let metadata: [String: String]
    private let shards: [String: any TensorSource]
    private let place: [String: String]

    static let maximumShards = 4096

    public init(index path: String) throws(CheckpointError) {
        self.path = path
        let index = try ConfigReader(path: path)
        let map = try index.section("weight_map")
        let folder = (path as NSString).deletingLastPathComponent
        var place: [String: String] = [:]
        for name in map.fields { place[name] = try map.string(name) }
        let files = Set(place.values).sorted()
        guard files.count <= Self.maximumShards else { throw index.invalid("weight_map", expected: "at most \(Self.maximumShards) files") }
        var shards: [String: any TensorSource] = [:]
        for file in files {
            // A shard lies beside its index: nothing else may be opened by its word.
            guard !file.isEmpty, !file.contains("/"), !file.contains("\0"), file != ".." else {
                throw .config(file: path, field: "weight_map", found: "\"\(file.prefix(80))\"", expected: "file names without a folder")
            }
            let shard = (folder as NSString).appendingPathComponent(file)
            // An index that names an index, perhaps itself, would have no end.
            guard try CheckpointFile.format(of: shard) != .index else {
                throw .config(file: path, field: "weight_map", found: "\"\(file.prefix(80))\", an index", expected: "files with tensors")
            }
            shards[file] = try CheckpointFile.open(file: shard)
        }
        var entries: [TensorEntry] = []
        for (name, file) in place {
            guard let shard = shards[file] else { continue }
            guard let entry = shard.entry(name) else { throw shard.absent(name) }
            entries.append(entry)
        }
        self.shards = shards
        self.place = place
        self.entries = entries.sorted { $0.name < $1.name }
        var metadata: [String: String] = [:]
        if let notes = index.value["metadata"]?.object { for (key, value) in notes { metadata[key] = value.string ?? value.summary } }
        self.metadata = metadata
    }

    public func rows(_ name: String) throws(CheckpointError) -> StoredRows? {
        guard let file = place[name], let shard = shards[file] else { return nil }
        return try shard.rows(name)
    }

    public func tensor(_ name: String) throws(CheckpointError) -> Tensor {
        guard let file = place[name], let shard = shards[file] else { throw absent(name) }
        return try shard.tensor(name)
    }
}
