import Checkpoints
import Foundation
import Imaging
import PictureLibrary

/// One JSON object on one line, its fields in the order they were added.
struct JSONLine {
    private var fields: [String] = []

    mutating func add(_ name: String, _ value: String?) { append(name, value.map(JSONText.quoted)) }
    mutating func add(_ name: String, _ value: Int?) { append(name, value.map(String.init)) }
    mutating func add(_ name: String, _ value: Bool) { append(name, value ? "true" : "false") }
    mutating func add(_ name: String, _ value: Double?) { append(name, value.flatMap(Self.number)) }
    mutating func add(_ name: String, _ values: [String]) { append(name, "[" + values.map(JSONText.quoted).joined(separator: ",") + "]") }
    mutating func add(_ name: String, _ values: [JSONLine]) { append(name, "[" + values.map(\.text).joined(separator: ",") + "]") }
    /// JSON as it is.
    mutating func add(_ name: String, json: String) { append(name, json) }

    /// A path; for a name that isn't UTF-8 its bytes too.
    mutating func add(_ name: String, _ path: FilePath) {
        add(name, path.display)
        if !path.isUTF8 { add(name + "_base64", Data(path.bytes).base64EncodedString()) }
    }

    var text: String { "{" + fields.joined(separator: ",") + "}" }

    /// What isn't known is left out.
    private mutating func append(_ name: String, _ value: String?) {
        if let value { fields.append(JSONText.quoted(name) + ":" + value) }
    }

    /// JSON has neither infinities nor NaN.
    private static func number(_ value: Double) -> String? { value.isFinite ? value.description : nil }
}
