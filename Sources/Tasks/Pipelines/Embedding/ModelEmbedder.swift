import Imaging
import ModelKit
import Tensors

/// The `Embedder` that a loaded model makes.
public struct ModelEmbedder: Embedder {
    public let identity: EmbedderIdentity
    private let image: any ImageEncoder
    private let text: (any TextEncoder)?
    private let textAbsence: String

    /// - Parameters:
    ///   - name: for people: the catalogue name or the folder's.
    ///   - weightsDigest: a digest of configuration and weights; the processor's fingerprint is added to it here.
    /// - Throws: `RoleError` where the model has no picture tower.
    public init(_ model: LoadedModel, name: String, weightsDigest: String) throws {
        guard let image = model.image else {
            throw RoleError(model: model.family, role: "picture encoder", reason: "the checkpoint holds no picture tower")
        }
        self.image = image
        text = model.text
        textAbsence = model.textAbsence ?? "\(model.family) has no text tower"
        let canEmbedText = model.text != nil && model.textAbsence == nil
        identity = EmbedderIdentity(
            name: name, digest: StableDigest.hex(weightsDigest + "|" + image.preprocessing), dimension: image.dimension,
            embedsText: canEmbedText)
    }

    public var shortestUsefulSide: Int { image.shortestUsefulSide }
    public func prepare(_ picture: Picture) throws -> Tensor { try image.prepare(picture) }

    public func embed(_ prepared: [Tensor]) throws -> Tensor {
        if prepared.isEmpty { return Tensor.zeros([0, identity.dimension]) }
        return try image.embed(prepared).unitLength()
    }

    public func embed(texts: [String]) throws -> Tensor {
        guard let text, identity.embedsText else { throw RoleError(model: identity.name, role: "text encoder", reason: textAbsence) }
        if texts.isEmpty { return Tensor.zeros([0, identity.dimension]) }
        return try text.embed(texts: texts).unitLength()
    }

    /// Tokens that texts become, those that fill a batch left out where the model says which they are.
    public func tokenCount(_ texts: [String]) throws -> Int {
        guard let text, identity.embedsText else { throw RoleError(model: identity.name, role: "text encoder", reason: textAbsence) }
        let batch = try text.tokenize(texts)
        return batch.mask.map { $0.ints().reduce(0, +) } ?? batch.ids.count
    }
}
