import Foundation
import GRDB
import Imaging
import Pipelines
import Tensors
import VectorIndex

/// Pictures that belong together by what they show.
public struct PictureCluster: Sendable, Equatable {
    /// What tells them from the others, the most telling first; empty where nothing does.
    public var words: [String]
    /// Nearest to the middle first.
    public var pictures: [PictureEntry]
}

public struct ClusterFindings: Sendable, Equatable {
    /// The largest first.
    public var clusters: [PictureCluster]
    /// Pictures in them; of larger libraries a part, evenly taken.
    public var clustered: Int
    /// Pictures of the library that have a vector.
    public var pictures: Int
}

extension Library {
    public static let mostClusters = 200
    /// Pictures that clusters are found from.
    static let clusterSample = 20_000
    /// Pictures that are put into them.
    static let mostClustered = 200_000
    private static let readAtOnce = 4_096
    private static let seed: UInt64 = 20_261_122

    /// As many clusters as suit so many pictures.
    static func clusterCount(_ pictures: Int) -> Int { min(64, max(1, Int((Double(pictures) / 2).squareRoot().rounded()))) }

    /// Groups of pictures by what they show, named by the words about them. Kept until the library changes.
    /// - Parameters:
    ///   - count: Of clusters; nil for as many as suit.
    ///   - embedder: The active index's, for names of pictures of which nothing is written.
    /// - Throws: `.noActiveIndex` before anything was indexed.
    public func clusters(count: Int? = nil, embedder: (any Embedder)? = nil) throws(LibraryError) -> ClusterFindings {
        if let count, !(1...Self.mostClusters).contains(count) {
            throw .badQuery(reason: "the number of clusters must be 1 to \(Self.mostClusters)")
        }
        guard let active = try database.read({ try $0.activeIdentity() }) else { throw .noActiveIndex(path: path.display) }
        let state = try state(active), isNamed = embedder?.identity.embedsText == true
        if let known = groups.clusters(state, count, isNamed) { return known }
        let found: ClusterFindings
        do { found = try cluster(active, count, isNamed ? embedder : nil) } catch let error as IndexError {
            throw LibraryError(vectors: error, identity: active.identity, path: indexes.path(active))
        } catch {
            throw LibraryError(error, at: path.display)
        }
        groups.keep(found, state, count, isNamed)
        return found
    }

    private func cluster(_ active: IdentityRow, _ count: Int?, _ embedder: (any Embedder)?) throws -> ClusterFindings {
        let index = try indexes.open(active), live = try database.read { try CandidateCondition(Query()).contentIDs($0) }
        let all = try index.ids().filter(live.contains), taken = Self.evenly(all, Self.mostClustered)
        guard !taken.isEmpty else { return ClusterFindings(clusters: [], clustered: 0, pictures: 0) }
        let sample = try index.vectors(ids: Self.evenly(taken, Self.clusterSample)).vectors
        let clustering = try SphericalClustering(
            sample, count: min(sample.dim(0), count ?? Self.clusterCount(taken.count)), seed: Self.seed)
        var members = [[(id: Int64, cosine: Float)]](repeating: [], count: clustering.centres.dim(0))
        for start in stride(from: 0, to: taken.count, by: Self.readAtOnce) {
            let stored = try index.vectors(ids: Array(taken[start..<min(taken.count, start + Self.readAtOnce)]))
            for (id, found) in zip(stored.ids, try clustering.nearest(stored.vectors)) { members[found.centre].append((id, found.cosine)) }
        }
        let order = members.indices.filter { !members[$0].isEmpty }.sorted { (members[$1].count, $0) < (members[$0].count, $1) }
        let contents = order.map { members[$0].sorted { ($1.cosine, $0.id) < ($0.cosine, $1.id) }.map(\.id) }
        let shown = try contents.map { try entries($0) }
        var names = ClusterNames.words(shown.map { $0.map(\.words) })
        if let embedder, names.contains(where: \.isEmpty) {
            let subjects = try self.subjects(of: clustering.centres, embedder)
            for (place, centre) in order.enumerated() where names[place].isEmpty { names[place] = subjects[centre] }
        }
        return ClusterFindings(
            clusters: zip(names, shown).map { PictureCluster(words: $0, pictures: $1.map(\.entry)) }, clustered: taken.count,
            pictures: all.count)
    }

    private static func evenly(_ ids: [Int64], _ most: Int) -> [Int64] {
        ids.count <= most ? ids : (0..<most).map { ids[$0 * ids.count / most] }
    }

    /// Of each centre the subjects to which it is nearer than the others are.
    private func subjects(of centres: Tensor, _ embedder: any Embedder) throws -> [[String]] {
        let texts = try embedder.embed(texts: ClusterNames.subjects), width = ClusterNames.subjects.count, count = centres.dim(0)
        let cosines = try centres.matmul(texts.transposed()).floats()  // [centres, subjects]
        let means = (0..<width).map { subject in
            (0..<count).reduce(Float(0)) { $0 + cosines[$1 * width + subject] } / Float(count)
        }
        return (0..<count).map { centre in
            let scored = (0..<width).map { (subject: $0, score: cosines[centre * width + $0] - (count > 1 ? means[$0] : 0)) }
            return scored.sorted { ($1.score, $0.subject) < ($0.score, $1.subject) }.prefix(2).map { ClusterNames.subjects[$0.subject] }
        }
    }

    /// The first file of each content, with the words about it: title, tags and folder.
    private func entries(_ contents: [Int64]) throws(LibraryError) -> [(entry: PictureEntry, words: String)] {
        var found: [Int64: (entry: PictureEntry, words: String)] = [:]
        // SQLite takes a bounded number of values in a statement.
        for start in stride(from: 0, to: contents.count, by: 500) {
            let part = Array(contents[start..<min(start + 500, contents.count)])
            let rows = try database.read { database in
                try Row.fetchAll(
                    database,
                    sql: """
                        SELECT \(PictureEntry.columns), f.content_id AS content, f.tags AS tags, f.folder AS folder FROM \(CandidateCondition.join)
                        WHERE f.state = 'indexed' AND f.content_id IN (\(part.map { _ in "?" }.joined(separator: ", "))) ORDER BY f.id
                        """, arguments: StatementArguments(part)
                ).map { row in
                    let entry = PictureEntry(row), folder = FilePath(row["folder"] as Data).name.display
                    let words = [entry.title ?? "", PictureWords.tags(column: row["tags"]).joined(separator: ", "), folder]
                    return (content: row["content"] as Int64, entry: entry, words: words.joined(separator: "; "))
                }
            }
            for row in rows where found[row.content] == nil { found[row.content] = (row.entry, row.words) }
        }
        return contents.compactMap { found[$0] }
    }
}
