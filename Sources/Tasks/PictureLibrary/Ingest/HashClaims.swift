import Foundation
import Synchronization

/// Which thread brings which bytes: of files with equal bytes only the first is decoded and embedded.
final class HashClaims: Sendable {
    private let claimed = Mutex<Set<Data>>([])

    /// Whether the caller is the first.
    func claim(_ hash: Data) -> Bool { claimed.withLock { $0.insert(hash).inserted } }

    /// The catalogue knows these bytes now.
    func release(_ hash: Data) { _ = claimed.withLock { $0.remove(hash) } }
}

/// A flag that threads share.
final class StopFlag: Sendable {
    private let value = Atomic(false)
    func set() { value.store(true, ordering: .releasing) }
    var isSet: Bool { value.load(ordering: .acquiring) }
}
