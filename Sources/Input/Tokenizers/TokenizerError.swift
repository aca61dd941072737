/// Why a tokenizer could not be loaded: which file, which field of it, and what is wrong with it.
public struct TokenizerError: Error, Sendable, Equatable, CustomStringConvertible {
    /// The file's path or name (`tokenizer.json` where only bytes were given).
    public let file: String
    /// The field within the file, such as `model.merges[17]`; empty where the whole file is meant.
    public let field: String
    /// What is wrong, with the value met and what was expected.
    public let reason: String

    package init(file: String, field: String = "", _ reason: String) {
        self.file = file
        self.field = field
        self.reason = reason
    }

    public var description: String {
        field.isEmpty ? "\(file): \(reason)" : "\(file): \(field): \(reason)"
    }
}
