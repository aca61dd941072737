import Imaging
import Tensors

/// What made an embedding: vectors of different identities are never compared.
public struct EmbedderIdentity: Sendable, Hashable, Codable {
    /// Name for people, as in the catalogue or the folder's name.
    public var name: String
    /// Digest over the configuration, processor and weights.
    public var digest: String
    public var dimension: Int
    /// Whether words can be embedded into the same space.
    public var embedsText: Bool

    public init(name: String, digest: String, dimension: Int, embedsText: Bool) {
        self.name = name
        self.digest = digest
        self.dimension = dimension
        self.embedsText = embedsText
    }
}

/// Pictures, and with a dual encoder words, to unit vectors of one space.
/// `prepare` is cheap enough to run on loading threads; `embed` runs the network on a batch.
public protocol Embedder: Sendable {
    var identity: EmbedderIdentity { get }
    /// Decoding may shrink a picture as long as its shorter side stays at least this long (pixels).
    var shortestUsefulSide: Int { get }
    /// Pixels of one picture as the network wants them, `[3, height, width]` f32 (or what `embed` of the same type takes).
    func prepare(_ picture: Picture) throws -> Tensor
    /// Unit vectors `[n, dimension]` f32 for n prepared pictures.
    func embed(_ prepared: [Tensor]) throws -> Tensor
    /// Unit vectors `[n, dimension]` f32 for n texts. Throws where `identity.embedsText` is false.
    func embed(texts: [String]) throws -> Tensor
}
