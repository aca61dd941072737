import Foundation
import Imaging

/// Files that hold a part of a data set each.
enum ShardNames {
    /// - Parameters:
    ///   - path: a file, a folder of files, or names with braces (`shard-{000..012}.tar`), several joined by `::`.
    ///   - nothing: what is said of a folder without any.
    ///   - isShard: which files of a folder, by their names.
    static func find(_ path: String, _ nothing: String, _ isShard: (String) -> Bool) throws(DataError) -> [String] {
        var shards: [String] = []
        for part in path.components(separatedBy: "::") {
            if FolderListing.isFolder(part) {
                let names = try FolderListing.list(FilePath(part)).files.map { String(decoding: $0, as: UTF8.self) }
                shards += names.filter(isShard).map { FileName.resolve($0, in: part).description }
            } else {
                do throws(BraceExpansion.Problem) {
                    shards += try BraceExpansion.expand(part)
                } catch {
                    throw DataError(part, error.text)
                }
            }
        }
        guard !shards.isEmpty else { throw DataError(path, nothing) }
        guard shards.count <= BraceExpansion.most else { throw DataError(path, "more than \(BraceExpansion.most) shards") }
        return shards
    }
}
