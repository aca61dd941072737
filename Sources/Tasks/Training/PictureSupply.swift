import Checkpoints
import Foundation
import ModelKit
import Tensors
import TrainingData

/// Batches of pictures with their captions, decoded and augmented ahead by threads, from any source that `TrainingData` reads. A restart goes
/// on behind the last batch that was saved.
public final class PictureSupply: PairSupply, ViewSupply {
    private let source: any SampleSource
    private let plan: LoadingPlan
    private let seed: UInt64
    private var loader: BatchLoader?
    private var position: DataPosition?
    /// Told of every sample that is passed over.
    private let onDamage: (DataError) -> Void

    /// - Parameter plan: for pairs one view of pictures, a second for a live teacher, none for stored features; its epochs are set to
    ///   endless.
    public init(_ source: any SampleSource, _ plan: LoadingPlan, seed: UInt64, onDamage: @escaping (DataError) -> Void) {
        (self.source, self.seed, self.onDamage) = (source, seed, onDamage)
        self.plan = {
            var plan = plan
            plan.epochs = nil
            return plan
        }()
    }

    /// Samples of an epoch; nil for shards, which aren't counted.
    public var count: Int? { (source as? any IndexedSource)?.count }

    /// Steps come one after another, so their number isn't looked at.
    private func next() throws -> Batch {
        if loader == nil { loader = try position.map { try BatchLoader(source, plan, from: $0) } ?? BatchLoader(source, plan, seed: seed) }
        guard let batch = try loader?.nextBatch() else { throw TrainingError.data("\(source.path): there are no more samples") }
        batch.damaged.forEach(onDamage)
        position = batch.position
        return batch
    }

    public func views(step: Int, part: Int) throws -> ViewBatch {
        let batch = try next()
        guard !batch.pictures.isEmpty else { throw TrainingError.data("\(source.path): pictures are expected, not features") }
        return ViewBatch(views: batch.pictures, name: batch.name)
    }

    public func batch(step: Int, part: Int) throws -> PairBatch {
        let batch = try next()
        var owners: [Int] = [], texts: [String] = []
        for (place, example) in batch.examples.enumerated() {
            for caption in example.captions {
                owners.append(place)
                texts.append(caption.text)
            }
        }
        let shown = try batch.pictures.map { pixels in try (0..<batch.count).map { try pixels.selected(0, $0) } }
        let pictures: PairBatch.Pictures =
            if let features = batch.features {
                .features(features)
            } else if let own = shown.first {
                .prepared(own)
            } else {
                throw TrainingError.data("\(source.path): the plan shows the network nothing of a picture")
            }
        var pairs = PairBatch(
            pictures: pictures, owners: owners, texts: texts, identities: batch.examples.map { Int(truncatingIfNeeded: $0.key) },
            name: batch.name)
        if shown.count > 1 { pairs.shownToTeacher = shown[1] }
        return pairs
    }

    public var state: [String: Tensor] {
        // Sorted, so that equal places are equal bytes.
        let encoder = JSONEncoder()
        encoder.outputFormatting = .sortedKeys
        guard let position, let bytes = try? encoder.encode(position) else { return [:] }
        return (try? Tensor([UInt8](bytes), [bytes.count])).map { ["position": $0] } ?? [:]
    }

    public func restore(_ state: [String: Tensor]) throws {
        guard let saved = state["position"] else { return }
        let bytes = saved.asType(.u8).withElements(UInt8.self) { Data($0) }
        do { position = try JSONDecoder().decode(DataPosition.self, from: bytes) } catch {
            throw TrainingError.data("the checkpoint's place in the data can't be read: \(error)")
        }
        loader?.cancel()
        loader = nil
    }
}

extension Batch {
    /// For messages.
    fileprivate var name: String { "epoch \(epoch + 1), batch \(index + 1), from \(examples.first?.id ?? "?") on" }
}
