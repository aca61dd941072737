import ModelKit
import Pipelines
import Tensors

/// Classes told apart by words alone (Radford et al. 2021, 3.1), as CLIP_benchmark and open_clip measure it.
public enum ZeroShot {
    /// Unit vectors `[classes, dimension]`: of each class the sentences' normalised embeddings averaged and normalised again.
    /// - Parameters:
    ///   - names: the words that stand for the classes.
    ///   - progress: takes the number of classes that are done.
    public static func classVectors(
        _ names: [String], templates: (String) -> PromptTemplates, encoder: any TextEncoder, progress: (Int) -> Void = { _ in }
    ) throws -> Tensor {
        var rows: [Tensor] = []
        for name in names {
            var sentences = templates(name).prompts(for: name)[...], vectors: [Tensor] = []
            while !sentences.isEmpty {
                vectors.append(try encoder.embed(texts: Array(sentences.prefix(batch))).unitLength())
                sentences = sentences.dropFirst(batch)
            }
            rows.append(try Tensor.concatenated(vectors).mean([0]))
            progress(rows.count)
        }
        return try Tensor.stacked(rows).unitLength()
    }

    private static let batch = 64

    /// The rank, from 1, of each picture's own class; of classes equally near the first counts as nearer.
    /// - Parameters:
    ///   - images: `[n, dimension]`.
    ///   - classVectors: `[classes, dimension]`; both are scaled to unit length here.
    ///   - labels: n classes.
    public static func ranks(images: Tensor, classVectors: Tensor, labels: [Int]) throws -> [Int] {
        let (images, classes) = try Embeddings.pair(images, "the pictures' embeddings", classVectors, "the classes' embeddings")
        guard images.dim(0) == labels.count else {
            throw EvaluationError.unusable("\(images.dim(0)) rows of pictures' embeddings for \(labels.count) labels")
        }
        if let bad = labels.first(where: { $0 < 0 || $0 >= classes.dim(0) }) {
            throw EvaluationError.unusable("class \(bad) has no embedding: there are \(classes.dim(0))")
        }
        return try Ranking.ranks(queries: images.unitLength(), candidates: classes.unitLength(), relevant: labels.map { [$0] })
    }
}
