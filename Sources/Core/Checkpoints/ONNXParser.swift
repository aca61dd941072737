import Tensors

/// Walks the messages of an ONNX file; field numbers are those of onnx.proto3.
struct ONNXParser {
    let bytes: UnsafeRawBufferPointer
    let file: String
    var nodes: [ONNXNode] = []
    var initializers: [String: ONNXTensorRecord] = [:]
    var inputs: [String] = []
    var outputs: [String] = []
    var opsets: [String: Int] = [:]
    var metadata: [String: String] = [:]
    var sawGraph = false

    init(bytes: UnsafeRawBufferPointer, file: String) {
        self.bytes = bytes
        self.file = file
    }

    mutating func model(_ message: ProtobufReader) throws(CheckpointError) {
        var message = message
        while let (number, value) = try message.next() {
            switch (number, value) {
            case (1, .varint(let version)): metadata["ir_version"] = "\(version)"
            case (2, .bytes(let range)): metadata["producer_name"] = message.text(range)
            case (3, .bytes(let range)): metadata["producer_version"] = message.text(range)
            case (7, .bytes(let range)):
                sawGraph = true
                try graph(message.inner(range, "graph"))
            case (8, .bytes(let range)):
                let (domain, version) = try opset(message.inner(range, "opset_import"))
                opsets[domain] = version
            case (14, .bytes(let range)):
                let (key, value) = try Self.pair(message.inner(range, "metadata_props"))
                metadata[key] = value
            default: break
            }
        }
    }

    private func opset(_ message: ProtobufReader) throws(CheckpointError) -> (String, Int) {
        var message = message, domain = "", version = 0
        while let (number, value) = try message.next() {
            switch (number, value) {
            case (1, .bytes(let range)): domain = message.text(range)
            case (2, .varint(let word)): version = Int(truncatingIfNeeded: word)
            default: break
            }
        }
        return (domain == "ai.onnx" ? "" : domain, version)
    }

    static func pair(_ message: ProtobufReader) throws(CheckpointError) -> (String, String) {
        var message = message, key = "", text = ""
        while let (number, value) = try message.next() {
            switch (number, value) {
            case (1, .bytes(let range)): key = message.text(range)
            case (2, .bytes(let range)): text = message.text(range)
            default: break
            }
        }
        return (key, text)
    }

    private mutating func graph(_ message: ProtobufReader) throws(CheckpointError) {
        var message = message
        while let (number, value) = try message.next() {
            guard case let .bytes(range) = value else { continue }
            switch number {
            case 1: nodes.append(try node(message.inner(range, "node \(nodes.count)")))
            case 5:
                let record = try ONNXTensorRecord(message.inner(range, "initializer \(initializers.count)"))
                guard initializers.updateValue(record, forKey: record.name) == nil else {
                    throw .malformed(
                        file: file, field: "initializer \(record.name)", offset: range.lowerBound, problem: "the name stands there twice")
                }
            case 11: inputs.append(try valueName(message.inner(range, "input")))
            case 12: outputs.append(try valueName(message.inner(range, "output")))
            default: break
            }
        }
    }

    private func valueName(_ message: ProtobufReader) throws(CheckpointError) -> String {
        var message = message, name = ""
        while let (number, value) = try message.next() {
            if number == 1, case let .bytes(range) = value { name = message.text(range) }
        }
        return name
    }

    private func node(_ message: ProtobufReader) throws(CheckpointError) -> ONNXNode {
        var message = message, name = "", operation = "", domain = ""
        var inputs: [String] = [], outputs: [String] = [], attributes: [String: ONNXAttribute] = [:]
        while let (number, value) = try message.next() {
            guard case let .bytes(range) = value else { continue }
            switch number {
            case 1: inputs.append(message.text(range))
            case 2: outputs.append(message.text(range))
            case 3: name = message.text(range)
            case 4: operation = message.text(range)
            case 5:
                let (key, attribute) = try attribute(message.inner(range, "attribute of \(message.reader.field)"))
                attributes[key] = attribute
            case 7: domain = message.text(range)
            default: break
            }
        }
        return ONNXNode(name: name, operation: operation, domain: domain, inputs: inputs, outputs: outputs, attributes: attributes)
    }

    private func attribute(_ message: ProtobufReader) throws(CheckpointError) -> (String, ONNXAttribute) {
        var message = message, name = "", kind = 0, only = ONNXAttribute.other
        var floats: [Float] = [], ints: [Int] = [], texts: [String] = []
        while let (number, value) = try message.next() {
            switch (number, value) {
            case (1, .bytes(let range)): name = message.text(range)
            case (2, .fixed32(let word)): only = .float(Float(bitPattern: word))
            case (3, .varint(let word)): only = .int(Int(truncatingIfNeeded: word))
            case (4, .bytes(let range)): only = .text(message.text(range))
            case (5, .bytes(let range)): only = .tensor(try ONNXTensorRecord(message.inner(range, "attribute \(name)")))
            case (7, _): try message.floats(value, into: &floats)
            case (8, _): try message.integers(value, into: &ints)
            case (9, .bytes(let range)): texts.append(message.text(range))
            case (20, .varint(let word)): kind = Int(truncatingIfNeeded: word)
            default: break
            }
        }
        // An attribute with its default value (0, empty) may carry its type alone.
        switch kind {
        case 6: return (name, .floats(floats))
        case 7: return (name, .ints(ints))
        case 8: return (name, .texts(texts))
        case 1: if case .float = only { return (name, only) } else { return (name, .float(0)) }
        case 2: if case .int = only { return (name, only) } else { return (name, .int(0)) }
        default: return (name, only)
        }
    }
}

/// A TensorProto: what it holds and where.
public struct ONNXTensorRecord: Sendable {
    public let name: String
    public let type: StoredType
    public let shape: [Int]
    public let byteCount: Int
    /// Bytes of `raw_data` in the file.
    let raw: Range<Int>?
    /// Ranges of the typed lists, by field number; single values of an unpacked list are ranges of their own.
    let typed: [(field: Int, value: ProtobufReader.Value)]
    let external: [String: String]

    init(_ message: ProtobufReader) throws(CheckpointError) {
        var message = message, name = "", dims: [Int] = [], code = 0, raw: Range<Int>?
        var typed: [(field: Int, value: ProtobufReader.Value)] = [], external: [String: String] = [:], isExternal = false
        while let (number, value) = try message.next() {
            switch (number, value) {
            case (1, _): try message.integers(value, into: &dims)
            case (2, .varint(let word)): code = Int(truncatingIfNeeded: word)
            case (4, _), (5, _), (7, _), (10, _), (11, _): typed.append((number, value))
            case (8, .bytes(let range)): name = message.text(range)
            case (9, .bytes(let range)): raw = range
            case (13, .bytes(let range)):
                let (key, text) = try ONNXParser.pair(message.inner(range, "external_data"))
                external[key] = text
            case (14, .varint(let word)): isExternal = word == 1
            default: break
            }
        }
        guard boundedCount(dims) != nil else {
            throw message.reader.fail("shape \(dims.prefix(20)) of tensor \(name) is negative, too large or has more than 16 axes")
        }
        if isExternal, external.isEmpty { external["location"] = "" }
        self.name = name
        type = Self.storedType(code)
        shape = dims
        byteCount = type.byteCount(dims) ?? 0
        self.raw = raw
        self.typed = typed
        self.external = isExternal ? external : [:]
    }

    static func storedType(_ code: Int) -> StoredType {
        switch code {
        case 1: .native(.f32)
        case 2: .native(.u8)
        case 3: .native(.i8)
        case 4: .u16
        case 5: .i16
        case 6: .native(.i32)
        case 7: .native(.i64)
        case 9: .native(.bool)
        case 10: .native(.f16)
        case 11: .f64
        case 12: .u32
        case 13: .u64
        case 16: .native(.bf16)
        case 8: .other("string", bits: nil)
        case 14: .other("complex64", bits: 64)
        case 15: .other("complex128", bits: 128)
        case 17...20, 24: .other("f8 (ONNX type \(code))", bits: 8)
        case 21, 22, 23: .other("4-bit (ONNX type \(code))", bits: 4)
        default: .other("ONNX type \(code)", bits: nil)
        }
    }

    /// Values from float_data, int32_data, int64_data, double_data or uint64_data.
    func typedValues(_ bytes: UnsafeRawBufferPointer, file: String, key: String) throws(CheckpointError) -> Tensor {
        let reader = ProtobufReader(bytes, file: file, field: key)
        guard let target = type.readsAs, let count = boundedCount(shape) else {
            throw .unsupported(file: file, key: key, found: "element type \(type)", advice: "convert it to f32, f16 or bf16 first")
        }
        var floats: [Float] = [], ints: [Int] = []
        for (field, value) in typed {
            switch (field, value) {
            case (4, _): try reader.floats(value, into: &floats)
            case (10, .fixed64(let word)): floats.append(Float(Double(bitPattern: word)))
            case (10, .bytes(let range)):
                for at in stride(from: range.lowerBound, to: range.upperBound - 7, by: 8) {
                    floats.append(Float(Double(bitPattern: UInt64(littleEndian: bytes.loadUnaligned(fromByteOffset: at, as: UInt64.self)))))
                }
            default: try reader.integers(value, into: &ints)
            }
        }
        let found = max(floats.count, ints.count)
        guard found == count else {
            throw .malformed(file: file, field: key, offset: nil, problem: "\(found) values don't fill the shape \(shape)")
        }
        do {
            if target == .f32 { return floats.isEmpty && count > 0 ? try Tensor(ints.map { Float($0) }, shape) : try Tensor(floats, shape) }
            // 16-bit floats are stored as the integer of their bits.
            if target == .f16 || target == .bf16 {
                return Tensor.make(shape, target) { out in
                    for (i, bits) in ints.enumerated() {
                        out.storeBytes(of: UInt16(truncatingIfNeeded: bits), toByteOffset: i * 2, as: UInt16.self)
                    }
                }
            }
            return try Tensor(ints.map { Int64($0) }, shape).asType(target)
        } catch {
            throw .operation(file: file, key: key, error)
        }
    }
}
