import Foundation
import Tensors

/// Writes `.safetensors` files. The same tensors and metadata give the same bytes: larger element types first (which keeps every
/// tensor aligned), then by name.
public enum SafetensorsWriter {
    public static func write(_ tensors: [String: Tensor], metadata: [String: String] = [:], to path: String) throws(CheckpointError) {
        let ordered = tensors.sorted { ($1.value.dtype.size, $0.key) < ($0.value.dtype.size, $1.key) }
        guard tensors["__metadata__"] == nil else {
            throw .unsupported(file: path, key: "tensor __metadata__", found: "the format's own name", advice: "call the tensor otherwise")
        }
        let file = try AtomicFile(path: path)
        let header = header(ordered, metadata)
        guard header.count <= SafetensorsFile.maximumHeader else {
            throw .unsupported(file: path, key: "header", found: "\(header.count) bytes", advice: "write fewer tensors or less metadata")
        }
        let length = withUnsafeBytes(of: UInt64(header.count).littleEndian) { Array($0) }
        try file.write(length)
        try file.write(header)
        for (_, tensor) in ordered {
            try tensor.withBytes { (bytes) throws(CheckpointError) in try file.write(bytes) }
        }
        try file.commit()
    }

    private static func header(_ ordered: [(key: String, value: Tensor)], _ metadata: [String: String]) -> [UInt8] {
        var parts: [String] = []
        if !metadata.isEmpty {
            let pairs = metadata.sorted { $0.key < $1.key }.map { "\(JSONText.quoted($0.key)):\(JSONText.quoted($0.value))" }
            parts.append("\"__metadata__\":{\(pairs.joined(separator: ","))}")
        }
        var offset = 0
        for (name, tensor) in ordered {
            let end = offset + tensor.count * tensor.dtype.size
            let shape = tensor.shape.map(String.init).joined(separator: ",")
            parts.append(
                "\(JSONText.quoted(name)):{\"dtype\":\"\(typeName(tensor.dtype))\",\"shape\":[\(shape)],\"data_offsets\":[\(offset),\(end)]}"
            )
            offset = end
        }
        var bytes = Array("{\(parts.joined(separator: ","))}".utf8)
        while bytes.count % 8 != 0 { bytes.append(UInt8(ascii: " ")) }
        return bytes
    }

    private static func typeName(_ dtype: DType) -> String {
        dtype.description.uppercased()
    }
}
