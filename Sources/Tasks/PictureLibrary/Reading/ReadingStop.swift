import Synchronization

/// Says that a run should end.
final class ReadingStop: Sendable {
    private let flag = Atomic(false)

    var isRequested: Bool {
        get { flag.load(ordering: .acquiring) }
        set { flag.store(newValue, ordering: .releasing) }
    }
}
