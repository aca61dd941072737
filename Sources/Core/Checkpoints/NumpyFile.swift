import Foundation
import Tensors

/// A `.npy` file: one array, named `array`. Versions 1 to 3, either byte order, C and Fortran order.
/// Format: numpy/lib/format.py.
public struct NumpyFile: TensorSource {
    public let path: String
    public let entries: [TensorEntry]
    private let storage: Storage
    private let array: NumpyArray

    /// The name of the only array.
    public static let name = "array"

    public init(path: String) throws(CheckpointError) {
        self.path = path
        storage = try .checkpoint(path)
        array = try NumpyArray(storage.bytes, at: 0, end: storage.byteCount, file: path, field: "header")
        entries = [array.entry(Self.name)]
    }

    public func tensor(_ name: String) throws(CheckpointError) -> Tensor {
        guard name == Self.name else { throw absent(name) }
        return try array.tensor(over: storage, at: array.dataStart, file: path, key: "array")
    }

    /// The array itself.
    public func tensor() throws(CheckpointError) -> Tensor { try tensor(Self.name) }
}

/// A `.npz` archive: arrays under the names of its members without `.npy`.
public struct NumpyArchive: TensorSource {
    public let path: String
    public let entries: [TensorEntry]
    private let archive: ZipArchive
    private let arrays: [String: (array: NumpyArray, member: ZipArchive.Member)]

    public init(path: String) throws(CheckpointError) {
        try self.init(ZipArchive(path: path))
    }

    init(_ archive: ZipArchive) throws(CheckpointError) {
        self.archive = archive
        path = archive.path
        var arrays: [String: (array: NumpyArray, member: ZipArchive.Member)] = [:]
        for member in archive.members where member.name.hasSuffix(".npy") {
            let contents = try archive.contents(of: member)
            let bytes = UnsafeRawBufferPointer(start: contents.storage.pointer + contents.offset, count: member.byteCount)
            let array = try withExtendedLifetime(contents.storage) { () throws(CheckpointError) in
                try NumpyArray(bytes, at: 0, end: bytes.count, file: archive.path, field: member.name)
            }
            let name = String(member.name.dropLast(4))
            guard arrays.updateValue((array, member), forKey: name) == nil else {
                throw .malformed(file: path, field: "array \(name)", offset: nil, problem: "the name stands there twice")
            }
        }
        guard !arrays.isEmpty else { throw .absent(file: path, key: "member <name>.npy of a NumPy archive", near: []) }
        self.arrays = arrays
        entries = arrays.map { $0.value.array.entry($0.key) }.sorted { $0.name < $1.name }
    }

    public func tensor(_ name: String) throws(CheckpointError) -> Tensor {
        guard let (array, member) = arrays[name] else { throw absent(name) }
        let contents = try archive.contents(of: member)
        return try array.tensor(over: contents.storage, at: contents.offset + array.dataStart, file: path, key: "array \(name)")
    }
}

/// The header of an array.
struct NumpyArray: Sendable {
    let type: StoredType
    let shape: [Int]
    let isFortran: Bool
    let isSwapped: Bool
    let dataStart: Int
    let byteCount: Int

    /// NumPy itself writes headers of some hundred bytes.
    private static let maximumHeader = 1 << 20

    init(_ bytes: UnsafeRawBufferPointer, at start: Int, end: Int, file: String, field: String) throws(CheckpointError) {
        var reader = ByteReader(bytes, from: start, end: end, file: file, field: field)
        let magic = try reader.take(6)
        guard bytes[magic].elementsEqual([0x93, 0x4E, 0x55, 0x4D, 0x50, 0x59]) else {
            throw reader.fail("it doesn't begin as a NumPy array")
        }
        let version: UInt8 = try reader.integer()
        _ = try reader.take(1)
        guard (1...3).contains(version) else { throw reader.fail("version \(version) isn't known") }
        let count = version == 1 ? Int(try reader.integer(UInt16.self)) : Int(try reader.integer(UInt32.self))
        guard count <= Self.maximumHeader else { throw reader.fail("a header of \(count) bytes") }
        let text = try reader.text(count)
        var header = NumpyHeader(text)
        guard header.parse(), let description = header.description, let shape = header.shape, let isFortran = header.isFortran else {
            throw reader.fail("its header isn't {'descr', 'fortran_order', 'shape'} with a plain element type: \(text.prefix(120))")
        }
        (type, isSwapped) = Self.storedType(description)
        self.shape = shape
        self.isFortran = isFortran
        dataStart = reader.at
        guard boundedCount(shape) != nil else {
            throw reader.fail("shape \(shape.prefix(20)) is negative, too large or has more than 16 axes")
        }
        byteCount = type.byteCount(shape) ?? 0
        guard byteCount <= reader.remaining else {
            throw reader.fail("shape \(shape) of \(type) takes \(byteCount) bytes, \(reader.remaining) are left")
        }
    }

    static func storedType(_ description: String) -> (StoredType, swapped: Bool) {
        let order = description.first, code = description.drop { "<>|=".contains($0) }
        let type: StoredType =
            switch code {
            case "f4": .native(.f32)
            case "f2": .native(.f16)
            case "f8": .f64
            case "i1": .native(.i8)
            case "i2": .i16
            case "i4": .native(.i32)
            case "i8": .native(.i64)
            case "u1": .native(.u8)
            case "u2": .u16
            case "u4": .u32
            case "u8": .u64
            case "b1": .native(.bool)
            case "O": .other("Python objects (pickled)", bits: nil)
            default: .other(String(description.prefix(40)), bits: nil)
            }
        return (type, order == ">")
    }

    func entry(_ name: String) -> TensorEntry { TensorEntry(name: name, type: type, shape: shape, byteCount: byteCount) }

    func tensor(over storage: Storage, at start: Int, file: String, key: String) throws(CheckpointError) -> Tensor {
        let memoryShape = isFortran ? Array(shape.reversed()) : shape
        let tensor = try type.tensor(over: storage, at: start, shape: memoryShape, byteSwapped: isSwapped, file: file, key: key)
        guard isFortran, shape.count > 1 else { return tensor }
        do { return try tensor.permuted(Array(shape.indices.reversed())) } catch { throw .operation(file: file, key: key, error) }
    }
}

/// The header's Python dictionary: a text, a truth and a tuple of numbers under three known keys.
private struct NumpyHeader {
    var description: String?
    var shape: [Int]?
    var isFortran: Bool?
    private var rest: Substring

    init(_ text: String) { rest = text[...] }

    private mutating func accept(_ character: Character) -> Bool {
        rest = rest.drop { $0 == " " || $0 == "\n" }
        guard rest.first == character else { return false }
        rest.removeFirst()
        return true
    }

    private mutating func quoted() -> String? {
        let quote: Character = accept("'") ? "'" : "\""
        guard quote == "'" || accept("\""), let end = rest.firstIndex(of: quote) else { return nil }
        defer { rest = rest[rest.index(after: end)...] }
        return String(rest[..<end])
    }

    private mutating func tuple() -> [Int]? {
        guard accept("(") else { return nil }
        var numbers: [Int] = []
        while !accept(")") {
            rest = rest.drop { $0 == " " }
            let digits = rest.prefix { $0.isASCII && $0.isNumber }
            guard let number = Int(digits), numbers.count < 64 else { return nil }
            numbers.append(number)
            rest = rest[digits.endIndex...]
            // Python 2 wrote its long numbers with an L.
            if rest.first == "L" { rest.removeFirst() }
            if !accept(",") {
                guard accept(")") else { return nil }
                break
            }
        }
        return numbers
    }

    mutating func parse() -> Bool {
        guard accept("{") else { return false }
        while !accept("}") {
            guard let key = quoted(), accept(":") else { return false }
            switch key {
            case "descr":
                description = quoted()
                guard description != nil else { return false }
            case "fortran_order":
                rest = rest.drop { $0 == " " }
                guard rest.hasPrefix("True") || rest.hasPrefix("False") else { return false }
                isFortran = rest.hasPrefix("True")
                rest = rest.dropFirst(isFortran == true ? 4 : 5)
            case "shape":
                shape = tuple()
                guard shape != nil else { return false }
            default: return false
            }
            if !accept(",") {
                guard accept("}") else { return false }
                break
            }
        }
        return true
    }
}
