import Foundation
import Tensors

/// A `.gguf` file: typed metadata (sizes, vocabulary, chat template), a table of tensors, their bytes on aligned places.
/// Format: https://github.com/ggml-org/ggml/blob/master/docs/gguf.md, versions 2 and 3. Quantised tensors read as f32; their own
/// bytes are `rows`.
public struct GGUFFile: TensorSource {
    public let path: String
    public let entries: [TensorEntry]
    /// The metadata with their types.
    public let values: [String: GGUFValue]
    private let storage: Storage
    /// Bytes of each entry, from the start of the file.
    private let offsets: [String: Int]

    public init(path: String) throws(CheckpointError) {
        self.path = path
        storage = try .checkpoint(path)
        var parser = GGUFParser(storage, file: path, field: "header")
        let counts = try parser.header()
        values = try Self.values(&parser, counts.values)
        let alignment = try Self.alignment(values, path)
        var lines: [(name: String, type: GGUFType, shape: [Int], offset: Int)] = []
        for _ in 0..<counts.tensors { lines.append(try parser.tensor()) }
        // Without tensors nothing follows the header, not even the padding.
        let dataStart = (parser.reader.at + alignment - 1) / alignment * alignment
        var entries: [(entry: TensorEntry, start: Int)] = []
        for line in lines {
            entries.append(try Self.entry(line, dataStart: dataStart, alignment: alignment, end: storage.byteCount, path))
        }
        try refuseOverlap(&entries, path)
        offsets = Dictionary(entries.map { ($0.entry.name, $0.start) }) { first, _ in first }
        guard offsets.count == entries.count else {
            throw .malformed(file: path, field: "tensors", offset: nil, problem: "two tensors have one name")
        }
        self.entries = entries.map(\.entry).sorted { $0.name < $1.name }
    }

    private static func values(_ parser: inout GGUFParser, _ count: Int) throws(CheckpointError) -> [String: GGUFValue] {
        var values: [String: GGUFValue] = [:]
        for _ in 0..<count {
            let (key, value) = try parser.keyAndValue()
            guard values.updateValue(value, forKey: key) == nil else { throw parser.reader.fail("the key \(key) stands there twice") }
        }
        return values
    }

    private static func alignment(_ values: [String: GGUFValue], _ path: String) throws(CheckpointError) -> Int {
        guard let value = values["general.alignment"] else { return 32 }
        guard case let .unsigned(number) = value, (8...65536).contains(number), number & (number - 1) == 0 else {
            throw .config(file: path, field: "general.alignment", found: value.summary, expected: "a power of two from 8 to 65536")
        }
        return Int(number)
    }

    private static func entry(
        _ line: (name: String, type: GGUFType, shape: [Int], offset: Int), dataStart: Int, alignment: Int, end: Int, _ path: String
    ) throws(CheckpointError) -> (TensorEntry, Int) {
        func wrong(_ problem: String) -> CheckpointError {
            .malformed(file: path, field: "tensor \(line.name)", offset: nil, problem: problem)
        }
        guard boundedCount(line.shape) != nil else { throw wrong("shape \(line.shape) is too large") }
        // The bytes of a type that isn't known can't be counted; it can't be read either.
        let isKnown = line.type.blockLength > 0
        guard let bytes = isKnown ? line.type.byteCount(line.shape) : 0 else {
            throw wrong("rows of \(line.shape.last ?? 1) are no whole number of \(line.type.name)'s blocks of \(line.type.blockLength)")
        }
        let room = max(end - dataStart, 0)
        guard line.offset % alignment == 0 else { throw wrong("its offset \(line.offset) isn't a multiple of \(alignment)") }
        guard line.offset <= room, bytes <= room - line.offset else {
            throw wrong("\(line.type.name) of shape \(line.shape) at \(line.offset) reaches beyond the \(room) bytes of data")
        }
        return (TensorEntry(name: line.name, type: line.type.stored, shape: line.shape, byteCount: bytes), dataStart + line.offset)
    }

    /// Scalars as text, lists by their length.
    public var metadata: [String: String] { values.mapValues(\.summary) }

    /// The metadata as a configuration whose fields are the file's keys; lists of more than 1024 elements are left out.
    public func config() throws(CheckpointError) -> ConfigReader {
        try ConfigReader(.object(values.compactMapValues(\.json)), file: path)
    }

    public func tensor(_ name: String) throws(CheckpointError) -> Tensor {
        guard let entry = entry(name), let start = offsets[name] else { throw absent(name) }
        return try entry.type.tensor(over: storage, at: start, shape: entry.shape, file: path, key: "tensor \(name)")
    }

    public func rows(_ name: String) throws(CheckpointError) -> StoredRows? {
        guard let entry = entry(name), let start = offsets[name], entry.shape.count == 2, let format = entry.type.weightFormat else {
            return nil
        }
        do {
            return try StoredRows(storage, byteOffset: start, format: format, rows: entry.shape[0], columns: entry.shape[1])
        } catch {
            throw .operation(file: path, key: "tensor \(name)", error)
        }
    }
}
