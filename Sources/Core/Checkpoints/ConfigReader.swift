import Foundation
import Tensors

/// Typed access to a `config.json`-like file. Errors name the file, the field and the value found; `null` equals absent.
public struct ConfigReader: Sendable {
    public let file: String
    /// Where this part stands in the file: empty at the root, else e.g. `vision_config`.
    public let path: String
    public let value: JSONValue

    /// Larger files aren't configurations.
    static let maximumBytes = 64 << 20

    public init(path file: String) throws(CheckpointError) {
        let storage = try Storage.checkpoint(file)
        guard storage.byteCount <= Self.maximumBytes else {
            throw .unreadable(file: file, reason: "\(storage.byteCount) bytes are more than the \(Self.maximumBytes) of a configuration")
        }
        try self.init(JSONValue.parse(storage.bytes, file: file), file: file)
    }

    /// A document that is already parsed; `file` names it in messages.
    public init(_ value: JSONValue, file: String) throws(CheckpointError) {
        guard case .object = value else { throw .config(file: file, field: "(the whole)", found: value.summary, expected: "an object") }
        self.init(file: file, path: "", value: value)
    }

    public init(text: String, file: String) throws(CheckpointError) {
        try self.init(JSONValue.parse(text, file: file), file: file)
    }

    private init(file: String, path: String, value: JSONValue) {
        self.file = file
        self.path = path
        self.value = value
    }

    private func full(_ field: String) -> String { path.isEmpty ? field : path + "." + field }

    /// The value of a field; nil when absent or `null`.
    public func raw(_ field: String) -> JSONValue? {
        guard let found = value[field], found != .null else { return nil }
        return found
    }

    public func has(_ field: String) -> Bool { raw(field) != nil }
    public var fields: [String] { (value.object ?? [:]).keys.sorted() }

    /// The error of a field whose value doesn't do, for checks beyond its type.
    public func invalid(_ field: String, expected: String) -> CheckpointError {
        .config(file: file, field: full(field), found: raw(field)?.summary ?? "nothing", expected: expected)
    }

    private func required<Value>(_ field: String, _ expected: String, _ value: Value?) throws(CheckpointError) -> Value {
        guard let value else { throw invalid(field, expected: expected) }
        return value
    }

    // MARK: Numbers

    /// A whole number within `range`; a number such as 768.0 is taken.
    public func int(_ field: String, in range: ClosedRange<Int> = ConfigReader.sizes) throws(CheckpointError) -> Int {
        let expected = "a whole number from \(range.lowerBound) to \(range.upperBound)"
        let number = try required(field, expected, whole(raw(field)))
        guard range.contains(number) else { throw invalid(field, expected: expected) }
        return number
    }

    public func int(_ field: String, default fallback: Int, in range: ClosedRange<Int> = ConfigReader.sizes) throws(CheckpointError) -> Int
    {
        has(field) ? try int(field, in: range) : fallback
    }

    /// What a dimension may be when nobody says otherwise: products of three of them stay within 64 bits.
    public static let sizes = -(1 << 20)...(1 << 20)

    private func whole(_ value: JSONValue?) -> Int? {
        switch value {
        case let .int(number): number
        case let .number(number): Int(exactly: number)
        default: nil
        }
    }

    public func double(_ field: String) throws(CheckpointError) -> Double {
        try required(field, "a number", Self.number(raw(field)))
    }

    public func double(_ field: String, default fallback: Double) throws(CheckpointError) -> Double {
        has(field) ? try double(field) : fallback
    }

    public func float(_ field: String) throws(CheckpointError) -> Float { Float(try double(field)) }
    public func float(_ field: String, default fallback: Float) throws(CheckpointError) -> Float {
        has(field) ? try float(field) : fallback
    }

    private static func number(_ value: JSONValue?) -> Double? {
        switch value {
        case let .int(number): Double(number)
        case let .number(number) where number.isFinite: number
        // Some writers quote numbers in exponent form: "1e-05".
        case let .string(text): Double(text).flatMap { $0.isFinite ? $0 : nil }
        default: nil
        }
    }

    // MARK: Truth, text, lists, parts

    public func bool(_ field: String) throws(CheckpointError) -> Bool {
        if case let .bool(truth) = raw(field) { return truth }
        throw invalid(field, expected: "true or false")
    }

    public func bool(_ field: String, default fallback: Bool) throws(CheckpointError) -> Bool { has(field) ? try bool(field) : fallback }

    public func string(_ field: String) throws(CheckpointError) -> String { try required(field, "a text", raw(field)?.string) }

    public func string(_ field: String, default fallback: String) throws(CheckpointError) -> String {
        has(field) ? try string(field) : fallback
    }

    /// A text that must be one of `choices`.
    public func string(_ field: String, default fallback: String? = nil, among choices: [String]) throws(CheckpointError) -> String {
        if let fallback, !has(field) { return fallback }
        let text = try string(field)
        guard choices.contains(text) else { throw invalid(field, expected: "one of " + choices.joined(separator: ", ")) }
        return text
    }

    public func ints(_ field: String, in range: ClosedRange<Int> = ConfigReader.sizes) throws(CheckpointError) -> [Int] {
        let expected = "a list of whole numbers from \(range.lowerBound) to \(range.upperBound)"
        let values = try required(field, expected, raw(field)?.array)
        let numbers = values.compactMap { whole($0) }.filter(range.contains)
        guard numbers.count == values.count else { throw invalid(field, expected: expected) }
        return numbers
    }

    public func ints(
        _ field: String, default fallback: [Int], in range: ClosedRange<Int> = ConfigReader.sizes
    ) throws(CheckpointError) -> [Int] {
        has(field) ? try ints(field, in: range) : fallback
    }

    public func floats(_ field: String) throws(CheckpointError) -> [Float] {
        let values = try required(field, "a list of numbers", raw(field)?.array)
        let numbers = values.compactMap { Self.number($0) }.map { Float($0) }
        guard numbers.count == values.count else { throw invalid(field, expected: "a list of numbers") }
        return numbers
    }

    public func floats(_ field: String, default fallback: [Float]) throws(CheckpointError) -> [Float] {
        has(field) ? try floats(field) : fallback
    }

    public func strings(_ field: String) throws(CheckpointError) -> [String] {
        let values = try required(field, "a list of texts", raw(field)?.array)
        let texts = values.compactMap(\.string)
        guard texts.count == values.count else { throw invalid(field, expected: "a list of texts") }
        return texts
    }

    public func strings(_ field: String, default fallback: [String]) throws(CheckpointError) -> [String] {
        has(field) ? try strings(field) : fallback
    }

    /// A nested object.
    public func section(_ field: String) throws(CheckpointError) -> ConfigReader {
        guard let found = raw(field), case .object = found else { throw invalid(field, expected: "an object") }
        return ConfigReader(file: file, path: full(field), value: found)
    }

    /// A nested object, an empty one when absent: every field then takes its default.
    public func sectionOrEmpty(_ field: String) throws(CheckpointError) -> ConfigReader {
        has(field) ? try section(field) : ConfigReader(file: file, path: full(field), value: .object([:]))
    }

    /// A list of objects.
    public func sections(_ field: String) throws(CheckpointError) -> [ConfigReader] {
        let values = try required(field, "a list of objects", raw(field)?.array)
        var parts: [ConfigReader] = []
        for (index, part) in values.enumerated() {
            guard case .object = part else { throw invalid(field, expected: "a list of objects") }
            parts.append(ConfigReader(file: file, path: "\(full(field))[\(index)]", value: part))
        }
        return parts
    }
}
