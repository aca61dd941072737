/// A value together with where it was found, so that every reading error can name its field.
struct JSONField {
    let value: JSONValue?
    let path: String
    let file: String

    init(_ value: JSONValue?, path: String, file: String) {
        self.value = value.flatMap { $0.isNull ? nil : $0 }
        self.path = path
        self.file = file
    }

    subscript(name: String) -> JSONField {
        JSONField(value?[name], path: path.isEmpty ? name : "\(path).\(name)", file: file)
    }

    var isPresent: Bool { value != nil }

    func error(_ reason: String) -> TokenizerError { TokenizerError(file: file, field: path, reason) }

    private func required<T>(_ found: T?, _ expected: String) throws(TokenizerError) -> T {
        guard value != nil else { throw error("missing; expected \(expected)") }
        guard let found else { throw error("expected \(expected)") }
        return found
    }

    func utf8() throws(TokenizerError) -> [UInt8] { try required(value?.utf8, "a string") }
    func string() throws(TokenizerError) -> String { try required(value?.string, "a string") }
    func bool() throws(TokenizerError) -> Bool { try required(value?.bool, "true or false") }

    func bool(default fallback: Bool) throws(TokenizerError) -> Bool { isPresent ? try bool() : fallback }

    func utf8(default fallback: [UInt8]?) throws(TokenizerError) -> [UInt8]? { isPresent ? try utf8() : fallback }

    func int(in range: ClosedRange<Int>) throws(TokenizerError) -> Int {
        let number = try required(value?.int, "a whole number")
        guard range.contains(number) else { throw error("\(number) is outside \(range.lowerBound)...\(range.upperBound)") }
        return number
    }

    func id() throws(TokenizerError) -> Int32 { Int32(try int(in: 0...Limits.largestID)) }

    func scalar() throws(TokenizerError) -> UInt32 {
        let scalars = Array(try string().unicodeScalars)
        guard scalars.count == 1 else { throw error("expected a single character, found \(scalars.count)") }
        return scalars[0].value
    }

    /// The elements of an array of at most `limit`.
    func array(limit: Int = Limits.vocabularyEntries) throws(TokenizerError) -> [JSONField] {
        guard let value, value.kind == .array else { throw error(isPresent ? "expected an array" : "missing; expected an array") }
        guard value.count <= limit else { throw error("\(value.count) elements; at most \(limit) are read") }
        return value.elements.enumerated().map { JSONField($1, path: "\(path)[\($0)]", file: file) }
    }

    func object() throws(TokenizerError) -> JSONValue {
        guard let value, value.kind == .object else { throw error(isPresent ? "expected an object" : "missing; expected an object") }
        return value
    }
}
