import GRDB
import Imaging
import Tensors
import VectorIndex

/// Pictures that look the same.
public struct DuplicateGroup: Sendable, Equatable {
    public struct Member: Sendable, Equatable {
        public var picture: PictureEntry
        /// Bytes of the file.
        public var size: Int64
        /// Cosine to the first of the group; 1 for equal bytes.
        public var similarity: Double
    }

    /// The one with most pixels first.
    public var members: [Member]
}

/// What a search for pictures that look the same has found.
public struct DuplicateFindings: Sendable, Equatable {
    /// The largest groups first.
    public var groups: [DuplicateGroup]
    /// Pictures that were compared with all others, the newest of the library.
    public var compared: Int
    /// Pictures of the library.
    public var pictures: Int
}

extension Library {
    /// Cosine from which on two pictures are taken for one.
    public static let sameAbove = 0.95
    /// More would take minutes.
    static let mostDuplicatesCompared = 50_000
    private static let comparedAtOnce = 64
    /// Larger groups are found through their members' neighbours.
    private static let neighbours = 12

    /// Groups of pictures that are connected by cosines of at least `threshold`, files with equal bytes among them. Kept until the library
    /// changes.
    /// - Throws: `.noActiveIndex` before anything was indexed.
    public func duplicates(threshold: Double = sameAbove) throws(LibraryError) -> DuplicateFindings {
        guard threshold > 0, threshold <= 1 else { throw .badQuery(reason: "the threshold must be above 0 and at most 1") }
        guard let active = try database.read({ try $0.activeIdentity() }) else { throw .noActiveIndex(path: path.display) }
        let state = try state(active)
        if let known = groups.duplicates(state, threshold) { return known }
        let found = try compare(active, Float(threshold))
        groups.keep(found, state, threshold)
        return found
    }

    private func compare(_ active: IdentityRow, _ threshold: Float) throws(LibraryError) -> DuplicateFindings {
        let (contents, copied, total) = try database.read { database in
            (
                try Int64.fetchAll(
                    database, sql: "SELECT id FROM content WHERE files > 0 ORDER BY id DESC LIMIT ?",
                    arguments: [Self.mostDuplicatesCompared]
                ), try Int64.fetchAll(database, sql: "SELECT id FROM content WHERE files > 1"),
                try Int.fetchOne(database, sql: "SELECT COUNT(*) FROM content WHERE files > 0") ?? 0
            )
        }
        let index = try indexes.open(active)
        var sets = DisjointSets()
        do {
            for start in stride(from: 0, to: contents.count, by: Self.comparedAtOnce) {
                let stored = try index.vectors(ids: Array(contents[start..<min(contents.count, start + Self.comparedAtOnce)]))
                guard !stored.ids.isEmpty else { continue }
                // One more than the neighbours: the picture finds itself.
                let found = try index.search(stored.vectors, k: Self.neighbours + 1, filter: nil)
                for (id, hits) in zip(stored.ids, found) {
                    for hit in hits where hit.id != id && hit.score >= threshold { sets.join(id, hit.id) }
                }
            }
            for id in copied { sets.add(id) }
            let groups = try sets.groups.map { try group($0, index) }.filter { $0.members.count > 1 }
            return DuplicateFindings(
                groups: groups.sorted { ($0.members.count, $1.members[0].picture.id) > ($1.members.count, $0.members[0].picture.id) },
                compared: contents.count, pictures: total)
        } catch let error as IndexError {
            throw LibraryError(vectors: error, identity: active.identity, path: indexes.path(active))
        } catch {
            throw LibraryError(error, at: path.display)
        }
    }

    private func group(_ contents: [Int64], _ index: any NearestNeighborIndex) throws -> DuplicateGroup {
        let rows = try database.read { database in
            try contents.flatMap { content in
                try Row.fetchAll(
                    database,
                    sql: """
                        SELECT \(PictureEntry.columns), f.content_id AS content, f.size AS size FROM \(CandidateCondition.join)
                        WHERE f.state = 'indexed' AND f.content_id = ? ORDER BY f.id
                        """, arguments: [content]
                ).map { (content: $0["content"] as Int64, size: $0["size"] as Int64, picture: PictureEntry($0)) }
            }
        }.sorted {
            ($0.picture.width * $0.picture.height, $0.size, $1.picture.id) > ($1.picture.width * $1.picture.height, $1.size, $0.picture.id)
        }
        guard let first = rows.first else { return DuplicateGroup(members: []) }
        let stored = try index.vectors(ids: contents), place = stored.ids.firstIndex(of: first.content)
        var similarities: [Int64: Double] = [:]
        if let place {
            let row = try stored.vectors.sliced(0, place..<place + 1)
            let products = try stored.vectors.matmul(row.transposed()).floats()
            for (id, product) in zip(stored.ids, products) { similarities[id] = Double(product) }
        }
        return DuplicateGroup(
            members: rows.map { row in
                let isSame = row.content == first.content
                return .init(picture: row.picture, size: row.size, similarity: isSame ? 1 : min(1, similarities[row.content] ?? 0))
            })
    }
}

/// Sets that are joined.
struct DisjointSets {
    private var parents: [Int64: Int64] = [:]

    mutating func add(_ id: Int64) { if parents[id] == nil { parents[id] = id } }

    private mutating func root(_ id: Int64) -> Int64 {
        var id = id
        while let parent = parents[id], parent != id {
            parents[id] = parents[parent]
            id = parent
        }
        return id
    }

    mutating func join(_ one: Int64, _ other: Int64) {
        add(one)
        add(other)
        let (a, b) = (root(one), root(other))
        parents[max(a, b)] = min(a, b)
    }

    /// Each ascending, by their least.
    var groups: [[Int64]] {
        var copy = self
        return Dictionary(grouping: parents.keys) { copy.root($0) }.sorted { $0.key < $1.key }.map { $0.value.sorted() }
    }
}
