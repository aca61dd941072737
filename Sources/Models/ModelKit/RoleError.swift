/// A model was asked for what its checkpoint can't do.
public struct RoleError: Error, Sendable, Equatable, CustomStringConvertible {
    public let model: String
    public let role: String
    public let reason: String

    public init(model: String, role: String, reason: String) {
        (self.model, self.role, self.reason) = (model, role, reason)
    }

    public var description: String { "\(model) can't be used as \(role): \(reason)" }
}
