import Tensors

/// What is wrong with a checkpoint or its configuration: the file, the key or field, the byte offset where there is one,
/// and what to do.
public enum CheckpointError: Error, Sendable, Equatable, CustomStringConvertible {
    /// The file can't be opened, mapped or read.
    case unreadable(file: String, reason: String)
    /// The file can't be made, written or put in its place.
    case unwritable(file: String, reason: String)
    /// The bytes don't follow their format. `offset` counts from the start of the file, or of the archive member named in `field`.
    case malformed(file: String, field: String, offset: Int?, problem: String)
    /// The format is valid, but holds something that this reader doesn't take.
    case unsupported(file: String, key: String, found: String, advice: String)
    /// A pickle asks for code that no tensor needs; nothing of it was run.
    case refused(file: String, offset: Int, global: String)
    /// No tensor or member of that name.
    case absent(file: String, key: String, near: [String])
    /// A field of a configuration file is missing or of another kind.
    case config(file: String, field: String, found: String, expected: String)
    /// No checkpoint in a folder.
    case nothingFound(folder: String, lookedFor: [String])
    /// The keys of a checkpoint aren't those of the model.
    case mismatch(WeightReport)
    /// An operation of a rename rule failed for a key.
    case operation(file: String, key: String, TensorError)

    public var description: String {
        switch self {
        case let .unreadable(file, reason):
            return "\(file): \(reason)"
        case let .unwritable(file, reason):
            return "\(file) can't be written: \(reason)"
        case let .malformed(file, field, offset, problem):
            let place = offset.map { " at byte \($0)" } ?? ""
            return "\(file): \(field)\(place): \(problem); the file is damaged or not of this format: fetch or write it again"
        case let .unsupported(file, key, found, advice):
            return "\(file): \(key): \(found) is not supported; \(advice)"
        case let .refused(file, offset, global):
            return
                "\(file): the pickle asks for \(global) at byte \(offset), which no tensor needs, so it was refused and nothing was run; "
                + "save the weights alone (torch.save(model.state_dict(), ...)) or as safetensors"
        case let .absent(file, key, near):
            let hint = near.isEmpty ? "list the names with `sensorium models inspect`" : "near names: " + near.joined(separator: ", ")
            return "\(file): there is no \(key); \(hint)"
        case let .config(file, field, found, expected):
            return "\(file): field \(field): expected \(expected), found \(found)"
        case let .nothingFound(folder, lookedFor):
            return "\(folder): no checkpoint found; looked for " + lookedFor.joined(separator: ", ")
        case let .mismatch(report):
            return report.description
        case let .operation(file, key, error):
            return "\(file): \(key): \(error)"
        }
    }
}
