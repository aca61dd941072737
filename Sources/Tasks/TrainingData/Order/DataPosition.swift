/// Where a run stands in its data. A loader that starts from it gives the very batches that would have come next.
public struct DataPosition: Sendable, Equatable, Codable {
    /// Of the whole run: order, captions and augmentation follow from it.
    public var seed: UInt64
    /// Epochs that are over.
    public var epoch: Int
    /// Batches given in this epoch.
    public var batch: Int
    /// Samples drawn in this epoch, damaged ones with them.
    public var drawn: Int
    /// Damaged samples met in this epoch.
    public var damaged: Int
    /// Of the source; nil before the first batch.
    public var source: String?

    public init(seed: UInt64) {
        self.seed = seed
        (epoch, batch, drawn, damaged) = (0, 0, 0, 0)
    }

    mutating func nextEpoch() {
        epoch += 1
        (batch, drawn, damaged) = (0, 0, 0)
    }

    /// Positions come from checkpoints, which may be damaged.
    func check(_ source: any SampleSource) throws(DataError) {
        guard epoch >= 0, batch >= 0, drawn >= 0, damaged >= 0, damaged <= drawn, batch <= drawn else {
            throw DataError(source.path, field: "position", "epoch \(epoch), batch \(batch), sample \(drawn) is no place in a run")
        }
        if let expected = self.source, expected != source.fingerprint {
            throw DataError(
                source.path, field: "position",
                "the data changed since the run was saved (\(expected), now \(source.fingerprint)): start a new run, or restore the data")
        }
    }
}
