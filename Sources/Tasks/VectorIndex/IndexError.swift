/// What went wrong in a vector index or a file of vectors, and what to do about it.
public enum IndexError: Error, Sendable, Equatable, CustomStringConvertible {
    /// The system refused an operation on a file (permission, disk full, absent ...). The index is as it was before.
    case io(file: String, operation: String, reason: String)
    /// A file isn't what it should be: damaged, cut off, of another version or kind.
    case corrupt(file: String, offset: Int, field: String, found: String, expected: String)
    /// An argument that can't be served.
    case invalid(operation: String, field: String, value: String, expected: String)
    /// A file of vectors for other programs can't be written (no such folder, permission, disk full).
    case unwritable(file: String, reason: String)
    /// A server that holds the vectors can't be reached, or refuses.
    case remote(address: String, operation: String, reason: String)
    /// Another process keeps writing.
    case locked(file: String, seconds: Int)

    public var description: String {
        switch self {
        case let .io(file, operation, reason):
            "\(file): can't \(operation): \(reason)"
        case let .corrupt(file, offset, field, found, expected):
            "\(file) is damaged or of another kind: \(field) at byte \(offset) is \(found), expected \(expected)"
                + "; restore the file from a backup or build the index anew"
        case let .invalid(operation, field, value, expected):
            "\(operation): \(field) is \(value), expected \(expected)"
        case let .unwritable(file, reason):
            "\(file) can't be written: \(reason)"
        case let .remote(address, operation, reason):
            "\(address): can't \(operation): \(reason)"
        case let .locked(file, seconds):
            "\(file): another process has been writing for \(seconds) s; wait for it or end it"
        }
    }
}
