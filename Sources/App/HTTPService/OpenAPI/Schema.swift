import Checkpoints
import PictureLibrary

/// A JSON Schema, as OpenAPI 3.1 has it.
indirect enum Schema: Sendable {
    case string(String = "", among: [String] = [])
    case integer(String = "")
    case number(String = "")
    case boolean(String = "")
    /// Bytes of a file.
    case binary
    case array(Schema, String = "")
    case object([Field], String = "")
    case oneOf([Schema], String = "")
    case any(String = "")
    case named(String)

    struct Field: Sendable {
        var name: String
        var schema: Schema
        var isRequired: Bool

        init(_ name: String, _ schema: Schema, required: Bool = false) { (self.name, self.schema, isRequired) = (name, schema, required) }
    }

    var json: JSONLine {
        var line = JSONLine()
        func describe(_ text: String) { line.add("description", text.isEmpty ? nil : text) }
        switch self {
        case .string(let text, let choices):
            line.add("type", "string")
            if !choices.isEmpty { line.add("enum", choices) }
            describe(text)
        case .integer(let text):
            line.add("type", "integer")
            describe(text)
        case .number(let text):
            line.add("type", "number")
            describe(text)
        case .boolean(let text):
            line.add("type", "boolean")
            describe(text)
        case .binary:
            line.add("type", "string")
            line.add("format", "binary")
        case .array(let items, let text):
            line.add("type", "array")
            line.add("items", json: items.json.text)
            describe(text)
        case .object(let fields, let text):
            line.add("type", "object")
            var properties = JSONLine()
            for field in fields { properties.add(field.name, json: field.schema.json.text) }
            line.add("properties", json: properties.text)
            let required = fields.filter(\.isRequired).map(\.name)
            if !required.isEmpty { line.add("required", required) }
            describe(text)
        case .oneOf(let choices, let text):
            line.add("anyOf", choices.map(\.json))
            describe(text)
        case .any(let text): describe(text)
        case .named(let name): line.add("$ref", "#/components/schemas/\(name)")
        }
        return line
    }

    /// Names of the fields of an object.
    var fieldNames: [String] { if case .object(let fields, _) = self { fields.map(\.name) } else { [] } }
}
