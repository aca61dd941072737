import Imaging
import Pipelines
import Tensors

/// Vectors of words that were put through a text tower before the search that needs them.
public struct WordVectors: Sendable {
    /// Of the model that made them: after a change of model they mean nothing.
    let digest: String
    private var vectors: [String: [Float]] = [:]

    /// - Parameter rows: unit vectors of the texts, `[texts.count, dimension]`.
    init(_ texts: [String], _ rows: Tensor, digest: String) {
        self.digest = digest
        let values = rows.floats(), width = rows.dim(1)
        for (row, text) in texts.enumerated() { vectors[text] = Array(values[row * width..<(row + 1) * width]) }
    }

    /// nil where one of the texts isn't among them.
    func rows(_ texts: [String]) throws -> Tensor? {
        let found = texts.compactMap { vectors[$0] }
        guard found.count == texts.count, let width = found.first?.count else { return nil }
        return try Tensor(found.flatMap { $0 }, [found.count, width])
    }
}

/// An embedder that knows some words' vectors already.
struct ForesightedEmbedder: Embedder {
    let base: any Embedder
    let words: WordVectors

    var identity: EmbedderIdentity { base.identity }
    var shortestUsefulSide: Int { base.shortestUsefulSide }
    func prepare(_ picture: Picture) throws -> Tensor { try base.prepare(picture) }
    func embed(_ prepared: [Tensor]) throws -> Tensor { try base.embed(prepared) }
    func embed(texts: [String]) throws -> Tensor { try words.rows(texts) ?? base.embed(texts: texts) }
}
