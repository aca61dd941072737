/// A model that a user named can't be found or read.
public enum ModelPlaceError: Error, Sendable, Equatable, CustomStringConvertible {
    case unnamed
    /// Known, but not fetched.
    case notFetched(name: String)
    case unknown(name: String, known: [String])
    case unreadable(path: String, reason: String)

    public var description: String {
        switch self {
        case .unnamed: "--model is empty: give a folder, a checkpoint file or a name from `sensorium models list`"
        case .notFetched(let name): "the model \(name) isn't here yet: run `sensorium models pull \(name)`"
        case .unknown(let name, let known):
            "\(name): no such file or folder, and no model of that name; `sensorium models pull` knows \(known.joined(separator: ", "))"
        case .unreadable(let path, let reason): "\(path): \(reason)"
        }
    }
}
