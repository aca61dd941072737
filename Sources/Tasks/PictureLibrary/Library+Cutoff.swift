import GRDB
import Imaging
import Pipelines
import Synchronization
import Tensors
import VectorIndex

/// What was worked out for the cut-off of one index: kept until the number of its vectors changes.
final class BackgroundCache: Sendable {
    struct Sample: Sendable {
        var identity: Int64
        var count: Int
        /// Unit vectors `[n, dimension]`.
        var vectors: Tensor
    }

    private let kept = Mutex<(sample: Sample?, texts: (digest: String, vectors: Tensor)?)>((nil, nil))

    func sample(identity: Int64, count: Int) -> Sample? {
        kept.withLock { kept in kept.sample.flatMap { $0.identity == identity && $0.count == count ? $0 : nil } }
    }
    func keep(_ sample: Sample) { kept.withLock { $0.sample = sample } }
    func texts(_ digest: String) -> Tensor? { kept.withLock { kept in kept.texts.flatMap { $0.digest == digest ? $0.vectors : nil } } }
    func keep(_ vectors: Tensor, of digest: String) { kept.withLock { $0.texts = (digest, vectors) } }
}

extension Library {
    /// Where the hits of a query end; nil without vectors, and where nothing is to be cut.
    /// - Parameters:
    ///   - best: The nearest candidates.
    ///   - candidates: What passes the filters; nil for all.
    ///   - embedder: Where words are behind the query's vector.
    func cutoff(
        _ cutoff: Cutoff, _ target: Target?, best: [Hit], candidates: IDSet?, textsBy embedder: (any Embedder)?
    ) throws(LibraryError) -> CutoffReport? {
        guard let target else { return nil }
        switch cutoff {
        case .off: return nil
        case .similarity(let least): return CutoffReport(threshold: least)
        case .auto: break
        }
        let index = try indexes.open(target.identity), count = candidates?.count ?? index.count
        do {
            let sample = try count >= Background.leastSample ? sample(index, target.identity, candidates) : nil
            guard let sample, sample.dim(0) >= Background.leastSample else {
                return CutoffReport(
                    reason: "\(count) pictures are too few to tell what chance would find; \(Background.leastSample) are needed")
            }
            let own = try sample.matmul(Tensor(target.vector, [target.vector.count, 1])).floats()
            let similarities = try background(sample, embedder).matmul(sample.transposed()).floats()
            let background = Background(
                stride(from: 0, to: similarities.count, by: own.count).map { Array(similarities[$0..<$0 + own.count]) })
            return background.cutoff(best: best.lazy.map { Double($0.score) }, own: own, candidates: count)
        } catch let error as IndexError {
            throw LibraryError(vectors: error, identity: target.identity.identity, path: indexes.path(target.identity))
        } catch {
            throw LibraryError(error, at: path.display)
        }
    }

    /// Vectors of candidates, evenly among their ids.
    private func sample(_ index: any NearestNeighborIndex, _ identity: IdentityRow, _ candidates: IDSet?) throws -> Tensor {
        let count = index.count
        if candidates == nil, let known = backgrounds.sample(identity: identity.id, count: count) { return known.vectors }
        let ids = try candidates?.sorted ?? index.ids(), size = min(ids.count, Background.sample)
        let chosen = (0..<size).map { ids[$0 * ids.count / size] }
        let vectors = try index.vectors(ids: chosen).vectors
        if candidates == nil { backgrounds.keep(.init(identity: identity.id, count: count, vectors: vectors)) }
        return vectors
    }

    /// Vectors of queries with which most pictures have nothing to do: texts, or pictures of the sample.
    private func background(_ sample: Tensor, _ embedder: (any Embedder)?) throws -> Tensor {
        guard let embedder else {
            let count = sample.dim(0), size = min(count, Background.pictureQueries), width = sample.dim(1)
            return try .stacked((0..<size).map { try sample.sliced(0, $0 * count / size..<$0 * count / size + 1).reshaped([width]) })
        }
        if let known = backgrounds.texts(embedder.identity.digest) { return known }
        let vectors: Tensor
        do { vectors = try embedder.embed(texts: BackgroundTexts.all) } catch {
            throw LibraryError.embedder(name: embedder.identity.name, reason: "\(error)")
        }
        backgrounds.keep(vectors, of: embedder.identity.digest)
        return vectors
    }
}
