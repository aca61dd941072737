import Imaging
import ModelKit

extension ModelEmbedder {
    /// Loads a model that was found. Rounded weights give vectors of their own: they aren't mixed with those of the model as it is.
    public init(_ source: any ModelSource) throws {
        let digest = try source.digest()
        try self.init(
            source.load(), name: source.precision.map { "\(source.name) (\($0.rawValue))" } ?? source.name,
            weightsDigest: source.precision.map { ContentHash(of: Array("\(digest) \($0.rawValue)".utf8)).hex } ?? digest)
    }
}
