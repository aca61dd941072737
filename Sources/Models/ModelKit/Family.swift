/// One line of the catalogue: a family of models, how its checkpoints are recognised and how they are loaded.
public struct Family: Sendable {
    /// Folder = family = type prefix.
    public let name: String
    /// `Vision`, `Text`, `DualEncoder` ...
    public let group: String
    /// What it is and the paper, one line.
    public let summary: String
    /// Layouts it reads, for MODELS.md.
    public let layouts: [String]
    /// Largest difference of an element of an embedding from the reference's, over the cases in the family's folder (f32, x86-64);
    /// for MODELS.md, held by the parity tests.
    public let worstDifference: Float
    public let published: [PublishedCheckpoint]
    public let recognises: @Sendable (ModelFolder) -> Bool
    public let load: @Sendable (ModelFolder) throws -> LoadedModel

    public init(
        name: String, group: String, summary: String, layouts: [String], worstDifference: Float, published: [PublishedCheckpoint],
        recognises: @escaping @Sendable (ModelFolder) -> Bool, load: @escaping @Sendable (ModelFolder) throws -> LoadedModel
    ) {
        (self.name, self.group, self.summary, self.layouts) = (name, group, summary, layouts)
        (self.worstDifference, self.published, self.recognises, self.load) = (worstDifference, published, recognises, load)
    }
}

/// A checkpoint that its authors published: its name on the hub, its licence, and the fields of its `config.json` that shape
/// the network.
public struct PublishedCheckpoint: Sendable, Hashable {
    public let name: String
    public let licence: String
    public let config: String

    public init(_ name: String, licence: String, config: String) {
        (self.name, self.licence, self.config) = (name, licence, config)
    }
}
