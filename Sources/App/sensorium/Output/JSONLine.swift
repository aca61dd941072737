import Foundation
import Imaging
import PictureLibrary

/// One JSON object on one line, its fields in the order they were added.
struct JSONLine {
    private var fields: [String] = []

    mutating func add(_ name: String, _ value: String?) { append(name, value.map(Self.quoted)) }
    mutating func add(_ name: String, _ value: Int?) { append(name, value.map(String.init)) }
    mutating func add(_ name: String, _ value: Bool) { append(name, value ? "true" : "false") }
    mutating func add(_ name: String, _ value: Double?) { append(name, value.flatMap(Self.number)) }
    mutating func add(_ name: String, _ values: [String]) { append(name, "[" + values.map(Self.quoted).joined(separator: ",") + "]") }
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
        if let value { fields.append(Self.quoted(name) + ":" + value) }
    }

    /// JSON has neither infinities nor NaN.
    private static func number(_ value: Double) -> String? { value.isFinite ? value.description : nil }

    static func quoted(_ text: String) -> String {
        var result = "\""
        for scalar in text.unicodeScalars {
            switch scalar {
            case "\"": result += "\\\""
            case "\\": result += "\\\\"
            case "\n": result += "\\n"
            case "\r": result += "\\r"
            case "\t": result += "\\t"
            case "\u{0}"..."\u{1F}", "\u{2028}", "\u{2029}":
                let digits = String(scalar.value, radix: 16)
                result += "\\u" + String(repeating: "0", count: 4 - digits.count) + digits
            default: result.unicodeScalars.append(scalar)
            }
        }
        return result + "\""
    }
}
