import Foundation

/// The samples of a run in their order, epoch after epoch. Drawn by one thread at a time.
final class SampleFeed {
    enum Event {
        case sample(SampleTicket, epoch: Int)
        case damaged(DataError)
        case endOfEpoch
    }

    private let source: any SampleSource
    private let plan: LoadingPlan
    private let seed: UInt64
    private var epoch: Int
    private var order: (any EpochOrder)?
    /// Samples of the first epoch that were used before.
    private var skipped: Int

    init(_ source: any SampleSource, _ plan: LoadingPlan, from position: DataPosition) {
        self.source = source
        self.plan = plan
        seed = position.seed
        epoch = position.epoch
        skipped = position.drawn
    }

    /// nil at the end of the run.
    func next() -> Event? {
        if let epochs = plan.epochs, epoch >= epochs { return nil }
        let order = self.order ?? begin()
        self.order = order
        switch order.next() {
        case let .success(ticket): return .sample(ticket, epoch: epoch)
        case let .failure(error): return .damaged(error)
        case nil:
            self.order = nil
            epoch += 1
            return .endOfEpoch
        }
    }

    private func begin() -> any EpochOrder {
        let order: any EpochOrder
        switch source {
        case let source as any IndexedSource:
            order = IndexedOrder(source, shuffled: plan.shuffles, seed: seed, epoch: epoch)
        case let source as any ShardedSource:
            let buffer = ShardedOrder.Buffer(samples: plan.bufferSamples, bytes: plan.bufferBytes)
            order = ShardedOrder(source, shuffled: plan.shuffles, buffer: buffer, seed: seed, epoch: epoch)
        default: preconditionFailure("a source is indexed or sharded")
        }
        order.skip(skipped)
        skipped = 0
        return order
    }
}
