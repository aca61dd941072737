import Foundation
import GRDB
import Imaging
import Pipelines
import VectorIndex

extension Library {
    /// Rows that are read and written at once.
    private static let exportedAtOnce = 4_096

    /// Writes the vectors of all pictures that can be shown to an `.npy`, `.fvecs` or FAISS flat file, by ascending content id, which a
    /// FAISS file carries.
    /// - Parameter embedder: name or digest of the embedder; nil takes the active one.
    /// - Returns: The first path of each picture, row by row.
    public func exportVectors(to file: String, embedder: String? = nil) throws(LibraryError) -> [FilePath] {
        let row = try exported(embedder)
        let index = try indexes.open(row)
        let pictures = try database.read { database in
            try Row.fetchAll(
                database,
                sql: """
                    SELECT f.content_id AS id, MIN(f.path) AS path FROM file f JOIN vector v ON v.content_id = f.content_id
                    WHERE f.state = 'indexed' AND v.identity_id = ? GROUP BY f.content_id ORDER BY f.content_id
                    """, arguments: [row.id]
            ).map { (id: $0["id"] as Int64, path: FilePath($0["path"] as Data)) }
        }
        do {
            let writer = try VectorFileWriter(path: file, dimension: index.dimension, metric: index.metric, withIDs: true)
            for start in stride(from: 0, to: pictures.count, by: Self.exportedAtOnce) {
                let ids = pictures[start..<min(pictures.count, start + Self.exportedAtOnce)].map(\.id)
                let stored = try index.vectors(ids: ids)
                // A picture removed meanwhile would shift the rows.
                guard stored.ids == ids else {
                    throw LibraryError.storage(path: file, reason: "the library changed while it was exported; try again")
                }
                try writer.append(stored.vectors, ids: ids)
            }
            try writer.finish()
        } catch IndexError.unwritable(let file, let reason) {
            throw .output(path: file, reason: reason)
        } catch let error as IndexError {
            throw LibraryError(vectors: error, identity: row.identity, path: file)
        } catch {
            throw LibraryError(error, at: file)
        }
        return pictures.map(\.path)
    }

    private func exported(_ embedder: String?) throws(LibraryError) -> IdentityRow {
        let all = try database.read { try $0.identities() }
        guard let embedder else {
            guard let active = all.first(where: \.isActive) else { throw .noActiveIndex(path: path.display) }
            return active
        }
        guard let row = all.first(where: { $0.identity.digest == embedder || $0.identity.name == embedder }) else {
            throw .notIndexed(embedder: embedder, known: all.map(\.identity.name))
        }
        return row
    }
}
