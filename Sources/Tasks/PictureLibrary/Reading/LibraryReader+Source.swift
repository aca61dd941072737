import ModelKit
import Pipelines

extension LibraryReader {
    /// Loads a model that was found. Throws a `RoleError` where it doesn't read.
    public init(_ source: any ModelSource) throws {
        let reader = try PictureReader(source.load(), name: source.name)
        try self.init(name: source.name, digest: source.digest()) { try reader.read($0) }
    }
}
