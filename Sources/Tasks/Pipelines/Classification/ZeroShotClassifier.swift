import Imaging
import ModelKit
import Tensors

/// One label and how sure the model is of it.
public struct LabelScore: Sendable, Hashable {
    public var label: String
    /// 0...1: the softmax over all labels, or for SigLIP the sigmoid of each.
    public var score: Float
    /// Cosine of picture and label; for a trained classifier its logit.
    public var similarity: Float

    public init(label: String, score: Float, similarity: Float) {
        (self.label, self.score, self.similarity) = (label, score, similarity)
    }
}

/// Labels of pictures from words alone: nearest class vector of a dual encoder (Radford et al. 2021, 3.1).
public struct ZeroShotClassifier: Sendable {
    public let labels: [String]
    private let vectors: Tensor  // [labels, dimension], unit
    private let similarity: Similarity
    private let image: any ImageEncoder

    /// - Parameter templates: the sentences for a label; by default those of its language.
    public init(_ model: LoadedModel, labels: [String], templates: (String) -> PromptTemplates = PromptTemplates.fitting) throws {
        guard let image = model.image else {
            throw RoleError(model: model.family, role: "zero-shot classifier", reason: "the checkpoint holds no picture tower")
        }
        guard let text = model.text, model.textAbsence == nil else {
            throw RoleError(
                model: model.family, role: "zero-shot classifier",
                reason: model.textAbsence ?? "it has no text tower; give the labels' vectors instead")
        }
        var rows: [Tensor] = []
        for label in labels {
            let prompts = try text.embed(texts: templates(label).prompts(for: label)).unitLength()
            rows.append(try prompts.mean([0]))
        }
        self.init(image: image, labels: labels, vectors: try Tensor.stacked(rows), similarity: model.similarity ?? Similarity(scale: 100))
    }

    /// With class vectors from elsewhere, `[labels, dimension]`.
    public init(image: any ImageEncoder, labels: [String], vectors: Tensor, similarity: Similarity) {
        self.labels = labels
        self.vectors = vectors.unitLength()
        self.similarity = similarity
        self.image = image
    }

    /// All labels of each picture, best first.
    public func classify(_ pictures: [Picture]) throws -> [[LabelScore]] {
        try classify(embeddings: image.embed(pictures.map { try image.prepare($0) }))
    }

    /// The same from embeddings `[n, dimension]`.
    public func classify(embeddings: Tensor) throws -> [[LabelScore]] {
        let cosines = try embeddings.unitLength().matmul(vectors.transposed())  // [n, labels]
        let logits = cosines.scaled(by: similarity.scale).adding(similarity.bias)
        let scores = try similarity.link == .softmax ? logits.softmax() : logits.sigmoid()
        return rank(labels, scores: scores, similarities: cosines)
    }
}

/// Labels of pictures from a trained classifier's head.
public struct TrainedClassifier: Sendable {
    private let model: any ImageClassifier

    public init(_ model: LoadedModel) throws {
        guard let classifier = model.classifier else {
            throw RoleError(
                model: model.family, role: "classifier", reason: "the checkpoint has no classifier head; give labels to compare with")
        }
        self.model = classifier
    }

    /// The `count` best classes of each picture.
    public func classify(_ pictures: [Picture], count: Int) throws -> [[LabelScore]] {
        let logits = try model.logits(pictures.map { try model.prepare($0) })
        let labels = model.labels.isEmpty ? (0..<logits.dim(1)).map { "class \($0)" } : model.labels
        return rank(labels, scores: try logits.softmax(), similarities: logits).map { Array($0.prefix(count)) }
    }
}

private func rank(_ labels: [String], scores: Tensor, similarities: Tensor) -> [[LabelScore]] {
    let (p, s) = (scores.floats(), similarities.floats())
    return stride(from: 0, to: p.count, by: max(labels.count, 1)).map { start in
        labels.indices.map { LabelScore(label: labels[$0], score: p[start + $0], similarity: s[start + $0]) }
            .sorted { $0.similarity > $1.similarity }
    }
}
