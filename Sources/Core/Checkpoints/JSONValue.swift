import Foundation

/// A JSON document. Whole numbers keep 64-bit precision; Python's NaN and Infinity are accepted, as its writer emits them.
public enum JSONValue: Sendable, Equatable {
    case null
    case bool(Bool)
    case int(Int)
    case number(Double)
    case string(String)
    case array([JSONValue])
    case object([String: JSONValue])

    public subscript(_ key: String) -> JSONValue? {
        if case let .object(members) = self { members[key] } else { nil }
    }

    public var string: String? { if case let .string(value) = self { value } else { nil } }
    public var int: Int? { if case let .int(value) = self { value } else { nil } }
    public var array: [JSONValue]? { if case let .array(value) = self { value } else { nil } }
    public var object: [String: JSONValue]? { if case let .object(value) = self { value } else { nil } }

    /// How a message names a value.
    public var summary: String {
        switch self {
        case .null: "null"
        case let .bool(value): "\(value)"
        case let .int(value): "\(value)"
        case let .number(value): "\(value)"
        case let .string(value): "\"\(value.prefix(60))\(value.count > 60 ? "..." : "")\""
        case let .array(values): "a list of \(values.count)"
        case let .object(members): "an object of \(members.count)"
        }
    }

    /// Parses UTF-8 bytes. `file` and `field` name the place in errors; `base` is added to offsets.
    public static func parse(
        _ bytes: UnsafeRawBufferPointer, file: String, field: String = "JSON", base: Int = 0, maximumDepth: Int = 64
    )
        throws(CheckpointError) -> JSONValue
    {
        var parser = JSONParser(bytes: bytes, file: file, field: field, base: base, maximumDepth: maximumDepth)
        return try parser.document()
    }

    public static func parse(_ text: String, file: String) throws(CheckpointError) -> JSONValue {
        let bytes = Array(text.utf8)
        let result = bytes.withUnsafeBytes { raw in Result { () throws(CheckpointError) in try parse(raw, file: file) } }
        return try result.get()
    }
}

private struct JSONParser {
    let bytes: UnsafeRawBufferPointer
    let file: String
    let field: String
    let base: Int
    let maximumDepth: Int
    var at = 0

    init(bytes: UnsafeRawBufferPointer, file: String, field: String, base: Int, maximumDepth: Int) {
        self.bytes = bytes
        self.file = file
        self.field = field
        self.base = base
        self.maximumDepth = maximumDepth
    }

    func fail(_ problem: String) -> CheckpointError { .malformed(file: file, field: field, offset: base + at, problem: problem) }

    mutating func document() throws(CheckpointError) -> JSONValue {
        if bytes.count >= 3, bytes[0] == 0xEF, bytes[1] == 0xBB, bytes[2] == 0xBF { at = 3 }
        let value = try self.value(depth: 0)
        skipSpace()
        guard at == bytes.count else { throw fail("text after the end of the JSON value") }
        return value
    }

    mutating func skipSpace() {
        while at < bytes.count, bytes[at] == 0x20 || (bytes[at] >= 0x09 && bytes[at] <= 0x0D && bytes[at] != 0x0B && bytes[at] != 0x0C) {
            at += 1
        }
    }

    mutating func value(depth: Int) throws(CheckpointError) -> JSONValue {
        guard depth < maximumDepth else { throw fail("nested deeper than \(maximumDepth) levels") }
        skipSpace()
        guard at < bytes.count else { throw fail("ends in the middle of a value") }
        switch bytes[at] {
        case UInt8(ascii: "{"): return try object(depth: depth)
        case UInt8(ascii: "["): return try list(depth: depth)
        case UInt8(ascii: "\""): return .string(try string())
        case UInt8(ascii: "t"): return try word("true", .bool(true))
        case UInt8(ascii: "f"): return try word("false", .bool(false))
        case UInt8(ascii: "n"): return try word("null", .null)
        case UInt8(ascii: "N"): return try word("NaN", .number(.nan))
        case UInt8(ascii: "I"): return try word("Infinity", .number(.infinity))
        default: return try number()
        }
    }

    mutating func word(_ text: StaticString, _ value: JSONValue) throws(CheckpointError) -> JSONValue {
        guard at + text.utf8CodeUnitCount <= bytes.count,
            (0..<text.utf8CodeUnitCount).allSatisfy({ bytes[at + $0] == text.utf8Start[$0] })
        else { throw fail("not a JSON value") }
        at += text.utf8CodeUnitCount
        return value
    }

    mutating func object(depth: Int) throws(CheckpointError) -> JSONValue {
        at += 1
        var members: [String: JSONValue] = [:]
        skipSpace()
        if at < bytes.count, bytes[at] == UInt8(ascii: "}") {
            at += 1
            return .object(members)
        }
        while true {
            skipSpace()
            guard at < bytes.count, bytes[at] == UInt8(ascii: "\"") else { throw fail("a key in quotes is expected") }
            let key = try string()
            skipSpace()
            guard at < bytes.count, bytes[at] == UInt8(ascii: ":") else { throw fail("':' is expected after \"\(key.prefix(60))\"") }
            at += 1
            let value = try value(depth: depth + 1)
            guard members.updateValue(value, forKey: key) == nil else { throw fail("the key \"\(key.prefix(60))\" stands there twice") }
            guard try more(before: UInt8(ascii: "}")) else { return .object(members) }
        }
    }

    mutating func list(depth: Int) throws(CheckpointError) -> JSONValue {
        at += 1
        var values: [JSONValue] = []
        skipSpace()
        if at < bytes.count, bytes[at] == UInt8(ascii: "]") {
            at += 1
            return .array(values)
        }
        while true {
            values.append(try value(depth: depth + 1))
            guard try more(before: UInt8(ascii: "]")) else { return .array(values) }
        }
    }

    /// True after a comma, false after the closing bracket.
    mutating func more(before close: UInt8) throws(CheckpointError) -> Bool {
        skipSpace()
        guard at < bytes.count, bytes[at] == UInt8(ascii: ",") || bytes[at] == close else {
            throw fail("',' or a closing bracket is expected")
        }
        at += 1
        return bytes[at - 1] != close
    }

    mutating func number() throws(CheckpointError) -> JSONValue {
        let start = at
        var whole = true
        if bytes[at] == UInt8(ascii: "-") { at += 1 }
        if at < bytes.count, bytes[at] == UInt8(ascii: "I") {
            _ = try word("Infinity", .null)
            return .number(-.infinity)
        }
        while at < bytes.count, at - start < 400 {
            switch bytes[at] {
            case 0x30...0x39: break
            case UInt8(ascii: "."), UInt8(ascii: "e"), UInt8(ascii: "E"), UInt8(ascii: "+"), UInt8(ascii: "-"): whole = false
            default:
                return try finishNumber(start, whole)
            }
            at += 1
        }
        return try finishNumber(start, whole)
    }

    func finishNumber(_ start: Int, _ whole: Bool) throws(CheckpointError) -> JSONValue {
        let text = String(decoding: bytes[start..<at], as: UTF8.self)
        if whole, let value = Int(text) { return .int(value) }
        guard let value = Double(text) else { throw fail("not a JSON value") }
        return .number(value)
    }

    mutating func string() throws(CheckpointError) -> String {
        at += 1
        let start = at
        while at < bytes.count, bytes[at] != UInt8(ascii: "\""), bytes[at] != UInt8(ascii: "\\") { at += 1 }
        guard at < bytes.count else { throw fail("a string without its closing quote") }
        if bytes[at] == UInt8(ascii: "\"") {
            defer { at += 1 }
            return String(decoding: bytes[start..<at], as: UTF8.self)
        }
        return try escapedString(start)
    }

    mutating func escapedString(_ start: Int) throws(CheckpointError) -> String {
        var units = [UInt8](bytes[start..<at])
        while at < bytes.count {
            let byte = bytes[at]
            at += 1
            if byte == UInt8(ascii: "\"") { return String(decoding: units, as: UTF8.self) }
            guard byte == UInt8(ascii: "\\") else {
                units.append(byte)
                continue
            }
            guard at < bytes.count else { break }
            let kind = bytes[at]
            at += 1
            switch kind {
            case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"): units.append(kind)
            case UInt8(ascii: "b"): units.append(8)
            case UInt8(ascii: "f"): units.append(12)
            case UInt8(ascii: "n"): units.append(10)
            case UInt8(ascii: "r"): units.append(13)
            case UInt8(ascii: "t"): units.append(9)
            case UInt8(ascii: "u"): units.append(contentsOf: Array(String(try scalar()).utf8))
            default: throw fail("an unknown escape in a string")
            }
        }
        throw fail("a string without its closing quote")
    }

    /// After `\u`: one scalar, from one unit or a surrogate pair; a lone surrogate becomes U+FFFD.
    mutating func scalar() throws(CheckpointError) -> Unicode.Scalar {
        let unit = try hex()
        if unit >= 0xD800, unit < 0xDC00, at + 1 < bytes.count, bytes[at] == UInt8(ascii: "\\"), bytes[at + 1] == UInt8(ascii: "u") {
            let back = at
            at += 2
            let low = try hex()
            if low >= 0xDC00, low < 0xE000 { return Unicode.Scalar(0x10000 + ((unit - 0xD800) << 10) + (low - 0xDC00)) ?? "\u{FFFD}" }
            at = back
        }
        return Unicode.Scalar(unit) ?? "\u{FFFD}"
    }

    mutating func hex() throws(CheckpointError) -> UInt32 {
        guard at + 4 <= bytes.count, let value = UInt32(String(decoding: bytes[at..<at + 4], as: UTF8.self), radix: 16) else {
            throw fail("four hexadecimal digits are expected after \\u")
        }
        at += 4
        return value
    }
}
