/// Why one file or folder isn't indexed.
public struct FileProblem: Error, Sendable, Equatable, CustomStringConvertible {
    public enum Kind: String, Sendable, CaseIterable, Codable {
        /// Permission, input/output error, broken link.
        case unreadable
        case empty
        /// No picture, or one that is damaged or cut off.
        case undecodable
        /// More bytes or pixels than allowed.
        case tooLarge
        /// A folder that isn't there now; what is indexed of it stays.
        case vanished
        /// The model couldn't take the picture.
        case notEmbedded
    }

    public var kind: Kind
    public var reason: String

    public init(_ kind: Kind, _ reason: String) {
        self.kind = kind
        self.reason = reason
    }

    public var description: String { reason }

    /// Whether trying again may help although the file is the same.
    var mayPass: Bool { kind == .unreadable || kind == .vanished || kind == .notEmbedded }
}
