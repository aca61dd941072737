import Foundation
import Tensors

/// A `.safetensors` file: eight bytes of header length, a JSON header, the tensors' bytes.
/// Format: https://huggingface.co/docs/safetensors (version 0.4 and later).
public struct SafetensorsFile: TensorSource {
    public let path: String
    public let entries: [TensorEntry]
    public let metadata: [String: String]
    private let storage: Storage
    /// Bytes of each entry, from the start of the file.
    private let offsets: [String: Int]

    /// The format's own limit of the header.
    static let maximumHeader = 100_000_000

    public init(path: String) throws(CheckpointError) {
        self.path = path
        storage = try .checkpoint(path)
        let header = try Self.header(of: storage, path)
        var metadata: [String: String] = [:]
        var entries: [(entry: TensorEntry, start: Int)] = []
        for (name, value) in header.members {
            if name == "__metadata__" {
                for (key, text) in value.object ?? [:] { metadata[key] = text.string ?? text.summary }
            } else {
                entries.append(try Self.entry(name, value, dataStart: header.dataStart, end: storage.byteCount, path))
            }
        }
        try refuseOverlap(&entries, path)
        offsets = Dictionary(entries.map { ($0.entry.name, $0.start) }) { first, _ in first }
        self.entries = entries.map(\.entry).sorted { $0.name < $1.name }
        self.metadata = metadata
    }

    private static func header(
        of storage: Storage, _ path: String
    ) throws(CheckpointError) -> (members: [String: JSONValue], dataStart: Int) {
        let bytes = storage.bytes
        guard bytes.count >= 8 else {
            throw .malformed(file: path, field: "header length", offset: 0, problem: "the file has \(bytes.count) bytes, fewer than 8")
        }
        let length = UInt64(littleEndian: bytes.loadUnaligned(as: UInt64.self))
        guard length <= UInt64(maximumHeader), length <= UInt64(bytes.count - 8) else {
            throw .malformed(
                file: path, field: "header length", offset: 0,
                problem: "\(length) is more than the file's \(bytes.count - 8) bytes or the limit of \(maximumHeader)")
        }
        let end = 8 + Int(length)
        let json = try JSONValue.parse(
            UnsafeRawBufferPointer(rebasing: bytes[8..<end]), file: path, field: "header", base: 8, maximumDepth: 8)
        guard let members = json.object else {
            throw .malformed(file: path, field: "header", offset: 8, problem: "expected an object, found \(json.summary)")
        }
        return (members, end)
    }

    private static func entry(
        _ name: String, _ value: JSONValue, dataStart: Int, end: Int, _ path: String
    )
        throws(CheckpointError) -> (TensorEntry, Int)
    {
        func wrong(_ problem: String) -> CheckpointError {
            .malformed(file: path, field: "tensor \(name)", offset: nil, problem: problem)
        }
        guard let typeName = value["dtype"]?.string, let dimensions = value["shape"]?.array, let range = value["data_offsets"]?.array else {
            throw wrong("dtype, shape or data_offsets is missing")
        }
        var shape: [Int] = []
        for dimension in dimensions {
            guard let size = dimension.int else { throw wrong("shape holds \(dimension.summary)") }
            shape.append(size)
        }
        guard range.count == 2, let first = range[0].int, let last = range[1].int, first >= 0, first <= last, last <= end - dataStart else {
            throw wrong("data_offsets \(range.map(\.summary)) lie outside the \(end - dataStart) bytes of data")
        }
        let type = storedType(typeName)
        guard boundedCount(shape) != nil else { throw wrong("shape \(shape) is negative, too large or has more than 16 axes") }
        if type.bits != nil {
            guard type.byteCount(shape) == last - first else {
                throw wrong("\(typeName) of shape \(shape) doesn't take the \(last - first) bytes of data_offsets")
            }
        }
        return (TensorEntry(name: name, type: type, shape: shape, byteCount: last - first), dataStart + first)
    }

    static func storedType(_ name: String) -> StoredType {
        switch name {
        case "F32": .native(.f32)
        case "F16": .native(.f16)
        case "BF16": .native(.bf16)
        case "I8": .native(.i8)
        case "U8": .native(.u8)
        case "I32": .native(.i32)
        case "I64": .native(.i64)
        case "BOOL": .native(.bool)
        case "F64": .f64
        case "I16": .i16
        case "U16": .u16
        case "U32": .u32
        case "U64": .u64
        case "F8_E4M3", "F8_E5M2", "F8_E8M0", "F8_E4M3FNUZ", "F8_E5M2FNUZ": .other(name, bits: 8)
        case "F6_E2M3", "F6_E3M2": .other(name, bits: 6)
        case "F4": .other(name, bits: 4)
        case "C64": .other(name, bits: 64)
        default: .other(name, bits: nil)
        }
    }

    public func tensor(_ name: String) throws(CheckpointError) -> Tensor {
        guard let entry = entry(name), let start = offsets[name] else { throw absent(name) }
        return try entry.type.tensor(over: storage, at: start, shape: entry.shape, file: path, key: "tensor \(name)")
    }
}
