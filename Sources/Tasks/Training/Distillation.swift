import ModelKit
import Tensors

/// A teacher's vectors of one batch, constants; nil where it can't tell.
public struct Taught: Sendable {
    /// `[pictures, width]`
    public var pictures: Tensor?
    /// `[texts, width]`
    public var texts: Tensor?
    /// What the teacher multiplies cosines with.
    public var scale: Float?

    public init(pictures: Tensor? = nil, texts: Tensor? = nil, scale: Float? = nil) {
        (self.pictures, self.texts, self.scale) = (pictures, texts, scale)
    }
}

/// How a student follows a teacher, by the weights of the losses; those of weight 0 are left out. Stored and live teachers share them.
public struct Distillation: Sendable, Hashable {
    /// Of `1 - cosine` between vectors of one length, of pictures and of texts.
    public var cosine: Float = 0
    /// Of the mean square of the difference of unit vectors of one length, of pictures and of texts (CLIP-KD's features).
    public var square: Float = 0
    /// Of the divergence between matrices of pictures and texts; vectors may have any length.
    public var affinity: Float = 0
    /// Of the divergence between matrices of pictures and pictures: for teachers without words.
    public var relations: Float = 0
    /// Of the matrices' softmax; nil takes each model's own scale, the student's where the teacher has none.
    public var temperature: Float?

    public init() {}

    public var isEmpty: Bool { cosine == 0 && square == 0 && affinity == 0 && relations == 0 }
    var wantsTexts: Bool { cosine > 0 || square > 0 || affinity > 0 }

    /// - Parameters:
    ///   - images: of the student, `[pictures, width]` of unit length; `texts` likewise.
    ///   - scale: what the student multiplies cosines with.
    func loss(_ images: Tensor, _ texts: Tensor, _ taught: Taught, scale: Tensor) throws -> Tensor {
        let pictures = taught.pictures?.unitLength(), words = taught.texts?.unitLength()
        var total = Tensor(Float(0))
        if cosine > 0 || square > 0 {
            for (found, wanted) in [(images, pictures), (texts, words)] {
                guard let wanted else { continue }
                guard wanted.shape == found.shape else {
                    throw TrainingError.data(
                        "the teacher's vectors are of shape \(wanted.shape), the student's \(found.shape): cosine and square want equal ones, affinity and relations any length"
                    )
                }
                if cosine > 0 { total = try total + Losses.cosine(found, wanted).scaled(by: cosine) }
                if square > 0 { total = try total + Losses.meanSquare(found, wanted).scaled(by: square) }
            }
        }
        let own = temperature.map { Tensor(1 / $0) } ?? scale
        let other = temperature.map { Tensor(1 / $0) } ?? taught.scale.map { Tensor($0) } ?? scale.detached()
        if affinity > 0 {
            guard let pictures, let words else {
                throw TrainingError.data("affinity compares pictures with texts, and the teacher has no texts: use relations")
            }
            let logits = try images.matmul(texts.transposed()) * own
            total = try total + Losses.affinity(logits, from: pictures.matmul(words.transposed()) * other).scaled(by: affinity)
        }
        if relations > 0, let pictures {
            let logits = try images.matmul(images.transposed()) * own
            total = try total + Losses.relations(logits, from: pictures.matmul(pictures.transposed()) * other).scaled(by: relations)
        }
        return total
    }
}

/// A model that is asked about each batch, without gradients.
public struct LiveTeacher: Sendable {
    private let model: LoadedModel

    /// Pictures or texts that go through it at a time.
    private static let together = 64

    /// Throws where it has no picture encoder.
    public init(_ model: LoadedModel) throws {
        guard model.image != nil else {
            throw RoleError(model: model.family, role: "teacher", reason: "it has no picture encoder")
        }
        self.model = model
    }

    func teach(_ batch: PairBatch, texts wanted: Bool) throws -> Taught {
        try Tensor.withoutRecording { () throws -> Taught in
            let words = model.textAbsence == nil && wanted ? model.text : nil
            return Taught(pictures: try pictures(batch), texts: try words.map { try texts(batch, $0) }, scale: model.similarity?.scale)
        }
    }

    private func pictures(_ batch: PairBatch) throws -> Tensor {
        if case let .features(features) = batch.pictures {
            guard let staged = model.image as? any StagedImageEncoder else {
                throw TrainingError.data("\(model.family) can't teach from stored features: store its vectors, or train on pictures")
            }
            return try staged.embed(features: features)
        }
        guard let shown = batch.shownToTeacher, let image = model.image else {
            throw TrainingError.data("\(batch.name): the teacher is shown no pictures")
        }
        return try Tensor.concatenated(
            stride(from: 0, to: shown.count, by: Self.together).map { start in
                try image.embed(Array(shown[start..<min(shown.count, start + Self.together)]))
            })
    }

    private func texts(_ batch: PairBatch, _ encoder: any TextEncoder) throws -> Tensor {
        try Tensor.concatenated(
            stride(from: 0, to: batch.texts.count, by: Self.together).map { start in
                try encoder.embed(texts: Array(batch.texts[start..<min(batch.texts.count, start + Self.together)]))
            })
    }
}
