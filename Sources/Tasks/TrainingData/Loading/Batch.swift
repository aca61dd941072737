import Tensors

/// What is known of one sample of a batch beside its picture.
public struct Example: Sendable, Equatable {
    public let id: String
    /// Which sample of the source: the index, or shard and place in it.
    public let key: UInt64
    /// Those that the plan chose.
    public let captions: [Caption]
    public let label: Int?
}

/// Samples that are trained on together.
public struct Batch: Sendable {
    /// From 0.
    public let epoch: Int
    /// Within the epoch, from 0.
    public let index: Int
    public let examples: [Example]
    /// For each view of the plan: f32 `[examples, 3, height, width]`. Empty where there are no views or features stand for pictures.
    public let pictures: [Tensor]
    /// f32 `[examples, ...]`, where features stand for pictures.
    public let features: Tensor?
    /// Samples passed over since the batch before.
    public let damaged: [DataError]
    /// Where a run that saves itself after this batch goes on.
    public let position: DataPosition

    public var count: Int { examples.count }

    /// Class labels, nil when a sample has none.
    public var labels: [Int]? {
        let labels = examples.compactMap(\.label)
        return labels.count == examples.count ? labels : nil
    }
}

/// An epoch that is over.
public struct EpochReport: Sendable, Equatable {
    public let epoch: Int
    public let batches: Int
    /// Samples drawn, damaged ones and those left out at the end with them.
    public let drawn: Int
    public let damaged: Int
    /// The beginning of the next epoch.
    public let position: DataPosition
}

/// What a loader gives.
public enum Delivery: Sendable {
    case batch(Batch)
    case endOfEpoch(EpochReport)
}
