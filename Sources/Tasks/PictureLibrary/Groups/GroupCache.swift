import GRDB
import Synchronization

/// What a library was like: groups that were worked out hold as long as it stays so.
struct LibraryState: Sendable, Equatable {
    var identity: Int64
    var files: Int
    var last: Int64
    var changed: Double
    var vectors: Int
}

extension Library {
    func state(_ active: IdentityRow) throws(LibraryError) -> LibraryState {
        try database.read { database in
            let row = try Row.fetchOne(
                database,
                sql:
                    "SELECT COUNT(*) AS files, coalesce(MAX(id), 0) AS last, coalesce(MAX(changed_at), 0) AS changed FROM file WHERE state = 'indexed'"
            )
            return LibraryState(
                identity: active.id, files: row?["files"] ?? 0, last: row?["last"] ?? 0, changed: row?["changed"] ?? 0,
                vectors: try database.vectorCount(identity: active.id))
        }
    }
}

/// The groups asked for last, of each kind.
final class GroupCache: Sendable {
    private struct Kept: Sendable {
        var duplicates: (state: LibraryState, threshold: Double, found: DuplicateFindings)?
        var clusters: (state: LibraryState, count: Int?, isNamed: Bool, found: ClusterFindings)?
    }

    private let kept = Mutex(Kept())

    func duplicates(_ state: LibraryState, _ threshold: Double) -> DuplicateFindings? {
        kept.withLock { kept in kept.duplicates.flatMap { $0.state == state && $0.threshold == threshold ? $0.found : nil } }
    }

    func keep(_ found: DuplicateFindings, _ state: LibraryState, _ threshold: Double) {
        kept.withLock { $0.duplicates = (state, threshold, found) }
    }

    func clusters(_ state: LibraryState, _ count: Int?, _ isNamed: Bool) -> ClusterFindings? {
        kept.withLock { kept in
            kept.clusters.flatMap { $0.state == state && $0.count == count && $0.isNamed == isNamed ? $0.found : nil }
        }
    }

    func keep(_ found: ClusterFindings, _ state: LibraryState, _ count: Int?, _ isNamed: Bool) {
        kept.withLock { $0.clusters = (state, count, isNamed, found) }
    }
}
