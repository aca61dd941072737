import Checkpoints
import Foundation
import Yams

/// One mapping of a recipe's YAML. Every field is asked for by name and type; what nobody asked for is an error of its own, with the
/// nearest name that exists.
public final class RecipeReader {
    private let node: Node.Mapping
    private let file: String
    /// Names of the mappings above, joined by dots; empty at the root.
    private let path: String
    private var known: Set<String> = []
    private var sections: [RecipeReader] = []
    /// Fields that the command line changed, by their full names.
    private let changes: [String: String]

    private init(_ node: Node.Mapping, file: String, path: String, changes: [String: String]) {
        (self.node, self.file, self.path, self.changes) = (node, file, path, changes)
    }

    /// Files of recipes are small; anything else is a mistake.
    private static let largestFile = 1 << 20

    /// The text of a recipe's file.
    public static func text(of file: String) throws -> String {
        guard let bytes = FileManager.default.contents(atPath: file) else {
            throw TrainingError.recipe(file: file, field: "file", problem: "it can't be read")
        }
        guard bytes.count <= largestFile, let text = String(data: bytes, encoding: .utf8) else {
            throw TrainingError.recipe(file: file, field: "file", problem: "it isn't a text of at most \(largestFile) bytes")
        }
        return text
    }

    /// Throws a `TrainingError` that names the file and the line.
    /// - Parameter changes: values of fields by their full names (`optimizer.rate`) that replace those of the text.
    public static func parse(_ text: String, file: String, changes: [String: String] = [:]) throws -> RecipeReader {
        let node: Node?
        do { node = try Yams.compose(yaml: text) } catch { throw TrainingError.recipe(file: file, field: "YAML", problem: "\(error)") }
        guard let mapping = node?.mapping else {
            throw TrainingError.recipe(file: file, field: "YAML", problem: "a recipe is a mapping of fields, as `task: contrastive`")
        }
        return RecipeReader(mapping, file: file, path: "", changes: changes)
    }

    private func full(_ name: String) -> String { path.isEmpty ? name : path + "." + name }

    private func value(_ name: String) -> Node? {
        known.insert(name)
        if let changed = changes[full(name)] { return Node(changed) }
        guard let found = node[Node(name)] else { return nil }
        if case let .scalar(scalar) = found, ["", "null", "~"].contains(scalar.string), scalar.style == .plain { return nil }
        return found
    }

    public func fail(_ name: String, _ problem: String) -> TrainingError {
        let line = node[Node(name)]?.mark.map { " (line \($0.line))" } ?? ""
        return .recipe(file: file, field: full(name) + line, problem: problem)
    }

    public func has(_ name: String) -> Bool { value(name) != nil }

    public func string(_ name: String) throws -> String? {
        guard let found = value(name) else { return nil }
        guard case let .scalar(scalar) = found else { throw fail(name, "a text is expected") }
        return scalar.string
    }

    public func require(_ name: String) throws -> String {
        guard let found = try string(name) else { throw fail(name, "it is missing") }
        return found
    }

    /// One of an enumeration's names.
    public func choice<Choice: RawRepresentable & CaseIterable>(_ name: String) throws -> Choice? where Choice.RawValue == String {
        guard let text = try string(name) else { return nil }
        guard let found = Choice(rawValue: text) else {
            let all = Choice.allCases.map(\.rawValue).joined(separator: ", ")
            throw fail(name, "\"\(text)\" is none of \(all)")
        }
        return found
    }

    public func int(_ name: String, in range: ClosedRange<Int> = 0...Int(Int32.max)) throws -> Int? {
        guard let text = try string(name) else { return nil }
        guard let found = Int(text.replacing("_", with: "")), range.contains(found) else {
            throw fail(name, "a whole number in \(range.lowerBound)...\(range.upperBound) is expected, found \"\(text)\"")
        }
        return found
    }

    public func float(_ name: String, in range: ClosedRange<Float> = 0...1e9) throws -> Float? {
        guard let text = try string(name) else { return nil }
        guard let found = Float(text), range.contains(found) else {
            throw fail(name, "a number in \(range.lowerBound)...\(range.upperBound) is expected, found \"\(text)\"")
        }
        return found
    }

    public func flag(_ name: String) throws -> Bool? {
        guard let text = try string(name) else { return nil }
        switch text {
        case "true", "yes": return true
        case "false", "no": return false
        default: throw fail(name, "true or false is expected, found \"\(text)\"")
        }
    }

    /// A list of texts, or a single one.
    public func strings(_ name: String) throws -> [String]? {
        guard let found = value(name) else { return nil }
        if case let .scalar(scalar) = found { return [scalar.string] }
        guard let sequence = found.sequence else { throw fail(name, "a list of texts is expected") }
        return try sequence.map { element in
            guard case let .scalar(scalar) = element else { throw fail(name, "a list of texts is expected") }
            return scalar.string
        }
    }

    /// A mapping of texts to numbers, in the order of the file.
    public func numbers(_ name: String) throws -> [(key: String, value: Float)]? {
        guard let found = value(name) else { return nil }
        guard let mapping = found.mapping else { throw fail(name, "a mapping of names to numbers is expected") }
        return try mapping.map { key, value in
            guard let key = key.string, let number = value.string.flatMap({ Float($0) }), number.isFinite else {
                throw fail(name, "a mapping of names to numbers is expected")
            }
            return (key, number)
        }
    }

    public func section(_ name: String) throws -> RecipeReader? {
        guard let found = value(name) ?? (changes.keys.contains { $0.hasPrefix(full(name) + ".") } ? Node([] as [(Node, Node)]) : nil)
        else {
            return nil
        }
        guard let mapping = found.mapping else { throw fail(name, "a mapping is expected") }
        let reader = RecipeReader(mapping, file: file, path: full(name), changes: changes)
        sections.append(reader)
        return reader
    }

    /// A list of mappings, or a single one.
    public func list(_ name: String) throws -> [RecipeReader] {
        guard let found = value(name) else { return [] }
        let parts = found.sequence.map { Array($0) } ?? [found]
        return try parts.enumerated().map { place, part in
            guard let mapping = part.mapping else { throw fail(name, "a list of mappings is expected") }
            let reader = RecipeReader(mapping, file: file, path: full(name) + "[\(place)]", changes: changes)
            sections.append(reader)
            return reader
        }
    }

    /// Refuses fields that nobody asked for.
    public func finish() throws {
        for (key, _) in node {
            let name = key.string ?? "?"
            guard !known.contains(name) else { continue }
            let near = EditDistance.nearest(to: name, among: known.sorted(), limit: 1).first
            throw fail(
                name,
                "there is no such field; " + (near.map { "did you mean `\($0)`?" } ?? "there are \(known.sorted().joined(separator: ", "))")
            )
        }
        for section in sections { try section.finish() }
        guard path.isEmpty else { return }
        let all = fields
        if let unknown = changes.keys.sorted().first(where: { !all.contains($0) }) {
            throw TrainingError.recipe(file: file, field: unknown, problem: "there is no such field to set in this recipe")
        }
    }

    /// Full names of the fields that were asked for, here and below.
    private var fields: Set<String> { sections.reduce(into: Set(known.map(full))) { $0.formUnion($1.fields) } }
}
