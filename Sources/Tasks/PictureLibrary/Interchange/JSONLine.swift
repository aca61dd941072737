import Checkpoints
import Foundation
import Imaging

/// One JSON object on one line, its fields in the order they were added.
public struct JSONLine: Sendable {
    private var fields: [String] = []

    public init() {}

    public mutating func add(_ name: String, _ value: String?) { append(name, value.map(JSONText.quoted)) }
    public mutating func add(_ name: String, _ value: Int?) { append(name, value.map(String.init)) }
    public mutating func add(_ name: String, _ value: Bool) { append(name, value ? "true" : "false") }
    public mutating func add(_ name: String, _ value: Double?) { append(name, value.flatMap(Self.number)) }
    public mutating func add(_ name: String, _ values: [String]) {
        append(name, "[" + values.map(JSONText.quoted).joined(separator: ",") + "]")
    }
    public mutating func add(_ name: String, _ values: [JSONLine]) { append(name, "[" + values.map(\.text).joined(separator: ",") + "]") }
    /// JSON as it is.
    public mutating func add(_ name: String, json: String) { append(name, json) }

    /// A path; for a name that isn't UTF-8 its bytes too.
    public mutating func add(_ name: String, _ path: FilePath) {
        add(name, path.display)
        if !path.isUTF8 { add(name + "_base64", Data(path.bytes).base64EncodedString()) }
    }

    public var text: String { "{" + fields.joined(separator: ",") + "}" }

    /// What isn't known is left out.
    private mutating func append(_ name: String, _ value: String?) {
        if let value { fields.append(JSONText.quoted(name) + ":" + value) }
    }

    /// JSON has neither infinities nor NaN.
    private static func number(_ value: Double) -> String? { value.isFinite ? value.description : nil }
}
