import Foundation
import Tensors

/// Opens a checkpoint by what it contains, whatever its name says.
public enum CheckpointFile {
    /// What a file is.
    public enum Format: String, Sendable, CaseIterable {
        case safetensors, pytorch, npy, npz, onnx, gguf
        case index = "index of shards"
    }

    /// The files of a model folder, in the order in which they are looked for.
    public static let folderFiles = [
        "model.safetensors", "model.safetensors.index.json", "open_clip_model.safetensors", "pytorch_model.bin",
        "pytorch_model.bin.index.json", "open_clip_pytorch_model.bin", "adapter_model.safetensors", "adapter_model.bin",
    ]

    /// Opens a file, or the checkpoint of a folder.
    /// - Throws: `nothingFound` with the names looked for; else what is wrong with the file.
    public static func open(_ path: String) throws(CheckpointError) -> any TensorSource {
        var isFolder: ObjCBool = false
        guard FileManager.default.fileExists(atPath: path, isDirectory: &isFolder) else {
            throw .unreadable(file: path, reason: "there is no such file or folder")
        }
        return try open(file: isFolder.boolValue ? file(inFolder: path) : path)
    }

    /// The checkpoint of a folder: one of `folderFiles`, else its only `*.safetensors`, `*.pt`, `*.pth`, `*.onnx` or `*.gguf`.
    public static func file(inFolder folder: String) throws(CheckpointError) -> String {
        for name in folderFiles {
            let path = (folder as NSString).appendingPathComponent(name)
            if FileManager.default.fileExists(atPath: path) { return path }
        }
        let names = ((try? FileManager.default.contentsOfDirectory(atPath: folder)) ?? []).sorted()
        for ending in [".safetensors", ".pt", ".pth", ".onnx", ".gguf"] {
            let found = names.filter { $0.hasSuffix(ending) }
            if found.count == 1 { return (folder as NSString).appendingPathComponent(found[0]) }
            if found.count > 1 {
                throw .unsupported(
                    file: folder, key: "*\(ending)", found: "a choice of \(found.count) files (\(found.prefix(5).joined(separator: ", ")))",
                    advice: "name the one to open")
            }
        }
        throw .nothingFound(folder: folder, lookedFor: folderFiles + ["*.safetensors", "*.pt", "*.pth", "*.onnx", "*.gguf"])
    }

    static func open(file path: String) throws(CheckpointError) -> any TensorSource {
        switch try format(of: path) {
        case .safetensors: return try SafetensorsFile(path: path)
        case .pytorch: return try PyTorchFile(path: path)
        case .npy: return try NumpyFile(path: path)
        case .npz: return try NumpyArchive(path: path)
        case .onnx: return try ONNXFile(path: path)
        case .gguf: return try GGUFFile(path: path)
        case .index: return try ShardedFile(index: path)
        }
    }

    /// Tells a file's format by its first bytes.
    public static func format(of path: String) throws(CheckpointError) -> Format {
        let storage = try Storage.checkpoint(path)
        let bytes = storage.bytes
        if bytes.starts(with: [0x93, 0x4E, 0x55, 0x4D, 0x50, 0x59]) { return .npy }
        if bytes.starts(with: Array("GGUF".utf8)) { return .gguf }
        if bytes.starts(with: [0x50, 0x4B]) {
            let archive = try ZipArchive(path: path, storage: storage)
            return archive.members.contains { $0.name.hasSuffix("/data.pkl") } ? .pytorch : .npz
        }
        if LegacyPickles.matches(bytes) { return .pytorch }
        if bytes.count >= 9, bytes[8] == UInt8(ascii: "{"), UInt64(littleEndian: bytes.loadUnaligned(as: UInt64.self)) < 1 << 32 {
            return .safetensors
        }
        // ONNX begins with ir_version: field 1 as a varint below 128.
        if bytes.count >= 4, bytes[0] == 0x08, bytes[1] < 0x80 { return .onnx }
        if bytes.starts(with: [0x80]), bytes.count >= 2, bytes[1] <= 5 { return .pytorch }
        if bytes.prefix(64).first(where: { $0 > 0x20 }) == UInt8(ascii: "{"), path.hasSuffix(".json") { return .index }
        if bytes.starts(with: Array("version https://git-lfs".utf8)) {
            throw .unsupported(
                file: path, key: "content", found: "a Git LFS pointer instead of the weights", advice: "fetch the file with `git lfs pull`")
        }
        throw .unsupported(
            file: path, key: "content",
            found: "its format (first bytes \(bytes.prefix(8).map { String($0, radix: 16) }.joined(separator: " ")))",
            advice: "known are safetensors, PyTorch files, .npy, .npz, ONNX, GGUF and index files of shards")
    }
}
