import Imaging
import Layers
import Tensors

/// Pictures to vectors.
public protocol ImageEncoder: Sendable {
    /// Length of an embedding.
    var dimension: Int { get }
    /// A decoder may shrink a picture as long as its shorter side keeps at least this many pixels.
    var shortestUsefulSide: Int { get }
    /// What is done to the pixels, in words that change whenever the result does: part of an embedder's identity.
    var preprocessing: String { get }
    /// What the network takes, from one picture.
    func prepare(_ picture: Picture) throws -> Tensor
    /// Embeddings `[n, dimension]` of n prepared pictures, not normalised.
    func embed(_ prepared: [Tensor]) throws -> Tensor
}

/// An encoder whose pictures all have one size: `[batch, 3, height, width]` in, `[batch, dimension]` out.
public protocol FixedSizeImageEncoder: ImageEncoder {
    var transform: ImageTransform { get }
    func embed(pixels: Tensor) throws -> Tensor
}

extension FixedSizeImageEncoder {
    /// A transform that takes every pixel as it is lets nothing shrink.
    public var shortestUsefulSide: Int { transform.shortestUsefulSide ?? ImageTransform.longestSide }
    public var preprocessing: String { transform.fingerprint }
    public func prepare(_ picture: Picture) throws -> Tensor { try transform.apply(picture) }
    public func embed(_ prepared: [Tensor]) throws -> Tensor { try embed(pixels: Tensor.stacked(prepared)) }
}

/// An encoder that sees a picture as a grid of square patches, which training may hide.
public protocol PatchImageEncoder: FixedSizeImageEncoder {
    /// Sides of a picture and of a patch in pixels, as the checkpoint's positions have them; other pictures of whole patches are taken too.
    var pictureSide: Int { get }
    var patchSide: Int { get }
    /// Where a checkpoint keeps the token that stands for a hidden patch, and its shape.
    var maskToken: (name: String, shape: [Int]) { get }
    /// What becomes of each patch `[batch, patches, dimension]`, row by row.
    /// - Parameter hidden: f32 `[batch, patches]`, 1 where the mask token stands in a patch's place. Throws where the checkpoint has none.
    func patches(pixels: Tensor, hidden: Tensor?) throws -> Tensor
}

extension PatchImageEncoder {
    /// Embedded patches `[batch, patches, width]` with `token` in the place of hidden ones.
    package func hiding(_ hidden: Tensor?, of embedded: Tensor, behind token: Tensor?, model: String) throws -> Tensor {
        guard let hidden else { return embedded }
        guard let token else { throw RoleError(model: model, role: "masked encoder", reason: "the checkpoint has no \(maskToken.name)") }
        let share = try hidden.expandedDim(2)
        return try embedded * share.negated().adding(1) + token.reshaped([1, 1, token.dim(-1)]) * share
    }

    /// A class token's and patches' positions `[1, 1 + side * side, width]` for a grid of `rows` x `columns`: interpolated where it is
    /// another one (bicubic), as `interpolate_pos_encoding` of transformers has it.
    package func resized(_ positions: Tensor, rows: Int, columns: Int, antialias: Bool = false) throws -> Tensor {
        let side = pictureSide / patchSide, width = positions.dim(2)
        if rows == side && columns == side { return positions }
        let grid = try positions.sliced(1, 1..<side * side + 1).reshaped([1, side, side, width]).permuted([0, 3, 1, 2])
        let fitted = try grid.interpolated(height: rows, width: columns, .bicubic, antialias: antialias)
        let flat = try fitted.permuted([0, 2, 3, 1]).reshaped([1, rows * columns, width])
        return try .concatenated([positions.sliced(1, 0..<1), flat], axis: 1)
    }
}

/// A picture encoder in two stages: a tower, often frozen, whose outputs can be kept, and what is learnt on top of it.
public protocol StagedImageEncoder: ImageEncoder {
    /// What the tower gives for n prepared pictures, `[n, ...]`.
    func features(_ prepared: [Tensor]) throws -> Tensor
    /// Embeddings `[n, dimension]` from features, not normalised.
    func embed(features: Tensor) throws -> Tensor
}

/// Token ids `[n, length]` i64 and, for models that want one, the mask of real tokens `[n, length]` i64.
public struct TokenBatch: Sendable {
    public var ids: Tensor
    public var mask: Tensor?

    public init(ids: Tensor, mask: Tensor? = nil) {
        self.ids = ids
        self.mask = mask
    }
}

/// Words to vectors.
public protocol TextEncoder: Sendable {
    var dimension: Int { get }
    /// The tokens of each text, padded to a common length and cut to what the model can take.
    func tokenize(_ texts: [String]) throws -> TokenBatch
    /// Embeddings `[n, dimension]`, not normalised.
    func embed(_ tokens: TokenBatch) throws -> Tensor
}

extension TextEncoder {
    public func embed(texts: [String]) throws -> Tensor { try embed(tokenize(texts)) }
}

/// Pictures to scores of named classes.
public protocol ImageClassifier: Sendable {
    /// Names of the classes by index; empty where the checkpoint has none.
    var labels: [String] { get }
    func prepare(_ picture: Picture) throws -> Tensor
    /// Logits `[n, classes]` of n prepared pictures.
    func logits(_ prepared: [Tensor]) throws -> Tensor
}

/// How a dual encoder turns cosines into logits: `scale * cosine + bias`, then softmax over texts, or a sigmoid each (SigLIP).
public struct Similarity: Sendable, Hashable {
    public enum Link: Sendable { case softmax, sigmoid }
    public var scale: Float
    public var bias: Float
    public var link: Link

    public init(scale: Float, bias: Float = 0, link: Link = .softmax) {
        (self.scale, self.bias, self.link) = (scale, bias, link)
    }
}

/// A loaded model, by the roles it can play.
public struct LoadedModel: Sendable {
    public var family: String
    public var image: (any ImageEncoder)?
    public var text: (any TextEncoder)?
    public var classifier: (any ImageClassifier)?
    public var language: (any LanguageModel)?
    public var reading: ReadingNetworks?
    public var similarity: Similarity?
    /// Why words can't be embedded although the family could: a checkpoint of one tower, no tokenizer files.
    public var textAbsence: String?

    public init(
        family: String, image: (any ImageEncoder)? = nil, text: (any TextEncoder)? = nil, classifier: (any ImageClassifier)? = nil,
        language: (any LanguageModel)? = nil, reading: ReadingNetworks? = nil, similarity: Similarity? = nil, textAbsence: String? = nil
    ) {
        (self.family, self.image, self.text, self.classifier) = (family, image, text, classifier)
        (self.language, self.reading, self.similarity, self.textAbsence) = (language, reading, similarity, textAbsence)
    }
}
