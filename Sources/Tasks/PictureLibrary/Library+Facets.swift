import Foundation
import GRDB
import Imaging

/// What filters can choose from, with the number of files of each.
public struct LibraryFacets: Sendable, Equatable {
    public struct Count<Value: Sendable & Equatable>: Sendable, Equatable {
        public var value: Value
        public var count: Int
    }

    /// Those that hold pictures themselves, by path.
    public var folders: [Count<FilePath>]
    /// The most frequent first.
    public var tags: [Count<String>]
    public var formats: [Count<String>]
}

extension Library {
    /// - Parameter limit: Of folders, and of tags: those with the most files.
    public func facets(limit: Int) throws(LibraryError) -> LibraryFacets {
        try database.read { database in
            let shown = "FROM file WHERE state = 'indexed'"
            let folders = try Row.fetchAll(
                database, sql: "SELECT folder, COUNT(*) AS count \(shown) GROUP BY folder ORDER BY count DESC, folder LIMIT ?",
                arguments: [limit]
            ).map { LibraryFacets.Count(value: FilePath($0["folder"] as Data), count: $0["count"]) }
            let formats = try Row.fetchAll(
                database,
                sql: "SELECT format, SUM(files) AS count FROM content WHERE files > 0 GROUP BY format ORDER BY count DESC, format"
            ).map { LibraryFacets.Count<String>(value: $0["format"], count: $0["count"]) }
            // A column holds the tags of a file, a line each.
            var tags: [String: Int] = [:]
            let columns = try Row.fetchCursor(database, sql: "SELECT tags, COUNT(*) AS count \(shown) AND tags != '' GROUP BY tags")
            while let row = try columns.next() {
                for tag in PictureWords.tags(column: row["tags"]) { tags[tag, default: 0] += row["count"] }
            }
            let frequent = tags.sorted { ($1.value, $0.key) < ($0.value, $1.key) }.prefix(limit)
            return LibraryFacets(
                folders: folders.sorted { $0.value < $1.value }, tags: frequent.map { LibraryFacets.Count(value: $0.key, count: $0.value) },
                formats: formats)
        }
    }
}
