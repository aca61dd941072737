/// A parsed JSON text as one flat array of nodes over the file's bytes.
///
/// Vocabularies are objects of up to millions of members, so nothing is allocated per value: strings stay where they
/// are in the file and are decoded when asked for.
final class JSONDocument: Sendable {
    enum Kind: UInt8, Sendable { case null, yes, no, number, string, escapedString, array, object }

    struct Node: Sendable {
        var kind: Kind
        /// Of strings the text between the quotes, of other scalars the token; empty for arrays and objects.
        var start: UInt32
        var end: UInt32
        /// Index of the node after this one and all within it.
        var next: UInt32
        var count: UInt32
    }

    let bytes: [UInt8]
    let nodes: [Node]

    /// - Throws: `TokenizerError` with the byte offset at which the text stops being JSON.
    init(_ bytes: [UInt8], file: String) throws(TokenizerError) {
        guard bytes.count <= Limits.fileBytes else {
            throw TokenizerError(file: file, "\(bytes.count) bytes; at most \(Limits.fileBytes) are read")
        }
        let outcome: Result<[Node], JSONParser.Failure> = bytes.withUnsafeBufferPointer { buffer in
            guard UTF8Text.isValid(buffer) else { return .failure(.init(offset: 0, reason: "is not valid UTF-8")) }
            var parser = JSONParser(buffer)
            return parser.parse()
        }
        switch outcome {
        case .success(let nodes):
            self.bytes = bytes
            self.nodes = nodes
        case .failure(let failure):
            throw TokenizerError(file: file, "not JSON at byte \(failure.offset): \(failure.reason)")
        }
    }

    var root: JSONValue { JSONValue(document: self, index: 0) }
}

/// One value of a document.
struct JSONValue: Sendable {
    let document: JSONDocument
    let index: Int

    private var node: JSONDocument.Node { document.nodes[index] }
    var kind: JSONDocument.Kind { node.kind }
    var count: Int { Int(node.count) }
    var isNull: Bool { kind == .null }
    var isString: Bool { kind == .string || kind == .escapedString }

    var bool: Bool? { kind == .yes ? true : kind == .no ? false : nil }

    var utf8: [UInt8]? {
        guard isString else { return nil }
        var out: [UInt8] = []
        appendText(to: &out)
        return out
    }

    var string: String? { utf8.map { String(decoding: $0, as: UTF8.self) } }

    /// Appends a string's decoded text.
    func appendText(to out: inout [UInt8]) {
        let node = node
        let range = Int(node.start)..<Int(node.end)
        if node.kind == .string {
            out.append(contentsOf: document.bytes[range])
        } else {
            JSONText.unescape(document.bytes[range], into: &out)
        }
    }

    /// An integer without fraction or exponent.
    var int: Int? {
        guard kind == .number else { return nil }
        return Int(String(decoding: document.bytes[Int(node.start)..<Int(node.end)], as: UTF8.self))
    }

    /// The number as serde_json reads it, which differs from the nearest `Double` in the last place now and then.
    var double: Double? {
        guard kind == .number else { return nil }
        return JSONText.number(document.bytes[Int(node.start)..<Int(node.end)])
    }

    /// Calls `body` for each element of an array.
    func forEach<E: Error>(_ body: (JSONValue) throws(E) -> Void) throws(E) {
        guard kind == .array else { return }
        var child = index + 1
        for _ in 0..<count {
            try body(JSONValue(document: document, index: child))
            child = Int(document.nodes[child].next)
        }
    }

    /// Calls `body` with the key (a string value) and the value of each member of an object.
    func forEachMember<E: Error>(_ body: (JSONValue, JSONValue) throws(E) -> Void) throws(E) {
        guard kind == .object else { return }
        var child = index + 1
        for _ in 0..<count {
            try body(JSONValue(document: document, index: child), JSONValue(document: document, index: child + 1))
            child = Int(document.nodes[child + 1].next)
        }
    }

    var elements: [JSONValue] {
        var out: [JSONValue] = []
        forEach { out.append($0) }
        return out
    }

    /// The member of that name; the last one where a name is repeated.
    subscript(name: String) -> JSONValue? {
        var found: JSONValue?
        let wanted = Array(name.utf8)
        forEachMember { key, value in
            if key.utf8 == wanted { found = value }
        }
        return found
    }
}

enum JSONText {
    /// Undoes escapes; the parser has checked them.
    static func unescape(_ text: ArraySlice<UInt8>, into out: inout [UInt8]) {
        var index = text.startIndex
        func unit(at start: Int) -> UInt32 {
            var value: UInt32 = 0
            for byte in text[start..<start + 4] { value = value << 4 | UInt32(JSONParser.hexadecimal(byte) ?? 0) }
            return value
        }
        while index < text.endIndex {
            let byte = text[index]
            guard byte == UInt8(ascii: "\\"), index + 1 < text.endIndex else {
                out.append(byte)
                index += 1
                continue
            }
            let escape = text[index + 1]
            index += 2
            switch escape {
            case UInt8(ascii: "n"): out.append(10)
            case UInt8(ascii: "t"): out.append(9)
            case UInt8(ascii: "r"): out.append(13)
            case UInt8(ascii: "b"): out.append(8)
            case UInt8(ascii: "f"): out.append(12)
            case UInt8(ascii: "u"):
                var scalar = unit(at: index)
                index += 4
                if scalar >= 0xD800, scalar < 0xDC00 {
                    scalar = 0x10000 + (scalar - 0xD800) << 10 + (unit(at: index + 2) - 0xDC00)
                    index += 6
                }
                UTF8Text.append(scalar, to: &out)
            default: out.append(escape)
            }
        }
    }

    private static let powers: [Double] = (0...308).map { Double("1e\($0)") ?? .infinity }

    /// serde_json's conversion: up to 64 bits of digits, then one multiplication or division by a power of ten.
    static func number(_ text: ArraySlice<UInt8>) -> Double? {
        var significand: UInt64 = 0
        var exponent = 0
        var negative = false
        var fraction = false
        var full = false
        var index = text.startIndex
        if index < text.endIndex, text[index] == UInt8(ascii: "-") {
            negative = true
            index += 1
        }
        while index < text.endIndex, text[index] | 0x20 != UInt8(ascii: "e") {
            let byte = text[index]
            index += 1
            if byte == UInt8(ascii: ".") {
                fraction = true
                continue
            }
            let (product, overflow) = significand.multipliedReportingOverflow(by: 10)
            let (sum, carry) = product.addingReportingOverflow(UInt64(byte &- 48))
            full = full || overflow || carry
            if full {
                exponent += fraction ? 0 : 1
            } else {
                significand = sum
                exponent -= fraction ? 1 : 0
            }
        }
        if index < text.endIndex {
            let written = text[(index + 1)...].drop { $0 == UInt8(ascii: "+") }
            exponent += max(-100_000, min(100_000, Int(String(decoding: written, as: UTF8.self)) ?? 0))
        }
        var value = Double(significand)
        while exponent < -308, value != 0 {
            value /= 1e308
            exponent += 308
        }
        if exponent > 308 { return value == 0 ? 0 : nil }
        value = value == 0 ? 0 : exponent < 0 ? value / powers[-exponent] : value * powers[exponent]
        guard value.isFinite else { return nil }
        return negative ? -value : value
    }
}
