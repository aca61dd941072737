import Foundation
import Tensors

/// An ONNX model: its initialisers and constants as tensors, and its nodes, so that a converter can follow the graph. Nothing is
/// run. Format: onnx.proto3 of the ONNX project, IR versions 3 and later.
public struct ONNXFile: TensorSource {
    public let path: String
    public let entries: [TensorEntry]
    public let metadata: [String: String]
    /// In the order of the file, which is topological.
    public let nodes: [ONNXNode]
    public let inputs: [String]
    public let outputs: [String]
    /// Version of each operator set; the standard set's domain is "".
    public let opsets: [String: Int]
    private let records: [String: ONNXTensorRecord]
    private let storage: Storage

    public init(path: String) throws(CheckpointError) {
        self.path = path
        storage = try .checkpoint(path)
        var parser = ONNXParser(bytes: storage.bytes, file: path)
        try parser.model(ProtobufReader(storage.bytes, file: path, field: "model"))
        guard parser.sawGraph else {
            throw .malformed(file: path, field: "model", offset: 0, problem: "there is no graph in it")
        }
        nodes = parser.nodes
        inputs = parser.inputs
        outputs = parser.outputs
        opsets = parser.opsets
        metadata = parser.metadata
        var records = parser.initializers
        for node in nodes where node.operation == "Constant" {
            if case let .tensor(record)? = node.attributes["value"], let output = node.outputs.first, records[output] == nil {
                records[output] = record
            }
        }
        self.records = records
        entries = records.map { TensorEntry(name: $0.key, type: $0.value.type, shape: $0.value.shape, byteCount: $0.value.byteCount) }
            .sorted { $0.name < $1.name }
    }

    public func tensor(_ name: String) throws(CheckpointError) -> Tensor {
        guard let record = records[name] else { throw absent(name) }
        return try tensor(record, key: "tensor \(name)")
    }

    /// The tensor of a node's attribute.
    public func tensor(_ record: ONNXTensorRecord, key: String) throws(CheckpointError) -> Tensor {
        if !record.external.isEmpty { return try externalTensor(record, key) }
        if let raw = record.raw {
            guard record.type.byteCount(record.shape) == raw.count else {
                throw .malformed(
                    file: path, field: key, offset: raw.lowerBound,
                    problem: "\(raw.count) bytes don't hold \(record.type) of shape \(record.shape)")
            }
            return try record.type.tensor(over: storage, at: raw.lowerBound, shape: record.shape, file: path, key: key)
        }
        return try record.typedValues(storage.bytes, file: path, key: key)
    }

    /// Data beside the model: a plain relative path below the model's own folder, links resolved.
    private func externalTensor(_ record: ONNXTensorRecord, _ key: String) throws(CheckpointError) -> Tensor {
        func refuse(_ problem: String) -> CheckpointError { .malformed(file: path, field: key, offset: nil, problem: problem) }
        guard let location = record.external["location"], !location.isEmpty, !location.hasPrefix("/"), !location.contains("\0"),
            !location.split(separator: "/").contains("..")
        else { throw refuse("external data at \"\(record.external["location"] ?? "")\" lies outside the model's folder") }
        let folder = URL(fileURLWithPath: path).deletingLastPathComponent().resolvingSymlinksInPath().path
        let file = URL(fileURLWithPath: folder + "/" + location).resolvingSymlinksInPath().path
        guard file.hasPrefix(folder.hasSuffix("/") ? folder : folder + "/") else {
            throw refuse("external data at \"\(location)\" leads outside the model's folder")
        }
        let data = try Storage.checkpoint(file)
        let offset = Int(record.external["offset"] ?? "0") ?? -1
        let length = record.external["length"].map { Int($0) ?? -1 }
        guard offset >= 0, length == nil || length == record.type.byteCount(record.shape) else {
            throw refuse("external offset or length doesn't fit \(record.type) of shape \(record.shape)")
        }
        return try record.type.tensor(over: data, at: offset, shape: record.shape, file: file, key: key)
    }
}

/// One operation of the graph.
public struct ONNXNode: Sendable {
    public let name: String
    public let operation: String
    public let domain: String
    /// Values by name; an empty name is an absent optional input.
    public let inputs: [String]
    public let outputs: [String]
    public let attributes: [String: ONNXAttribute]

    public init(name: String, operation: String, domain: String, inputs: [String], outputs: [String], attributes: [String: ONNXAttribute]) {
        self.name = name
        self.operation = operation
        self.domain = domain
        self.inputs = inputs
        self.outputs = outputs
        self.attributes = attributes
    }
}

public enum ONNXAttribute: Sendable {
    case float(Float)
    case int(Int)
    case text(String)
    case tensor(ONNXTensorRecord)
    case floats([Float])
    case ints([Int])
    case texts([String])
    /// A kind that no converter of weights needs: subgraphs, sparse tensors, types.
    case other
}
