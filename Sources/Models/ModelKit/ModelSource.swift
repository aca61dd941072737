import Tensors

/// A model that was found on disk: what remembers it, loads it, and tells its vectors from another's.
public protocol ModelSource: Sendable {
    /// As remembered for a library: a catalogue name, or an absolute path.
    var spec: String { get }
    /// For people: the catalogue name or the file's.
    var name: String { get }
    /// What the matrices of linear layers are rounded to; nil leaves them as they are stored.
    var precision: WeightFormat? { get }
    func load() throws -> LoadedModel
    /// SHA-256 in hexadecimal over the files that shape the model's vectors.
    func digest() throws -> String
}

/// Finds a model by what a user named or a library remembers.
public typealias ModelFinder = @Sendable (_ spec: String, _ precision: WeightFormat?) throws -> any ModelSource
