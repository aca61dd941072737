import ModelKit
import Tensors

/// A frozen text tower's vectors of all texts of the data, computed once. In parts that don't depend on where a run begins, so that a
/// restart has the same bits.
struct FrozenTexts {
    private let rows: [String: Int64]
    /// `[texts, width]`
    private let vectors: Tensor

    private static let together = 128

    init(_ texts: [String], _ encoder: any TextEncoder, tokenizer: any TextEncoder) throws {
        // Neighbours of one length have little padding.
        let sorted = Set(texts).sorted { ($0.utf8.count, $0) < ($1.utf8.count, $1) }
        vectors = try Tensor.withoutRecording { () throws -> Tensor in
            try Tensor.concatenated(
                stride(from: 0, to: sorted.count, by: Self.together).map {
                    try encoder.embed(tokenizer.tokenize(Array(sorted[$0..<min(sorted.count, $0 + Self.together)])))
                })
        }
        rows = Dictionary(uniqueKeysWithValues: zip(sorted, sorted.indices.map(Int64.init)))
    }

    /// `[texts, width]`; nil where one of them isn't known.
    func embed(_ texts: [String]) throws -> Tensor? {
        let places = texts.compactMap { rows[$0] }
        return places.count == texts.count ? try vectors.gathered(Tensor(places, [places.count])) : nil
    }
}
